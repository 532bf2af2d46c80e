"""The transcriber: from a folder to text and segments, long audio in chunks, torch not loaded."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.infer.onnx_folders import onnx_folder
from tests.infer.scripted import ScriptedBackend
from tests.tiny_whisper import IDS, TIMESTAMPS
from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.source import load_clips
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.fallback import Fallback
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.long_form.chunks import chunks
from whisper_qat.infer.transcribe import Transcriber, find_runtime, one_by_one, read_context

RATE = 16_000


def speech(seconds):
    return np.random.default_rng(1).normal(scale=0.1, size=round(seconds * RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def converted(tiny_whisper, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "float"
    return onnx_folder(tiny_whisper, folder, audio_context="dynamic", margin_s=2.0)


class CountingBackend(ScriptedBackend):
    """Says the same tokens of every utterance and notes the frames it was given."""

    def __init__(self, tokens, vocab):
        super().__init__(20 * np.eye(vocab, dtype=np.float32)[tokens])
        self.frames = []

    def encode(self, mel):
        self.frames.append(mel.shape[2])
        return super().encode(mel)


def scripted(tiny_whisper, tokens, **settings):
    """A transcriber that says `tokens` of every chunk, and its backend."""
    rules = read_rules(tiny_whisper, language="fr", **settings)
    end = next(iter(rules.end_ids))
    vocab = max(IDS.values()) + 1
    backend = CountingBackend([*tokens, end], vocab)
    made = Transcriber.around(backend, tiny_whisper, rules)
    return replace(made, context=AudioContext(mode="dynamic", margin_s=1.0)), backend


def test_long_audio_is_decoded_whole_in_chunks(tiny_whisper):
    transcriber, backend = scripted(tiny_whisper, [75])
    found = transcriber.transcribe(speech(65))
    word = transcriber.text_decoder.text([75])
    assert found.chunks == 3 and found.tokens == [75] * 3
    assert found.text == " ".join([word] * 3)
    seconds = [frames / 100 - 1 for frames in backend.frames]
    assert sum(min(s, 30) for s in seconds) >= 65 - 3  # the window has room for less margin


def test_without_timestamps_a_segment_is_a_chunk(tiny_whisper):
    transcriber, _ = scripted(tiny_whisper, [75])
    audio = speech(65)
    lengths = [len(piece) / RATE for piece in chunks(audio)]
    segments = transcriber.transcribe(audio).segments
    assert [round(s.end_s - s.start_s, 3) for s in segments] == pytest.approx(lengths, abs=1e-3)
    assert segments[0].start_s == 0 and segments[-1].end_s == 65
    assert all(a.end_s == b.start_s for a, b in pairwise(segments))
    assert {s.text for s in segments} == {transcriber.text_decoder.text([75])}


def test_chunks_that_repeat_themselves_are_decoded_again(tiny_whisper):
    transcriber, backend = scripted(tiny_whisper, [75] * 200, max_new_tokens=200)
    backend.steps /= 5  # 20 : 0 leaves sampling no choice, 4 : 0 does
    plain = transcriber.transcribe(speech(31))
    assert plain.tokens == [75] * 400 and plain.repetitions == []
    named = replace(transcriber, fallback=Fallback(temperatures=())).transcribe(speech(31))
    assert named.tokens == plain.tokens
    first, second = named.repetitions
    assert first.start_s == 0 and first.end_s == second.start_s and second.end_s == 31
    assert first.temperature == 0 and first.compression_ratio > 2.4
    mended = replace(transcriber, fallback=Fallback()).transcribe(speech(31))
    assert all(r.temperature > 0 for r in mended.repetitions)
    assert [r.compression_ratio < 2.4 for r in mended.repetitions] == [True, True]
    assert mended.tokens != plain.tokens


def test_draws_depend_on_the_chunk_alone(converted):
    """Not on the batch, nor on the search that went before."""
    audio = speech(70)

    def texts(threshold, **settings):
        fallback = Fallback(threshold=threshold)
        transcriber = Transcriber.from_folder(converted, 1, fallback=fallback, **settings)
        found = transcriber.transcribe(audio)
        assert len(found.repetitions) == found.chunks == 3
        return found

    ratios = [r.compression_ratio for r in texts(0.0, max_new_tokens=60).repetitions]
    lower = 0.99 * min(ratios)  # the random model's greedy text exceeds it, its draws do not
    alone = texts(lower, max_new_tokens=60)
    assert all(r.temperature > 0 for r in alone.repetitions)
    for settings in ({"batch_size": 2}, {"batch_size": 3}, {"num_beams": 2}):
        assert texts(lower, max_new_tokens=60, **settings).tokens == alone.tokens


def test_blocks_and_batches_change_nothing(tiny_whisper):
    transcriber, _ = scripted(tiny_whisper, [75])
    audio = speech(65)
    whole = transcriber.transcribe(audio)
    calls = []

    def searched(backend, mels, rules):
        calls.append(len(mels))
        return one_by_one(backend, mels, rules)

    batched = replace(transcriber, batch_size=2, search=searched)
    found = batched.transcribe(audio[i : i + 100_000] for i in range(0, len(audio), 100_000))
    assert calls == [2, 1]
    assert replace(found, wall_s=0) == replace(whole, wall_s=0)


def test_a_chunk_without_text_has_no_segment(tiny_whisper):
    transcriber, _ = scripted(tiny_whisper, [IDS["<|fr|>"]])
    found = transcriber.transcribe(np.zeros(RATE, np.float32))
    assert found.text == "" and found.segments == [] and found.chunks == 1


def test_timestamps_mark_segments_within_their_chunk(tiny_whisper_folder, tmp_path):
    folder = tiny_whisper_folder(tmp_path)
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"suppress_tokens": [1]}))
    time = [IDS[token] for token in TIMESTAMPS]
    said = [time[0], 75, time[50], time[60], 76, time[200], time[200], 77]
    transcriber, backend = scripted(folder, said, timestamps=True)
    segments = transcriber.transcribe(speech(3)).segments
    assert [(s.start_s, s.end_s, s.tokens) for s in segments] == [
        (0.0, 1.0, [75]),
        (1.2, 3.0, [76]),  # said to end at 4 s, but there is no more audio than 3 s
        (3.0, 3.0, [77]),
    ]


def test_runtime_follows_from_the_files(tiny_whisper, converted, tmp_path):
    assert find_runtime(converted) == "onnx"
    assert find_runtime(tiny_whisper) == "torch"
    with pytest.raises(InputError, match="neither encoder_model.onnx"):
        find_runtime(tmp_path)
    with pytest.raises(InputError, match="nothing: no such folder"):
        find_runtime(tmp_path / "nothing")
    (tmp_path / "final").mkdir()
    with pytest.raises(InputError, match=r"did you mean .*final\?"):
        find_runtime(tmp_path)


def test_a_checkpoint_is_to_be_converted_first(tiny_whisper):
    message = "a checkpoint; convert it first: python scripts/convert_qat_to_quantized.py"
    with pytest.raises(InputError, match=message):
        Transcriber.from_folder(tiny_whisper)


def test_context_is_full_where_a_folder_does_not_say(tmp_path):
    assert read_context(tmp_path) == AudioContext(mode="full")


def test_real_speech_gives_its_words(whisper_base, telephone_fr, tmp_path):
    clips = {clip.id: clip for clip in load_clips(telephone_fr, split="test")}
    clip = max(clips.values(), key=lambda clip: clip.duration_s)
    transcriber = Transcriber.from_folder(onnx_folder(whisper_base, tmp_path / "onnx"))
    text = transcriber.transcribe(read_audio(clip)).text
    said = set(text.lower().split())
    assert len(said & set(clip.text.lower().split())) >= 0.4 * len(set(clip.text.split()))


def test_nothing_slow_is_loaded(converted):
    code = (
        "import sys\nimport numpy as np\n"
        "from whisper_qat.infer.transcribe import Transcriber\n"
        f"t = Transcriber.from_folder({str(converted)!r}, threads=1, max_new_tokens=2)\n"
        "t.transcribe(np.zeros(16000, np.float32))\n"
        "slow = {'torch', 'transformers', 'scipy', 'datasets', 'pandas'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_chunk_at_a_time(tmp_path):
    with pytest.raises(InputError, match="batch_size 0: expected 1 or more"):
        Transcriber.from_folder(tmp_path, batch_size=0)
