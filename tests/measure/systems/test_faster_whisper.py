"""faster-whisper: options that match the other runtimes, and a short audio context."""

import pytest

from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.source import load_clips
from whisper_qat.errors import InputError
from whisper_qat.measure.systems import faster_whisper
from whisper_qat.measure.systems.faster_whisper import (
    make_ct2_float,
    make_ct2_int8,
    open_faster_whisper,
)
from whisper_qat.measure.systems.system import Setup, SystemMissing
from whisper_qat.metrics.normalizers.french import normalize_french
from whisper_qat.metrics.wer import count_words
from whisper_qat.runs.folders import read_json


def test_missing(monkeypatch, tmp_path):
    def absent(module):
        raise SystemMissing(f"{module} cannot be imported")

    monkeypatch.setattr(faster_whisper, "require_module", absent)
    setup = Setup(folder=tmp_path, threads=1, language="fr", max_new_tokens=5)
    with pytest.raises(InputError, match="faster_whisper cannot be imported"):
        open_faster_whisper(setup)


def test_no_fallback_and_no_condition_on_text():
    options = faster_whisper.OPTIONS
    assert (options["beam_size"], options["temperature"]) == (1, 0.0)
    assert not options["condition_on_previous_text"]
    assert not options["vad_filter"]
    assert options["without_timestamps"]


def test_ct2_int8_is_ctranslate2s_own_conversion(tiny_whisper, tmp_path):
    make_ct2_int8(tiny_whisper, tmp_path / "ct2", {}, None)
    assert read_json(tmp_path / "ct2" / "manifest.json")["kind"] == "ctranslate2"
    assert {"model.bin", "tokenizer.json"} <= {p.name for p in (tmp_path / "ct2").iterdir()}


@pytest.mark.slow
def test_tiny_en_has_a_shorter_prompt(whisper_tiny_en, telephone_en, tmp_path):
    """It says the prompt although French is asked for, and a fixed length is exact."""
    make_ct2_float(whisper_tiny_en, tmp_path / "ct2", {}, None)
    clips = load_clips(str(telephone_en), split="test")
    audio = read_audio(next(clip for clip in clips if clip.id == "conf-extended"))
    for options in ({}, {"margin_s": 3.0}):
        system = open_faster_whisper(
            Setup(folder=tmp_path / "ct2", threads=1, language="fr", max_new_tokens=60,
                  options={"compute_type": "float32"} | options)
        )  # fmt: skip
        assert system.transcribe(audio) == "The conference has been extended."
        assert [system.decode_fixed(audio, n) for n in (1, 12)] == [2, 12]


@pytest.mark.slow
def test_whisper_base(whisper_base, telephone_fr, tmp_path):
    """Padded and short say the prompt, and a fixed length is exact."""
    make_ct2_float(whisper_base, tmp_path / "ct2", {}, None)
    clip = next(c for c in load_clips(str(telephone_fr), split="test") if 4 < c.duration_s < 6)
    audio = read_audio(clip)
    for options in ({}, {"margin_s": 3.0}):
        system = open_faster_whisper(
            Setup(folder=tmp_path / "ct2", threads=1, language="fr", max_new_tokens=60,
                  options={"compute_type": "int8"} | options)
        )  # fmt: skip
        counts = count_words(
            normalize_french(clip.text), normalize_french(system.transcribe(audio))
        )
        assert counts.rate < 0.5  # float32 has 0.4 here
        assert [system.decode_fixed(audio, n) for n in (1, 12)] == [2, 12]
        assert system.facts()["compute_type"] == "int8_float32"
