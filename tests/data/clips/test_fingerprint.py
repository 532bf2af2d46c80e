"""Fingerprints of clips: the bytes that are hashed are fixed, because folders on disk hold them."""

import hashlib

import pytest

from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.fingerprint import (
    hash_clips,
    hash_clips_as_json,
    hash_records,
    hash_splits,
)

CLIPS = [Clip(id="a", audio="a.wav", text="été"), Clip(id="b", audio="b.wav", text="deux mots")]


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("found", "content"),
    [
        (hash_records([("a", "b", "c"), ("d",)]), "a\0b\0c\nd\n"),
        (hash_clips(CLIPS), "a\0été\nb\0deux mots\n"),
        (
            hash_splits({"train": CLIPS[:1], "validation": CLIPS[1:]}),
            "train\0a\0été\nvalidation\0b\0deux mots\n",
        ),
        (hash_clips_as_json(CLIPS), r'[["a", "\u00e9t\u00e9"], ["b", "deux mots"]]'),
    ],
    ids=["records", "clips", "splits", "json"],
)
def test_what_is_hashed_never_changes(found, content):
    assert found == sha256(content)


def test_order_counts():
    assert hash_clips(CLIPS) != hash_clips(CLIPS[::-1])
