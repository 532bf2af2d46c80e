"""Signs of hallucination on texts with known values."""

import zlib

import pytest

from whisper_qat.metrics import hallucination


def test_repeated_ngrams():
    assert hallucination.repeated_ngrams("a b c d e f") == 0
    assert hallucination.repeated_ngrams("merci " * 10) == 5
    assert hallucination.repeated_ngrams("a b", n=2) == 0
    assert hallucination.repeated_ngrams("a b a b a", n=2) == 2


def test_compression_ratio():
    text = "sous-titres réalisés par la communauté " * 20
    assert hallucination.compression_ratio(text) > 2.4
    assert hallucination.compression_ratio("Bonjour.") == 8 / len(zlib.compress(b"Bonjour."))


def test_too_long():
    assert not hallucination.is_too_long("a b", "a b c")
    assert hallucination.is_too_long("a b", "a b c d")


def test_rates():
    assert hallucination.words_per_second("un deux trois", 1.5) == 2.0
    assert hallucination.share_of_speech_on_silence(["", "merci", " "]) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match=r"duration_s=0: expected more than 0"):
        hallucination.words_per_second("a", 0)
    with pytest.raises(ValueError, match="no clips without speech"):
        hallucination.share_of_speech_on_silence([])
