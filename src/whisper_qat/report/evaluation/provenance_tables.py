"""Tables of what the numbers rest on: corpora, clips left out, normalisers, machine, settings."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from whisper_qat.metrics.normalizers.registry import NORMALIZERS
from whisper_qat.report.render.printing import count, duration
from whisper_qat.report.render.tables import Column, Results, Table, table


def corpora_table(results: Results) -> Table:
    """Every corpus that was asked for, reached or not."""
    columns = [
        Column(title="Corpus", meaning="name as asked for", numeric=False),
        Column(title="Status", meaning="measured, or why it was not", numeric=False),
        Column(title="Clips", meaning="clips measured"),
        Column(title="Audio", meaning="their length together"),
        Column(title="Left out", meaning="clips that could not be used, listed below"),
        Column(title="Chunked", meaning="clips over 30 s, decoded in chunks of 30 s and joined"),
        Column(title="Bootstrap draws", meaning="what an interval resamples", numeric=False),
    ]
    drawn = {b["corpus"]: f"{b['number']:,} × {b['unit']}" for b in results["blocks"]}
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
        Column(title="Normaliser", meaning="applied once to both sides", numeric=False),
        Column(title="Version", meaning="rules with one version never change", numeric=False),
        Column(title="Fingerprint", meaning="hash of name, version and behaviour", numeric=False),
        Column(title="Rules", meaning="", numeric=False),
    ]
    known = {name: normalizer.about for name, normalizer in NORMALIZERS.items()}
    rows = [
        [n["name"], str(n["version"]), n["fingerprint"], known.get(n["name"], "no longer known")]
        for n in results["normalizers"]
    ]
    return table("Normalisers", columns, rows)


def settings_table(title: str, settings: Mapping[str, Any] | None) -> Table:
    """Nested settings as dotted names and values."""
    columns = [
        Column(title="Setting", meaning="", numeric=False),
        Column(title="Value", meaning="", numeric=False),
    ]
    return table(title, columns, [[k, v] for k, v in flat(settings or {})])


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """('a.b', 'value') for every leaf."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", " ".join(str(part) for part in value)
        else:
            yield f"{prefix}{key}", "none" if value is None else str(value)


def command(results: Results) -> str:
    """The command line that measured, as it was given; empty when it was not recorded."""
    given = (results["environment"] or {}).get("command") or ""
    return given if isinstance(given, str) else shlex.join(str(part) for part in given)


def revision(results: Results) -> str:
    """The git revision that measured; empty when it was not recorded."""
    return str((results["environment"] or {}).get("git_revision") or "")
