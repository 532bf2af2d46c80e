"""The documents name what is there: files, modules, functions, targets, layers, dependencies."""

import ast
import re
import tomllib
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from tests.test_architecture import LAYERS
from whisper_qat.cli.program import COMMANDS

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "whisper_qat"
DOCS = ROOT / "docs"
GUIDES = sorted((DOCS / "guides").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")), *GUIDES]
# A word in backticks is a path of the repository when it begins like one or is a Python file;
# outputs and the user's own files are not.
FOLDERS = ("src/", "tests/", "scripts/", "configs/", "docs/", "study/", "examples/", ".ci/")
PLACEHOLDER = re.compile(r"[A-Z]{2,}|[<>{}$]|\.\.\.")
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
DESIGN = (DOCS / "design.md").read_text()
EXTENDING = (DOCS / "extending.md").read_text()
README = (ROOT / "README.md").read_text()


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def without_code_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def in_backticks(page: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", without_code_blocks(page.read_text()))


# --- names ----------------------------------------------------------------------------------------


def is_there(word: str, page: Path) -> bool:
    """Relative to the root, to the page's folder or to the package; `*` stands for any name."""
    places = (ROOT, page.parent, SRC)
    return any(next(place.glob(word.rstrip("/")), None) is not None for place in places)


def named_paths(page: Path) -> list[str]:
    words = [word.split(":")[0] for text in in_backticks(page) for word in text.split()]
    paths = [word for word in words if word.startswith(FOLDERS) or word.endswith(".py")]
    return [p for p in paths if not PLACEHOLDER.search(Path(p).stem) and not p.startswith("/")]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_path_in_backticks_exists(page):
    assert [path for path in named_paths(page) if not is_there(path, page)] == []


def test_paths_are_found():
    assert len(named_paths(DOCS / "design.md")) > 40


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_link_leads_somewhere(page):
    targets = re.findall(r"\]\(([^)\s]+)\)", without_code_blocks(page.read_text()))
    files = [t.split("#")[0] for t in targets if not t.startswith(("http", "#"))]
    assert [file for file in files if not (page.parent / file).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_module_in_backticks_can_be_imported(page):
    words = [word for text in in_backticks(page) for word in text.split()]
    modules = [word.strip("(),") for word in words if re.match(r"whisper_qat\.(?!json)", word)]
    assert [module for module in modules if not is_module_or_name(module)] == []


def is_module_or_name(dotted: str) -> bool:
    parts = dotted.split(".")
    path = ROOT / "src" / Path(*parts)
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    module = ROOT / "src" / Path(*parts[:-1]).with_suffix(".py")
    return module.is_file() and parts[-1] in symbols(module)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_target_of_make_exists(page):
    goals = re.findall(r"`make ([a-z][a-z0-9-]*)", page.read_text())
    assert [goal for goal in goals if goal not in TARGETS] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=name)
def test_a_subcommand_exists(page):
    calls = [re.match(r"whisper-qat ([a-z][a-z-]+)", span) for span in in_backticks(page)]
    assert {call[1] for call in calls if call} - COMMANDS.keys() == set()


def test_the_changelog_lists_the_subcommands():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert [command for command in COMMANDS if f"`{command}`" not in text] == []


@cache
def symbols(path: Path) -> set[str]:
    """Functions, classes, `Class.method`, methods and module-level names of a Python file."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.FunctionDef):
                    found |= {item.name, f"{node.name}.{item.name}"}
                elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    found.add(f"{node.name}.{item.target.id}")
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def steps(text: str) -> list[tuple[str, str, str]]:
    """Rows of three cells whose last two are a Python file and a name in it."""
    return re.findall(r"^\| (.+?) \| `(\S+\.py)` \| `(\S+)` \|$", text, re.MULTILINE)


def missing(rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    files = {row: next((p / row[1] for p in (SRC, ROOT) if (p / row[1]).is_file()), None)
             for row in rows}  # fmt: skip
    return [row for row, file in files.items() if file is None or row[2] not in symbols(file)]


# --- design ---------------------------------------------------------------------------------------


def test_functions_of_the_design_exist():
    rows = steps(DESIGN)
    assert len(rows) > 40
    assert missing(rows) == []


def test_tests_named_by_the_numerics_exist():
    rows = steps((DOCS / "numerics.md").read_text())
    assert len(rows) > 20
    assert missing(rows) == []


def test_the_picture_shows_the_layers():
    picture = re.search(r"## Layers\n\n```text\n(.*?)```", DESIGN, re.DOTALL)[1]
    lines = re.findall(r"^ *(\d+)  (\S+(?: {1,2}\S+)*) {3,}\S", picture, re.MULTILINE)
    drawn = {int(number): set(names.split()) for number, names in lines}
    assert drawn.pop(len(LAYERS)) == {"scripts/*.py"}
    assert drawn == dict(enumerate(LAYERS))


def test_every_package_of_the_library_has_a_layer():
    assert {p.parent.name for p in SRC.glob("*/__init__.py")} < set().union(*LAYERS)


def listed_dependencies() -> set[str]:
    table = DESIGN.split("## Dependencies")[1].split("## Glossary")[0]
    cells = re.findall(r"^\| ([\w., -]+) \|", table, re.MULTILINE)
    return {normal(word) for cell in cells for word in cell.split(", ")}


def normal(package: str) -> str:
    return package.strip().lower().replace("_", "-")


def test_every_dependency_has_its_line():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    declared = {normal(re.match(r"[\w.-]+", line)[0]) for line in lines}
    considered = {"torch", "transformers", "datasets", "accelerate", "optimum", "onnxruntime",
                  "jiwer", "evaluate", "librosa", "pyyaml"}  # fmt: skip
    listed = listed_dependencies()
    assert considered <= listed
    assert declared - listed - {"optimum-onnx"} == set()


# --- where to find and add things -----------------------------------------------------------------


def test_every_question_leads_to_one_file():
    index = EXTENDING.split("## Recipes")[0]
    questions = steps(index)
    assert len(questions) >= 20
    assert all(question.endswith("?") for question, _, _ in questions)
    assert len({question for question, _, _ in questions}) == len(questions)
    assert index.count("?") == len(questions), "a question without its file and name"
    assert missing(questions) == []


@pytest.mark.parametrize(
    "subject", ["scheme", "corpus", "normaliser", "runtime", "report column", "training option"]
)
def test_there_is_a_recipe(subject):
    recipes = EXTENDING.split("## Recipes")[1]
    assert re.search(rf"^### .*{subject}", recipes, re.MULTILINE)


# --- README ---------------------------------------------------------------------------------------

CONTRACT = [
    "make setup",
    "make data SOURCE=common-voice-fr ARCHIVE=",
    "make train-qat-int8",
    "scripts/convert_qat_to_quantized.py --model_path outputs/models/whisper-qat-int8/final "
    "--output_path outputs/models/whisper-qat-int8-quantized --quantization_type int8 "
    "--format onnx",
    "make evaluate-qat",
    "make quickstart",
    "make test",
]


def sentences(text: str) -> list[str]:
    """Sentences of the prose: no code, tables, headings or comments; links by their words."""
    prose = re.sub(r"<!--.*?-->", "", without_code_blocks(text), flags=re.DOTALL)
    lines = ["" if line.startswith(("#", "|")) else line for line in prose.splitlines()]
    blocks = re.split(r"\n\s*\n|\n(?=- )", "\n".join(lines))
    plain = [re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", " ".join(b.split())) for b in blocks]
    return [s for block in plain for s in re.split(r"(?<=[.!?])\s+", block) if s]


def test_sentences_are_told_apart():
    text = "# No\n\nOne two. [Three](a.md) four\nfive.\n- Six: 1.5 s.\n\n```\ncode. no\n```\n"
    assert sentences(text) == ["One two.", "Three four five.", "- Six: 1.5 s."]


def test_readme_is_short():
    lines = README.splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 100 and not line.startswith("|")] == []
    assert [s for s in sentences(README) if len(s.split()) > 35] == []


def test_readme_has_the_commands_of_the_contract():
    joined = " ".join(README.replace("\\\n", " ").split())
    assert [command for command in CONTRACT if command not in joined] == []


def test_readme_python_names_what_is_there():
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    tree = ast.parse(code)
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    named = [f"{node.module}.{alias.name}" for node in imports for alias in node.names]
    assert len(named) >= 2
    assert [name for name in named if not is_module_or_name(name)] == []
    methods = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    transcriber = SRC / "infer" / "transcribe.py"
    assert methods <= symbols(transcriber) | {"text"}
    assert "Transcription.text" in symbols(transcriber)
