"""Render ``report.md`` and ``report.html`` from ``results.json``, without external resources."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from whisper_qat.report.evaluation.claims import MIN_SEEDS
from whisper_qat.report.evaluation.comparison_tables import (
    codes_table,
    comparisons_table,
    kinds_table,
    seeds_table,
)
from whisper_qat.report.evaluation.comparisons import ALL
from whisper_qat.report.evaluation.gates import check_gates
from whisper_qat.report.evaluation.glossary import TERMS, glossary
from whisper_qat.report.evaluation.provenance_tables import (
    command,
    corpora_table,
    left_out_table,
    normalizers_table,
    revision,
    settings_table,
)
from whisper_qat.report.evaluation.row_tables import (
    accuracy_table,
    cost_table,
    errors_table,
    hallucination_table,
    headline_table,
    outside_table,
    size_and_speed_table,
)
from whisper_qat.report.evaluation.token_measure_tables import (
    group_tables,
    token_measure_comparisons_table,
    token_measures_table,
)
from whisper_qat.report.render.plots import COLORS, left_out_note, size_plot, wer_note, wer_plot
from whisper_qat.report.render.printing import duration, listing, plural
from whisper_qat.report.render.tables import Results, Table, markdown
from whisper_qat.runs.folders import read_json

TEMPLATE = "page.html.j2"
INTRODUCTION = (
    "This report compares speech recognition systems on the same recordings. A system is a Whisper "
    "model in one number format, on one runtime, with one audio context. The glossary at the end "
    "explains the terms."
)
OPEN_CHANGES = 12  # shown at first; the others can be unfolded
SHOWN_CHANGES = 60  # of each pair; results.json has all of them


def render(folder: Path) -> Path:
    """Write report.md and report.html beside results.json; then GateError if a gate failed."""
    folder = Path(folder)
    results = read_json(folder / "results.json")
    page = folder / "report.html"
    (folder / "report.md").write_text(markdown_page(results), encoding="utf-8")
    page.write_text(html_page(results), encoding="utf-8")
    check_gates(results, page)
    return page


def markdown_page(results: Results) -> str:
    """The story, the claims, all tables and the glossary as Markdown."""
    told = [f"- {sentence}" for sentence in results.get("story") or []]
    claims = ["## Conclusions\n", *(f"- {claim['text']}" for claim in results["claims"])]
    failed = [f"**FAILED: {g['text']}**" for g in results["gates"] if not g["passed"]]
    head = [
        "# Evaluation report",
        *failed,
        "\n".join(told),
        INTRODUCTION,
        "\n".join(claims),
        _provenance(results),
    ]
    tables = [table for group in sections(results).values() for table in group]
    printed = [markdown(table) for table in tables if table.rows]
    return "\n\n".join([*filter(None, head), *printed, f"## Glossary\n\n{glossary()}\n"])


def _provenance(results: Results) -> str:
    lines = [f"Measured with\n\n    {command(results)}"] if command(results) else []
    lines += [f"Revision: {revision(results)}"] if revision(results) else []
    return "\n\n".join(lines)


def html_page(results: Results) -> str:
    """The page as text; every value is escaped except the SVG of our own plots."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("whisper_qat.report.evaluation").joinpath(TEMPLATE).read_text(encoding="utf-8")
    plots = {"wer": wer_plot(results), "size": size_plot(results)}
    return environment.from_string(source).render(
        results=results,
        introduction=INTRODUCTION,
        min_seeds=MIN_SEEDS,
        terms=TERMS,
        facts=facts(results),
        colors={row["name"]: COLORS[row["role"]] for row in results["rows"]},
        story=results.get("story") or [],
        sections=sections(results),
        plots={name: svg and Markup(svg) for name, svg in plots.items()},
        notes={"wer": wer_note(results), "size": left_out_note(results)},
        command=command(results),
        revision=revision(results),
        failed=[gate for gate in results["gates"] if not gate["passed"]],
        shown_changes=SHOWN_CHANGES,
        open_changes=OPEN_CHANGES,
    )


def facts(results: Results) -> list[str]:
    """The line below the title: what was measured, on which machine and when."""
    measured = [c for c in results["corpora"] if c["status"] == "measured"]
    environment = results["environment"] or {}
    cpu = environment.get("cpu")
    clips, seconds = (sum(c.get(key) or 0 for c in measured) for key in ("clips", "audio_s"))
    found = [
        plural(len(results["rows"]), "system"),
        f"{listing([c['name'] for c in measured])}: {plural(clips, 'clip')}, {duration(seconds)}"
        if measured
        else "no corpus was measured",
        str(cpu.get("name") if isinstance(cpu, dict) else cpu or ""),
        str(environment.get("gpu") or ""),
        str(environment.get("created") or "").replace("T", " "),
        f"revision {revision(results)[:10]}" if revision(results) else "",
    ]
    return [fact for fact in found if fact]


def sections(results: Results) -> dict[str, list[Table]]:
    """The tables of the report by section, in printed order; empty tables are not printed."""
    primary = results["primary_normalizer"]
    names = [n["name"] for n in results["normalizers"]]
    others = [name for name in names if name != primary]
    settings: dict[str, Any] = {
        "Decoding and padding": results["decoding"],
        "Environment": results["environment"],
        "Configuration": results["config"],
    }
    return {
        "headline": [headline_table(results)],
        "outside": [outside_table(results)],
        "groups": group_tables(results),
        "comparisons": [
            comparisons_table(results, ALL, primary),
            kinds_table(results),
            seeds_table(results),
            *(comparisons_table(results, ALL, name) for name in others),
        ],
        "token_measures": [
            *(token_measures_table(results, name) for name in scope_names(results)),
            token_measure_comparisons_table(results, ALL),
        ],
        "size_and_speed": [size_and_speed_table(results)],
        "accuracy": [
            *(accuracy_table(results, name) for name in names),
            errors_table(results),
            hallucination_table(results),
        ],
        "codes": [codes_table(results)],
        "cost": [cost_table(results)],
        "corpora": [corpora_table(results), left_out_table(results)],
        "settings": [normalizers_table(results)]
        + [settings_table(title, values) for title, values in settings.items()],
    }


def scope_names(results: Results) -> list[str]:
    """All corpora together and, where there are several, each of them."""
    names = list(results["measured_corpora"])
    return [ALL, *names] if len(names) > 1 else [ALL]
