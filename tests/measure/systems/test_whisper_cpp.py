"""whisper.cpp: one model file, equal options, its smallest limit of tokens."""

import pytest

from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.source import load_clips
from whisper_qat.errors import InputError
from whisper_qat.measure.systems import whisper_cpp
from whisper_qat.measure.systems.system import Setup, SystemMissing
from whisper_qat.measure.systems.whisper_cpp import Q8_0, ggml_file, make_ggml, open_whisper_cpp
from whisper_qat.metrics.normalizers.french import normalize_french
from whisper_qat.metrics.wer import count_words
from whisper_qat.tasks.benchmark.models import plan_of


def test_missing(monkeypatch, tmp_path):
    def absent(module):
        raise SystemMissing(f"{module} cannot be imported")

    monkeypatch.setattr(whisper_cpp, "require_module", absent)
    setup = Setup(folder=tmp_path, threads=1, language="fr", max_new_tokens=5)
    with pytest.raises(InputError, match="_pywhispercpp cannot be imported"):
        open_whisper_cpp(setup)


def test_one_file(tmp_path):
    with pytest.raises(InputError, match=r"expected one file ggml-model-\*\.bin, found 0"):
        ggml_file(tmp_path)
    (tmp_path / "ggml-model-q8_0.bin").touch()
    assert ggml_file(tmp_path).name == "ggml-model-q8_0.bin"


@pytest.mark.slow
def test_tiny_en_needs_no_language(whisper_tiny_en, telephone_en, tmp_path):
    make_ggml(whisper_tiny_en, tmp_path / "ggml", Q8_0.settings, plan_of(Q8_0.settings))
    clips = load_clips(str(telephone_en), split="test")
    audio = read_audio(next(clip for clip in clips if clip.id == "conf-extended"))
    system = open_whisper_cpp(
        Setup(folder=tmp_path / "ggml", threads=1, language="fr", max_new_tokens=60)
    )
    assert system.transcribe(audio) == "The conference has been extended."


@pytest.mark.slow
def test_whisper_base(whisper_base, telephone_fr, tmp_path):
    """Padded and short say the prompt; two tokens are its least."""
    make_ggml(whisper_base, tmp_path / "ggml", Q8_0.settings, plan_of(Q8_0.settings))
    clip = next(c for c in load_clips(str(telephone_fr), split="test") if 4 < c.duration_s < 6)
    audio = read_audio(clip)
    for options in ({}, {"margin_s": 3.0}):
        system = open_whisper_cpp(
            Setup(folder=tmp_path / "ggml", threads=1, language="fr", max_new_tokens=60,
                  options=options)
        )  # fmt: skip
        text = system.transcribe(audio)  # float32: 0.4
        assert count_words(normalize_french(clip.text), normalize_french(text)).rate < 0.5
        assert [system.decode_fixed(audio, n) for n in (1, 8)] == [2, 8]
        assert system.transcribe(audio) == text  # a fixed length leaves nothing behind
    assert "AVX" in system.facts()["build"] or "NEON" in system.facts()["build"]
