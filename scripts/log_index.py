"""Write the table of docs/log/README.md from the entries: python scripts/log_index.py   (--check).

An entry is docs/log/DATE-TOPIC.md: a title, the fields Date, Commit, Question and Status, and the
sections Command, Result and Conclusion. The first paragraph of the conclusion is one sentence; the
table shows it. With --check nothing is written, and exit status 1 says that the table is stale.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

LOG = Path(__file__).resolve().parents[1] / "docs" / "log"
FIELDS = ("Date", "Commit", "Question", "Status")
SECTIONS = ("Command", "Result", "Conclusion")
FIELD = re.compile(r"^- \*\*(\w+):\*\* (.+(?:\n  .+)*)", re.MULTILINE)
STATUS = re.compile(r"stands|superseded by (?P<link>\[(?P<title>.+)\]\((?P<file>\S+\.md)\)) — \S.*")
HEAD = "| date | entry | conclusion | status |\n|---|---|---|---|\n"


@dataclass(frozen=True)
class Entry:
    """One log entry: the fields that the table and the tests need."""

    name: str
    title: str
    note: str  # the text between the title and the fields: what overturned the entry
    date: str
    status: re.Match[str]
    conclusion: str

    def row(self) -> str:
        cells = [self.date, f"[{self.title}]({self.name})", self.conclusion, self.status[0]]
        return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"


def joined(text: str) -> str:
    return " ".join(text.split())


def read(path: Path) -> Entry:
    """Read one entry; ValueError names what is missing in its file."""
    head, *parts = re.split(r"^## (.+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    title, _, rest = head.partition("\n")
    fields = {name: joined(text) for name, text in FIELD.findall(rest)}
    sections = dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
    missing = [name for name in FIELDS if not fields.get(name)]
    missing += [name for name in SECTIONS if not sections.get(name)]
    status = STATUS.fullmatch(fields.get("Status", ""))
    if missing or status is None or not title.startswith("# "):
        wrong = f"lacks {', '.join(missing)}" if missing else "has no title or no known status"
        raise ValueError(f"{path.name} {wrong}")
    note = joined(rest.partition("- **")[0])
    conclusion = joined(sections["Conclusion"].split("\n\n")[0])
    return Entry(path.name, title[2:], note, fields["Date"], status, conclusion)


def entries(folder: Path) -> list[Entry]:
    """All entries, newest day first, the topics of a day in alphabetical order."""
    found = [read(path) for path in sorted(folder.glob("*.md")) if path.name != "README.md"]
    return sorted(found, key=lambda entry: entry.date, reverse=True)


def main(argv: list[str] | None = None, folder: Path = LOG) -> int:
    """Write the table again and keep the text above it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare: 1 if stale")
    check = parser.parse_args(argv).check
    index = folder / "README.md"
    old = index.read_text(encoding="utf-8")
    above = old.partition(HEAD)[0]
    new = above + HEAD + "".join(entry.row() for entry in entries(folder))
    if check and new != old:
        print(f"{index} is stale: run python scripts/log_index.py", file=sys.stderr)
        return 1
    if not check:
        index.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
