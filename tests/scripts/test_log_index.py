"""The log keeps its form: entries are whole, links lead somewhere, the index says what they say."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOG = ROOT / "docs" / "log"
FILES = sorted(path for path in LOG.glob("*.md") if path.name != "README.md")
LONGEST_LINE = 100


def load():
    spec = importlib.util.spec_from_file_location("log_index", ROOT / "scripts" / "log_index.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


log_index = load()


def name(path: Path) -> str:
    return path.name


# --- the entries of this repository -------------------------------------------------------------


def test_entries_are_found():
    assert len(FILES) > 50


@pytest.mark.parametrize("path", FILES, ids=name)
def test_entry_has_every_field(path):
    entry = log_index.read(path)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry.date)
    assert path.name.startswith(f"{entry.date}-")
    assert re.search(r"^- \*\*Commit:\*\* [0-9a-f]{7,40}$", path.read_text(), re.MULTILINE)
    assert entry.conclusion.endswith(".")


def test_superseded_entries_say_so_first_and_name_a_later_one():
    for entry in log_index.entries(LOG):
        superseded = entry.status["link"] is not None
        assert entry.note.startswith("Superseded") == superseded, entry.name
        if superseded:
            later = log_index.read(LOG / entry.status["file"])
            assert later.title == entry.status["title"], entry.name
            assert later.name != entry.name
            assert later.date >= entry.date, entry.name


def test_links_lead_to_files():
    found = []
    for path in [*FILES, LOG / "README.md"]:
        text = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(), flags=re.DOTALL)
        found += [(path, x.split("#")[0]) for x in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [(path, target) for path, target in found if not target.startswith("http")]
    assert len(local) > len(FILES)
    broken = [(path.name, x) for path, x in local if not (path.parent / x).is_file()]
    assert broken == []


def test_lines_are_short():
    long = []
    for path in [*FILES, LOG / "README.md"]:
        text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
        lines = [re.sub(r"https?://\S+", "", line) for line in text.splitlines()]
        long += [x for x in lines if len(x) > LONGEST_LINE and not x.startswith("|")]
    assert long == []


def test_index_is_not_stale():
    assert log_index.main(["--check"]) == 0


# --- the script ---------------------------------------------------------------------------------

WHOLE = """# It is faster

- **Date:** 2026-01-02
- **Commit:** abc1234
- **Question:** Is it
  faster?
- **Status:** stands

## Command

not recorded

## Result

Twice | as fast.

## Conclusion

It is | faster
by half.

More.
"""
LINK = "superseded by [It is faster](2026-01-02-faster.md) — measured again"
SAID = r"It is \| faster by half."


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "README.md").write_text("# Log\n\n")
    (tmp_path / "2026-01-02-faster.md").write_text(WHOLE)
    return tmp_path


def test_index_has_a_row_per_entry_newest_first(folder):
    older = WHOLE.replace("2026-01-02\n", "2025-12-31\n").replace("stands", LINK)
    (folder / "2025-12-31-older.md").write_text(older)
    assert log_index.main([], folder) == 0
    head, *rows = (folder / "README.md").read_text().split(log_index.HEAD)
    assert head == "# Log\n\n"
    assert rows[0].splitlines() == [
        rf"| 2026-01-02 | [It is faster](2026-01-02-faster.md) | {SAID} | stands |",
        rf"| 2025-12-31 | [It is faster](2025-12-31-older.md) | {SAID} | {LINK} |",
    ]


def test_check_writes_nothing_and_fails_when_stale(folder, capsys):
    assert log_index.main(["--check"], folder) == 1
    assert "stale" in capsys.readouterr().err
    assert (folder / "README.md").read_text() == "# Log\n\n"
    log_index.main([], folder)
    assert log_index.main(["--check"], folder) == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("- **Commit:** abc1234\n", "", "lacks Commit"),
        ("  faster?", "", None),
        ("## Result", "## Results", "lacks Result"),
        ("not recorded", "", "lacks Command"),
        ("stands", "stands mostly", "status"),
        ("stands", LINK.split(" — ")[0], "status"),
        ("# It is", "It is", "title"),
    ],
)
def test_incomplete_entry_is_named(folder, old, new, said):
    path = folder / "2026-01-02-faster.md"
    path.write_text(WHOLE.replace(old, new, 1))
    if said is None:
        assert log_index.read(path).title == "It is faster"
        return
    with pytest.raises(ValueError, match=f"2026-01-02-faster.md .*{said}"):
        log_index.read(path)
