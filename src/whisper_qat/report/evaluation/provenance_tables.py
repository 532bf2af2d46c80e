"""Tables of provenance: corpora, clips left out, normalisers, machine and settings."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from whisper_qat.metrics.normalizers.registry import NORMALIZERS
from whisper_qat.report.render.printing import count, duration, plural
from whisper_qat.report.render.tables import Column, Results, Table, table


def corpora_table(results: Results) -> Table:
    """Every requested corpus, whether or not it could be measured."""
    columns = [
        Column(title="Corpus", meaning="name as requested", numeric=False),
        Column(title="Status", meaning="whether it was measured, and if not, why", numeric=False),
        Column(title="Clips", meaning="clips measured"),
        Column(title="Audio", meaning="total length of these clips"),
        Column(title="Left out", meaning="clips that could not be used, listed below"),
        Column(
            title="Chunked",
            meaning="clips over 30 s, which are decoded in chunks of 30 s and joined",
        ),
        Column(
            title="Bootstrap units",
            meaning="what the bootstrap of the intervals resamples",
            numeric=False,
        ),
    ]
    drawn = {b["corpus"]: plural(b["number"], b["unit"]) for b in results["blocks"]}
    rows = [_corpus_row(corpus, drawn) for corpus in results["corpora"]]
    return table("Corpora", columns, rows)


def _corpus_row(corpus: dict[str, Any], drawn: dict[str, str]) -> list[str]:
    if corpus["status"] != "measured":
        reason = corpus.get("reason") or "no reason given"
        return [corpus["name"], f"{corpus['status']}: {reason}", "", "", "", "", ""]
    chunked = corpus.get("long_form_clips") or 0
    return [
        corpus["name"],
        "measured",
        count(corpus.get("clips")),
        duration(corpus.get("audio_s")),
        count(len(corpus.get("left_out") or [])),
        f"{chunked:,} (chunked 30 s)" if chunked else "0",
        drawn.get(corpus["name"], ""),
    ]


def left_out_table(results: Results) -> Table:
    """Clips that were not measured, each with the reason."""
    columns = [
        Column(title="Corpus", meaning="", numeric=False),
        Column(title="Clip", meaning="", numeric=False),
        Column(title="Reason", meaning="why it was not measured", numeric=False),
    ]
    rows = [
        [corpus["name"], clip["id"], clip["reason"]]
        for corpus in results["corpora"]
        for clip in corpus.get("left_out") or []
    ]
    return table("Clips left out", columns, rows)


def normalizers_table(results: Results) -> Table:
    """Text normalisers by name, version and fingerprint, with the words of the registry."""
    columns = [
        Column(
            title="Normaliser",
            meaning="rules applied once to both reference and hypothesis",
            numeric=False,
        ),
        Column(title="Version", meaning="the rules of a version never change", numeric=False),
        Column(
            title="Fingerprint",
            meaning="hash of name, version and behaviour on test sentences",
            numeric=False,
        ),
        Column(title="Rules", meaning="", numeric=False),
    ]
    known = {name: normalizer.about for name, normalizer in NORMALIZERS.items()}
    rows = [
        [n["name"], str(n["version"]), n["fingerprint"], known.get(n["name"], "no longer known")]
        for n in results["normalizers"]
    ]
    return table("Normalisers", columns, rows)


def settings_table(title: str, settings: Mapping[str, Any] | None) -> Table:
    """Nested settings as dotted names with their values."""
    columns = [
        Column(title="Setting", meaning="", numeric=False),
        Column(title="Value", meaning="", numeric=False),
    ]
    return table(title, columns, [[k, v] for k, v in flatten(settings or {})])


def flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield ('a.b', 'value') for every leaf of nested settings."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", " ".join(str(part) for part in value)
        else:
            yield f"{prefix}{key}", "none" if value is None else str(value)


def command(results: Results) -> str:
    """The command line of the evaluation; empty when it was not recorded."""
    given = (results["environment"] or {}).get("command") or ""
    return given if isinstance(given, str) else shlex.join(str(part) for part in given)


def revision(results: Results) -> str:
    """The git revision of the evaluation; empty when it was not recorded."""
    return str((results["environment"] or {}).get("git_revision") or "")
