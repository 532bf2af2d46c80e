"""faster-whisper as a peer: options that match the other runtimes, and a short audio context."""

import pytest

from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.source import load_clips
from whisper_qat.errors import InputError
from whisper_qat.measure.systems import faster_whisper
from whisper_qat.measure.systems.faster_whisper import open_faster_whisper
from whisper_qat.measure.systems.system import PeerMissing, Setup
from whisper_qat.metrics.french import normalize_french
from whisper_qat.metrics.wer import count_words
from whisper_qat.tasks.benchmark.models import make_ct2_float


def test_missing(monkeypatch, tmp_path):
    def absent(module):
        raise PeerMissing(f"{module} cannot be imported")

    monkeypatch.setattr(faster_whisper, "needed", absent)
    setup = Setup(folder=tmp_path, threads=1, language="fr", max_new_tokens=5)
    with pytest.raises(InputError, match="faster_whisper cannot be imported"):
        open_faster_whisper(setup)


def test_no_fallback_and_no_condition_on_text():
    options = faster_whisper.OPTIONS
    assert (options["beam_size"], options["temperature"]) == (1, 0.0)
    assert not options["condition_on_previous_text"]
    assert not options["vad_filter"]
    assert options["without_timestamps"]


@pytest.mark.slow
def test_whisper_base(whisper_base, telephone_fr, tmp_path):
    """Padded and short say the prompt, and a fixed length is exact."""
    make_ct2_float(whisper_base, tmp_path / "ct2", {})
    clip = next(c for c in load_clips(str(telephone_fr), split="test") if 4 < c.duration_s < 6)
    audio = read_audio(clip)
    for options in ({}, {"margin_s": 3.0}):
        peer = open_faster_whisper(
            Setup(folder=tmp_path / "ct2", threads=1, language="fr", max_new_tokens=60,
                  options={"compute_type": "int8"} | options)
        )  # fmt: skip
        counts = count_words(normalize_french(clip.text), normalize_french(peer.transcribe(audio)))
        assert counts.rate < 0.5  # float32 has 0.4 here
        assert [peer.fixed(audio, n) for n in (1, 12)] == [2, 12]
        assert peer.facts()["compute_type"] == "int8_float32"
