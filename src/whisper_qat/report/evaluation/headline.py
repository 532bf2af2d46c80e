"""A summary of the results in plain text for the terminal: the story, one table, the claims."""

import textwrap
from collections.abc import Sequence

from whisper_qat.report.evaluation.row_tables import BASELINE_DELTA, headline_table
from whisper_qat.report.evaluation.shown_rows import RULE, outside_rows, shown_rows
from whisper_qat.report.render.printing import NOT_MEASURED, listing, percent
from whisper_qat.report.render.tables import Results, Table, find_score

WIDTH = 100
CONTEXT = "Audio context"
# In printed order, and in the order in which they give way when a line would be too long.
COLUMNS = ("System", "WER, %", BASELINE_DELTA, "Size, MB", "RTFx", "Weights", CONTEXT)
GIVE_WAY = (CONTEXT, "Weights", BASELINE_DELTA, "RTFx", "Size, MB")
SHORT_TITLES = {BASELINE_DELTA: "Δ vs. baseline"}
SPEED = "RTFx: seconds of audio transcribed per second."


def text(results: Results) -> str:
    """Story, table, unmeasured corpora, rows left out, failed gates and claims, WIDTH wide."""
    full = headline_table(results)
    lost = [c for c in results["corpora"] if c["status"] != "measured"]
    lines = [line for told in results.get("story") or [] for line in _wrapped(told, "", "  ")]
    grid = _grid(results, full)
    note = f"{full.note} {SPEED}" if "RTFx" in grid[0] else full.note
    lines += ["", *grid, "", *_wrapped(note), *_left_out(results), ""]
    lines += [f"Corpus {c['name']} was not measured: {c.get('reason')}" for c in lost]
    lines += [f"FAILED: {gate['text']}" for gate in results["gates"] if not gate["passed"]]
    for claim in results["claims"]:
        lines += _wrapped(claim["text"], "* ", "  ")
    return "\n".join(lines).lstrip("\n") + "\n"


def _wrapped(words: str, first: str = "", following: str = "") -> list[str]:
    return textwrap.wrap(
        words, WIDTH, initial_indent=first, subsequent_indent=following,
        break_on_hyphens=False,
    )  # fmt: skip


def _left_out(results: Results) -> list[str]:
    """The systems outside the comparison with their WER, and why they are."""
    names = []
    for row in outside_rows(results):
        score = find_score(results, row["name"])
        rate = percent(score["wer"]["rate"]) if score and score["wer"] else NOT_MEASURED
        names.append(f"{row['name']} ({rate}\u00a0% WER)")
    return _wrapped(f"Outside the comparison: {listing(names)}. {RULE}") if names else []


def _grid(results: Results, full: Table) -> list[str]:
    """The table in at most WIDTH columns, unless the names of the systems alone take more.

    Where the audio contexts differ they are shown, and most differences to the baseline are not
    defined.
    """
    contexts = {row["context"] for row in shown_rows(results)}
    absent = BASELINE_DELTA if len(contexts) > 1 else CONTEXT
    titles = [title for title in COLUMNS if title != absent]
    for title in GIVE_WAY:
        if max(map(len, _aligned(full, titles))) > WIDTH:
            titles = [other for other in titles if other != title]
    return _aligned(full, titles)


def _aligned(table: Table, titles: Sequence[str]) -> list[str]:
    """The columns of these titles, aligned by padding."""
    chosen = [i for i, column in enumerate(table.columns) if column.title in titles]
    heads = [SHORT_TITLES.get(table.columns[i].title, table.columns[i].title) for i in chosen]
    cells = [heads] + [[row[i] for i in chosen] for row in table.rows]
    widths = [max(len(row[k]) for row in cells) for k in range(len(chosen))]
    right = [table.columns[i].numeric for i in chosen]
    return [
        "  ".join(
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
