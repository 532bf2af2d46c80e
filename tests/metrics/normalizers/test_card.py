"""`card` is transformers' own normaliser."""

import pytest
from transformers.models.whisper.english_normalizer import BasicTextNormalizer

from whisper_qat.metrics.normalizers.card import normalize_card
from whisper_qat.metrics.normalizers.normalizer import PROBES

TEXTS = [
    *PROBES,
    "Sois sage, ô ma Douleur, et tiens-toi plus tranquille.",
    "L'hôpital <bruit> [inaudible] (rires) est-il ouvert ?",
    "ÇA ALORS !… « œuvre », æther, n° 5",
]


@pytest.mark.parametrize("text", TEXTS)
def test_card_is_transformers_basic_normalizer(text):
    assert normalize_card(text) == BasicTextNormalizer()(text).strip()


def test_card_turns_apostrophes_and_hyphens_into_spaces():
    assert normalize_card("L'est-elle") == "l est elle"
