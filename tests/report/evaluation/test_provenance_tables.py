"""Tables of corpora, normalisers, machine and settings."""

from typing import Any

from whisper_qat.report.evaluation.provenance_tables import (
    command,
    corpora_table,
    flatten,
    left_out_table,
    normalizers_table,
    revision,
    settings_table,
)


def test_corpora_reached_or_not(results: dict[str, Any]):
    prompts, verse, mtedx = corpora_table(results).rows
    assert prompts == ["prompts", "measured", "20", "100 s", "1", "0", "20 clips"]
    assert verse[5] == "1 (chunked 30 s)"
    assert mtedx[:2] == ["mtedx", "unreachable: not at data/mtedx; see configs/corpora.yaml"]


def test_left_out_clips_are_listed(results: dict[str, Any]):
    assert left_out_table(results).rows == [["prompts", "silence_1", "silent"]]


def test_normalisers(results: dict[str, Any]):
    rows = normalizers_table(results).rows
    assert [row[0] for row in rows] == ["card", "fr"]
    assert all(all(row) for row in rows)
    gone = {"normalizers": [{"name": "gone", "version": 1, "fingerprint": "a"}]}
    assert normalizers_table(gone).rows[0][-1] == "no longer known"


def test_settings_are_flattened():
    nested = {"a": {"b": None, "c": [1, 2]}, "d": True}
    assert list(flatten(nested)) == [("a.b", "none"), ("a.c", "1 2"), ("d", "True")]
    assert settings_table("S", None).rows == []


def test_command_and_revision(results: dict[str, Any]):
    assert command(results) == "scripts/evaluate_qat.py --model_path 'outputs/models/qat int8'"
    assert revision(results).startswith("0123456789")
    assert command({"environment": {"command": "make x"}}) == "make x"
    assert command({"environment": None}) == revision({"environment": {}}) == ""
