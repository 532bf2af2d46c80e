"""The record of a normaliser: its fingerprint follows name, version and behaviour."""

from dataclasses import replace

from whisper_qat.metrics.normalizers.registry import NORMALIZERS

FINGERPRINTS = {"card": "984e62bf8be7", "fr": "32693b36ca1e"}  # results on disk carry them


def test_fingerprint_follows_name_version_and_behaviour():
    card = NORMALIZERS["card"]
    assert replace(card, about="other words").fingerprint == card.fingerprint
    others = [
        replace(card, version=2), replace(card, name="x"), replace(card, apply=str.lower),
        NORMALIZERS["fr"],
    ]  # fmt: skip
    assert len({card.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_fingerprints_of_the_first_versions():
    found = {name: one.fingerprint for name, one in NORMALIZERS.items() if one.version == 1}
    assert found == FINGERPRINTS
