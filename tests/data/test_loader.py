"""The loader: what the decoder is fed, what is learned from, and clips that cannot be read."""

import pickle

import numpy as np
import pytest
import torch

from tests.tasks.tiny_speech import save_tiny_speech
from whisper_qat.data import loader
from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.batches import MicroBatch
from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.source import load_clips
from whisper_qat.data.loader import IGNORED, Collator, Example, Examples, Labeller, collate, iterate
from whisper_qat.errors import InputError

PROMPT, END = (250, 251, 252), 256
DYNAMIC = AudioContext(mode="dynamic", margin_s=0.5)


@pytest.fixture
def labeller(tiny_whisper):
    return Labeller.from_pretrained(tiny_whisper, PROMPT, END, 20)


def example(id, seconds, tokens):
    mel = np.full((2, 3000), float(seconds), np.float32)
    return Example(id, mel, int(16000 * seconds), [*PROMPT, *tokens, END])


def test_a_text_is_prompt_leading_space_text_and_end(labeller):
    ids = labeller("  ab ")
    assert ids[:3] == list(PROMPT) and ids[-1] == END
    assert labeller.tokenizer.decode(ids[3:-1]) == " ab"


def test_a_text_fits_when_the_decoder_has_a_position_for_each_token_fed(labeller):
    assert labeller.fits("a" * 16) and not labeller.fits("a" * 17)


def test_labels_are_the_tokens_to_come_without_prompt_and_padding():
    batch = collate([example("a", 1.0, [7, 8]), example("b", 2.0, [9])], DYNAMIC, len(PROMPT))
    assert batch.tokens.tolist() == [[250, 251, 252, 7, 8], [250, 251, 252, 9, END]]
    ignored = IGNORED
    assert batch.labels.tolist() == [
        [ignored, ignored, 7, 8, END],
        [ignored, ignored, 9, END, ignored],
    ]
    assert batch.num_tokens == 5 and batch.ids == ("a", "b")


def test_the_context_is_that_of_the_longest_clip():
    batch = collate([example("a", 1.0, [7]), example("b", 2.0, [9])], DYNAMIC, 3)
    assert batch.mel.shape == (2, 2, 250)
    full = collate([example("a", 1.0, [7])], AudioContext(), 3)
    assert full.mel.shape == (1, 2, 3000)


def test_the_teacher_hears_the_whole_window_where_it_is_to():
    clips = [example("a", 1.0, [7]), example("b", 2.0, [9])]
    batch = Collator(DYNAMIC, 3, full_teacher=True)(clips)
    assert batch.mel.shape == (2, 2, 250) and batch.teacher_mel.shape == (2, 2, 3000)
    assert (batch.teacher_mel[:, :, :250] == batch.mel).all()
    assert Collator(DYNAMIC, 3)(clips).teacher_mel is None
    # The student hears all of it already: nothing is held twice.
    assert Collator(AudioContext(), 3, full_teacher=True)(clips).teacher_mel is None


def test_margins_are_drawn_per_batch_and_the_same_again():
    def frames(seed, *names):
        collator = Collator(DYNAMIC, 3, max_margin_s=4.0, seed=seed)
        return collator([example(name, 1.0, [7]) for name in names]).mel.shape[-1]

    epochs = [[frames((5, epoch), f"clip-{i}") for i in range(20)] for epoch in (0, 1)]
    assert epochs == [[frames((5, epoch), f"clip-{i}") for i in range(20)] for epoch in (0, 1)]
    assert epochs[0] != epochs[1] and len(set(epochs[0])) > 10
    low, high = DYNAMIC.frames(16000), AudioContext(mode="dynamic", margin_s=4.0).frames(16000)
    assert all(low <= found <= high for found in epochs[0] + epochs[1])


def test_a_filler_carries_no_loss(tiny_whisper, labeller, tmp_path):
    clips = load_clips(str(save_tiny_speech(tmp_path / "s")), split="train")
    examples = Examples(clips, Features.from_pretrained(tiny_whisper), labeller)
    micro = [MicroBatch((0, 1)), MicroBatch((2,), counts=False)]
    first, second = iterate(examples, micro, Collator(DYNAMIC, 3), 0)
    assert first.ids == ("clip-0", "clip-1") and first.num_tokens > 0
    assert second.ids == ("clip-2",) and second.num_tokens == 0


def test_drawing_batches_leaves_the_random_state_alone(tiny_whisper, labeller, tmp_path):
    clips = load_clips(str(save_tiny_speech(tmp_path / "s")), split="train")
    examples = Examples(clips, Features.from_pretrained(tiny_whisper), labeller)
    before = torch.get_rng_state()
    list(iterate(examples, [MicroBatch((0,))], Collator(DYNAMIC, 3), 0))
    assert (torch.get_rng_state() == before).all()


def test_features_are_computed_when_drawn_and_not_kept(
    tiny_whisper, labeller, tmp_path, monkeypatch
):
    clips = load_clips(str(save_tiny_speech(tmp_path / "s")), split="train")
    read = []
    monkeypatch.setattr(loader, "read_audio", lambda clip: read.append(clip.id) or read_audio(clip))
    examples = Examples(clips, Features.from_pretrained(tiny_whisper), labeller)
    size = len(pickle.dumps(examples))
    stream = iterate(examples, [MicroBatch((0,)), MicroBatch((1,))], Collator(DYNAMIC, 3), 0)
    assert read == []
    next(stream)
    assert read == ["clip-0"]
    list(stream)
    assert len(pickle.dumps(examples)) == size  # what a worker gets: no samples, no spectrograms


def test_workers_give_the_same_batches_in_the_same_order(tiny_whisper, labeller, tmp_path):
    clips = load_clips(str(save_tiny_speech(tmp_path / "s")), split="train")
    examples = Examples(clips, Features.from_pretrained(tiny_whisper), labeller)
    micro = [MicroBatch((i,)) for i in (2, 0, 1)]
    here, there = (list(iterate(examples, micro, Collator(DYNAMIC, 3), n)) for n in (0, 2))
    assert [b.ids for b in there] == [("clip-2",), ("clip-0",), ("clip-1",)]
    for a, b in zip(here, there, strict=True):
        assert (a.mel == b.mel).all() and (a.labels == b.labels).all()


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_unreadable_clip_is_one_line_also_from_a_worker(
    tiny_whisper, labeller, tmp_path, num_workers
):
    clip = Clip(id="gone", audio=str(tmp_path / "gone.wav"), text="un")
    examples = Examples([clip], Features.from_pretrained(tiny_whisper), labeller)
    with pytest.raises(InputError, match=r"gone\.wav") as raised:
        list(iterate(examples, [MicroBatch((0,))], Collator(DYNAMIC, 3), num_workers))
    assert "\n" not in str(raised.value)
