"""Normalisers: `card` equals that of transformers, unknown names, fingerprints."""

import pytest
from transformers.models.whisper.english_normalizer import BasicTextNormalizer

from whisper_qat.errors import InputError
from whisper_qat.metrics.normalize import NORMALIZERS, PROBES, Normalizer, get_normalizer

TEXTS = [
    *PROBES,
    "Sois sage, ô ma Douleur, et tiens-toi plus tranquille.",
    "L'hôpital <bruit> [inaudible] (rires) est-il ouvert ?",
    "ÇA ALORS !… « œuvre », æther, n° 5",
]


@pytest.mark.parametrize("text", TEXTS)
def test_card_is_transformers_basic_normalizer(text):
    assert get_normalizer("card").apply(text) == BasicTextNormalizer()(text).strip()


def test_card_turns_apostrophes_and_hyphens_into_spaces():
    assert get_normalizer("card").apply("L'est-elle") == "l est elle"


def test_unknown_name():
    with pytest.raises(InputError, match=r"normalizer='crd': expected one of card, fr; did you"):
        get_normalizer("crd")


def test_fingerprint_follows_name_version_and_behaviour():
    same = Normalizer("card", 1, NORMALIZERS["card"].apply)
    assert same.fingerprint == NORMALIZERS["card"].fingerprint
    others = [
        Normalizer("card", 2, same.apply), Normalizer("x", 1, same.apply),
        Normalizer("card", 1, str.lower), NORMALIZERS["fr"],
    ]  # fmt: skip
    assert len({same.fingerprint, *(other.fingerprint for other in others)}) == 5
