"""The guides: their form and length, and no command, flag, default, path or link that is wrong."""

import ast
import re
from functools import cache
from pathlib import Path

import jsonargparse
import pytest

from tests.test_repository import ROOT, SCRIPTS, config_class, make_targets
from whisper_qat.cli.flags import build_parser
from whisper_qat.cli.flags import shown_default as default_of
from whisper_qat.runs.setting_groups import settings_of

FOLDER = ROOT / "docs" / "guides"
NAMES = (
    "install", "data", "train", "convert", "evaluate", "transcribe", "benchmark", "plans",
    "few-bits", "runtimes", "troubleshooting",
)  # fmt: skip
GUIDES = [FOLDER / f"{name}.md" for name in NAMES]
PAGES = [*GUIDES, FOLDER / "README.md"]
FEWEST_WORDS, MOST_WORDS = 300, 700
LONGEST_LINE = 100
# Subcommand of `whisper-qat` -> the script that calls the same code.
SCRIPT_OF = {
    "train": "train_qat.py",
    "convert": "convert_qat_to_quantized.py",
    "evaluate": "evaluate_qat.py",
    "pool": "pool_evaluations.py",
    "transcribe": "transcribe.py",
    "prepare-data": "prepare_data.py",
    "quantize": "quantize_ptq.py",
    "benchmark": "benchmark.py",
    "benchmark-growth": "benchmark_growth.py",
    "benchmark-train": "benchmark_train.py",
    "recommend": "recommend.py",
    "inspect": "inspect_model.py",
    "sensitivity": "analyze_sensitivity.py",
    "import": "import_ctranslate2.py",
    "profile": "profile_graphs.py",
}
GENERAL = {"--config", "--help", "--version", "--quiet", "--verbose"}  # of every command
PROGRAM = re.compile(r"(?:^|/)whisper-qat$")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```\n?", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FLAG = re.compile(r"(?<![\w-])--[a-z]\w*(?:-\w+)*")
TRACKED = re.compile(r"(?:configs|docs|examples|scripts|src|study|tests)/[\w./-]+")
GAP = "…"  # stands in a quoted message for what differs
PRIVATE_WORDS = re.compile(r"\b(?:hears?|heard|listens?|missions?|one making|telegram)\b", re.I)


@pytest.fixture(params=GUIDES, ids=lambda path: path.stem)
def guide(request) -> Path:
    return request.param


@pytest.fixture(params=PAGES, ids=lambda path: path.stem)
def page(request) -> Path:
    return request.param


# --- reading a page ----------------------------------------------------------------------------


def outside_code(text: str) -> str:
    """The page without its code blocks; every other line keeps its own length."""
    return FENCE.sub("", text)


def count_words(text: str) -> int:
    """Words outside code blocks, tables included; a quoted command or message counts as one."""
    words = SPAN.sub("quoted", outside_code(text)).split()
    return sum(1 for word in words if re.search(r"\w", word))


def blocks(text: str, *languages: str) -> list[str]:
    return [body for language, body in FENCE.findall(text) if language in languages]


def command_lines(path: Path) -> list[list[str]]:
    """The words of each command line of a page, continued lines joined, comments left out."""
    text = "\n".join(blocks(path.read_text(), "bash")).replace("\\\n", " ")
    lines = [re.sub(r"(^|\s)#.*", "", line).split() for line in text.splitlines()]
    return [words for words in lines if words]


def script_of(words: list[str]) -> Path | None:
    """The script that a command line runs, by its path or as a subcommand; None for others."""
    for number, word in enumerate(words):
        if PROGRAM.search(word):
            following = words[number + 1]
            if following.startswith("--"):
                return None
            assert following in SCRIPT_OF, f"whisper-qat {following}"
            return ROOT / "scripts" / SCRIPT_OF[following]
        if word.startswith("scripts/") and word.endswith(".py"):
            assert Path(word).name in SCRIPTS, word
            return ROOT / word
    return None


@cache
def parser(script: Path) -> jsonargparse.ArgumentParser:
    return build_parser(config_class(script))


def flags(script: Path) -> set[str]:
    return set(FLAG.findall(parser(script).format_help())) | GENERAL


def scripts_of(path: Path) -> list[Path]:
    found = [script_of(words) for words in command_lines(path)]
    return list(dict.fromkeys(script for script in found if script is not None))


def shown_default(script: Path, flag: str) -> str:
    """A default as the tables write it: none, true, false, or the value."""
    settings = {f"--{setting.name}": setting for setting in settings_of(config_class(script))}
    return default_of(settings[flag]) or "none"


def settings(path: Path) -> list[tuple[str, str]]:
    """(flag, default) of each row of the page's tables of settings, one flag a row."""
    rows = re.findall(r"^\| `(--\w+)`[^|]*\| ([^|]+) \|", path.read_text(), re.MULTILINE)
    return [(flag, default.strip("` ")) for flag, default in rows]


# --- form --------------------------------------------------------------------------------------


def test_the_guides_are_these():
    assert {path.name for path in FOLDER.glob("*.md")} == {path.name for path in PAGES}


def test_guide_has_300_to_700_words(guide):
    assert FEWEST_WORDS <= count_words(guide.read_text()) <= MOST_WORDS


def test_words_are_counted_without_code():
    text = "# One two\n\n```bash\nmake all of it\n```\n\nthree `a message of many words` five\n"
    assert count_words(text) == 5


def test_guide_begins_with_the_command(guide):
    title, text = guide.read_text().split("\n\n", 1)
    assert re.fullmatch(r"# [A-Z].+", title)
    assert text.startswith("```bash\n")


def test_lines_have_at_most_100_characters(page):
    lines = outside_code(page.read_text()).splitlines()
    plain = [line for line in lines if not line.startswith("|") and "://" not in line]
    assert [line for line in plain if len(line) > LONGEST_LINE] == []


def test_code_has_lines_of_at_most_100_characters(page):
    lines = [line for _, body in FENCE.findall(page.read_text()) for line in body.splitlines()]
    assert [line for line in lines if len(line) > LONGEST_LINE] == []


def test_private_words_are_absent(page):
    assert PRIVATE_WORDS.findall(outside_code(page.read_text())) == []


def test_guide_tells_the_exit_status(guide):
    assert re.search(r"[Ee]xit\s+status", guide.read_text())


def test_index_has_one_line_for_each_guide():
    links = re.findall(
        r"^- \[[^]]+\]\(([\w-]+)\.md\): .+", (FOLDER / "README.md").read_text(), re.M
    )
    assert links == list(NAMES)


# --- commands ----------------------------------------------------------------------------------


def test_guide_shows_the_program_and_a_script_or_target(guide):
    lines = command_lines(guide)
    assert any(PROGRAM.search(word) for words in lines for word in words)
    assert any(words[0] == "make" or "scripts/" in " ".join(words) for words in lines)


def test_flags_of_commands_exist(page):
    unknown = []
    for words in command_lines(page):
        script = script_of(words)
        if script is not None:
            given = {word.split("=")[0] for word in words if word.startswith("--")}
            launcher = {"--num_processes"} if "launch" in words else set()
            unknown += sorted(given - flags(script) - launcher)
    assert unknown == []


def test_flags_in_text_exist(page):
    named = set(FLAG.findall(" ".join(SPAN.findall(outside_code(page.read_text())))))
    known = {flag for words in SCRIPT_OF.values() for flag in flags(ROOT / "scripts" / words)}
    assert named - known == set()


def test_defaults_in_tables_are_those_of_the_program(guide):
    wrong = []
    for flag, default in settings(guide):
        having = [script for script in scripts_of(guide) if flag in flags(script)]
        assert having, f"{flag}: no command of the page has it"
        found = {shown_default(script, flag) for script in having}
        if default not in found and not (default == "required" and "none" in found):
            wrong.append(f"{flag}: {default}, not {' or '.join(sorted(found))}")
    assert wrong == []


def test_settings_are_found():
    assert sum(len(settings(path)) for path in GUIDES) >= 50


def test_make_targets_and_settings_exist(page):
    text = page.read_text()
    lines = [words for words in command_lines(page) if "make" in words]
    lines += [span.split() for span in SPAN.findall(outside_code(text)) if span.startswith("make ")]
    makefile = (ROOT / "Makefile").read_text()
    for words in lines:
        if "-f" in words:
            continue
        after = re.sub(r"'[^']*'|\"[^\"]*\"", "VALUE", " ".join(words[words.index("make") + 1 :]))
        names = [w.split("=")[0] for w in after.split() if re.match(r"[A-Z_]+=", w)]
        goals = [w for w in after.split() if re.fullmatch(r"[a-z][a-z0-9-]*", w)]
        assert set(goals) <= make_targets(), words
        assert [n for n in names if not re.search(rf"^{n} \?=", makefile, re.M)] == []


# --- messages ----------------------------------------------------------------------------------


def texts_of_the_code() -> list[str]:
    """Every string of the sources with `…` for what is filled in, and the Makefile's text."""
    found = [(ROOT / "Makefile").read_text()]
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [v.value if isinstance(v, ast.Constant) else GAP for v in node.values]
                found.append(re.sub(f"{GAP}+", GAP, "".join(parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_messages_are_those_of_the_code():
    text = (FOLDER / "troubleshooting.md").read_text()
    cells = re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
    messages = [span for cell in cells for span in SPAN.findall(cell)]
    messages += [span for span in SPAN.findall(outside_code(text)) if GAP in span and span != GAP]
    known = texts_of_the_code()
    wrong = [m for m in messages if not any(m.strip(GAP) in text for text in known)]
    assert len(messages) >= 30
    assert wrong == []


# --- paths and links ---------------------------------------------------------------------------


def test_paths_exist(page):
    named = {path.rstrip("./") for path in TRACKED.findall(page.read_text())}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def anchors(path: Path) -> set[str]:
    """The anchors of a Markdown page: GitHub's of its headings, and those written as `<a id>`."""
    text = outside_code(path.read_text())
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
    return made | set(re.findall(r'<a id="([^"]+)">', text))


def test_links_lead_somewhere(page):
    for link in LINK.findall(outside_code(page.read_text())):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
