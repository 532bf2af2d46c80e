"""The transcriber: from a folder to text, by either runtime, long audio in labelled chunks."""

import numpy as np
import pytest

from tests.infer.onnx_folders import onnx_folder
from tests.infer.scripted import ScriptedBackend
from whisper_qat.config import InputError
from whisper_qat.data.audio import read_audio
from whisper_qat.data.context import AudioContext
from whisper_qat.data.features import Features
from whisper_qat.data.source import load_clips
from whisper_qat.infer.decoding_rules import read_rules
from whisper_qat.infer.text_decoder import TextDecoder
from whisper_qat.infer.transcribe import Transcriber, find_runtime, read_context

RATE = 16_000


def speech(seconds):
    return np.random.default_rng(1).normal(scale=0.1, size=round(seconds * RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def converted(tiny_whisper, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "float"
    return onnx_folder(tiny_whisper, folder, audio_context="dynamic", margin_s=2.0)


def test_both_runtimes_transcribe_alike(tiny_whisper, converted):
    onnx = Transcriber.from_folder(converted, threads=1, max_new_tokens=20)
    torch = Transcriber.from_folder(tiny_whisper, "torch", max_new_tokens=20)
    assert onnx.context == AudioContext(mode="dynamic", margin_s=2.0)
    assert torch.context == AudioContext(mode="full")
    same_context = Transcriber(**{**vars(torch), "context": onnx.context})
    a, b = onnx.transcribe(speech(3)), same_context.transcribe(speech(3))
    assert a.tokens == b.tokens and a.text == b.text
    assert len(a.tokens) == 20 and a.chunks == 1 and a.wall_s > 0


class CountingBackend(ScriptedBackend):
    """Says one token per utterance and notes the frames it was given."""

    def __init__(self, token, end, vocab):
        super().__init__(np.eye(vocab, dtype=np.float32)[[token, end]])
        self.frames = []

    def encode(self, mel):
        self.frames.append(mel.shape[2])
        return super().encode(mel)


def test_long_audio_is_decoded_whole_in_chunks(tiny_whisper):
    rules = read_rules(tiny_whisper, language="fr")
    end = next(iter(rules.end_ids))
    backend = CountingBackend(75, end, end + 1 + max(rules.filters.suppress) - end)
    transcriber = Transcriber(
        backend=backend,
        features=Features.from_pretrained(tiny_whisper),
        text_decoder=TextDecoder.from_folder(tiny_whisper),
        context=AudioContext(mode="dynamic", margin_s=1.0),
        rules=rules,
    )
    found = transcriber.transcribe(speech(65))
    word = transcriber.text_decoder.text([75])
    assert found.chunks == 3 and found.tokens == [75] * 3
    assert found.text == " ".join([word] * 3)
    seconds = [frames / 100 - 1 for frames in backend.frames]
    assert sum(min(s, 30) for s in seconds) >= 65 - 3  # the window has room for less margin


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


def test_unknown_runtime_is_refused(tiny_whisper):
    with pytest.raises(InputError, match="runtime='tensorrt': expected one of onnx, torch"):
        Transcriber.from_folder(tiny_whisper, "tensorrt")


def test_context_is_full_where_a_folder_does_not_say(tmp_path):
    assert read_context(tmp_path) == AudioContext(mode="full")


def test_real_speech_gives_its_words(whisper_base, telephone_fr):
    clips = {clip.id: clip for clip in load_clips(telephone_fr, split="test")}
    clip = max(clips.values(), key=lambda clip: clip.duration_s)
    text = Transcriber.from_folder(whisper_base).transcribe(read_audio(clip)).text
    said = set(text.lower().split())
    assert len(said & set(clip.text.lower().split())) >= 0.4 * len(set(clip.text.split()))
