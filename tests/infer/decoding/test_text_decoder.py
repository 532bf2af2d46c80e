"""Ids to text: French survives, special tokens and timestamps do not appear."""

import pytest
from transformers import WhisperTokenizer

from tests.tiny_whisper import IDS
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.text_decoder import TextDecoder

TEXTS = [
    "Où êtes-vous ? À l'hôtel !",
    "« Cœur, dit-il : 8h30 »",
    "Ça coûte 10 000 €, n'est-ce pas .",
]


def check(folder):
    ours, theirs = TextDecoder.from_folder(folder), WhisperTokenizer.from_pretrained(folder)
    for text in TEXTS:
        tokens = theirs.encode(" " + text, add_special_tokens=False)
        assert ours.text(tokens) == text
        assert ours.text(tokens) == theirs.decode(tokens, skip_special_tokens=True).strip()


def test_equals_transformers_tokenizer(tiny_whisper):
    check(tiny_whisper)


def test_equals_transformers_tokenizer_of_whisper(whisper_base):
    check(whisper_base)


def test_special_tokens_and_timestamps_are_dropped(tiny_whisper):
    special = [IDS["<|fr|>"], IDS["<|endoftext|>"], IDS["<|0.00|>"], IDS["<|30.00|>"]]
    decoder = TextDecoder.from_folder(tiny_whisper)
    assert decoder.text([*special, 50, 60, *special]) == decoder.text([50, 60]) != ""


def test_missing_tokenizer_is_named(tmp_path):
    with pytest.raises(InputError, match="tokenizer.json: missing"):
        TextDecoder.from_folder(tmp_path)
