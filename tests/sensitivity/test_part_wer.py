"""WER of the model in hand: that of the transcriber, and ranges set back afterwards."""

import pytest
import torch

from tests.tasks.tiny_speech import save_tiny_speech
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.export.onnx.folder import load_checkpoint
from whisper_qat.infer.runtimes import open_transcriber
from whisper_qat.metrics.normalizers.registry import get_normalizer
from whisper_qat.metrics.wer import count_words, total
from whisper_qat.model.fake_quant.layers import FakeQuantLinear, fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import Rule
from whisper_qat.ptq.calibration_clips import calibration_samples, held_out_clips
from whisper_qat.sensitivity.part_wer import WordErrors


@pytest.fixture
def parts(tiny_whisper, tmp_path):
    final = load_checkpoint(tiny_whisper, "tiny")
    clips = held_out_clips(str(save_tiny_speech(tmp_path / "speech")), 2, 0)
    samples = calibration_samples(clips, final, tiny_whisper, "fr")
    return final, clips, samples


def test_the_rate_is_the_transcribers(parts, tiny_whisper):
    final, clips, samples = parts
    found = WordErrors(final, tiny_whisper, clips, "fr").rate(samples[0].prompt_length)
    transcriber = open_transcriber(tiny_whisper, "torch")
    normalize = get_normalizer("card").apply
    heard = [transcriber.transcribe(read_audio(clip)).text for clip in clips]
    expected = total(
        [count_words(normalize(c.text), normalize(h)) for c, h in zip(clips, heard, strict=True)]
    )
    assert len(heard) == 2 and found == expected.rate


def test_ranges_are_those_of_teacher_forcing_again(parts, tiny_whisper):
    final, clips, samples = parts
    rules = [Rule(pattern=".*embed_tokens", scheme="float", why=""),
             Rule(pattern=".*", scheme="int8-dynamic", why="")]  # fmt: skip
    apply_plan(final.model, plan(final.model, rules))
    with torch.no_grad():
        WordErrors(final, tiny_whisper, clips, "fr").rate(4)
    layers = fake_quantized(final.model).values()
    assert {x.first_call for x in layers if isinstance(x, FakeQuantLinear)} == {4, None}
