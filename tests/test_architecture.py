"""The shape of the library, as rules: who may import whom, how long, how heavy."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"
TESTS = Path(__file__).parent
PACKAGE = "whisper_qat"
# Low to high; names on one line may not import each other (`docs/design.md` has the picture).
LAYERS = [
    {"errors", "front_end"},
    {"runs", "shipped"},
    {"quant", "metrics"},
    {"data", "model"},
    {"export", "infer"},
    {"parity", "ptq", "train"},
    {"measure"},
    {"report", "sensitivity"},
    {"tasks"},
    {"cli"},
    {"__main__"},
]
RANK = {name: i for i, names in enumerate(LAYERS) for name in names}
HEAVY = {"torch", "onnxruntime", "transformers"}
LIGHT = ["errors", "front_end", "runs", "shipped", "metrics", "report", "cli", "__main__"]
VAGUE = {"utils", "util", "common", "helpers", "misc", "base", "manager"}
# Nine of ten functions and files are short; a long one is allowed where cutting it helps no reader.
FUNCTION_LINES = {"p90": 25, "longest": 80}
FILE_LINES = {"p90": 250, "longest": 400}
NOT_PACKAGES = {"oracles", "scripts"}  # folders of tests of what is not in the package
MODULES = sorted(p for p in (SRC / PACKAGE).rglob("*.py") if p.name != "__init__.py")


def short(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


def imports(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append("." * node.level if node.level else node.module)
    return found


def functions(tree: ast.AST) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def code_length(function: ast.FunctionDef) -> int:
    """Lines without decorators and docstring."""
    start = function.body[0]
    if ast.get_docstring(function) and len(function.body) > 1:
        start = function.body[1]
    return function.end_lineno - start.lineno + 2


def test_modules_are_found():
    assert len(MODULES) >= 5


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_imports_point_down(path):
    tree = ast.parse(path.read_text())
    package = path.relative_to(SRC / PACKAGE).with_suffix("").parts[0]
    for name in imports(tree):
        assert not name.startswith("."), f"relative import {name!r}"
        assert name != PACKAGE, "import from the module, not from the package root"
        if name.startswith(PACKAGE + "."):
            other = name.split(".")[1]
            assert other == package or RANK[other] < RANK[package], f"{package} imports {other}"
    local = [name for function in functions(tree) for name in imports(function)]
    assert not [n for n in local if n.startswith(PACKAGE)], "import inside a function hides a cycle"


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_module_says_what_it_is_and_is_tested(path):
    parts = path.relative_to(SRC / PACKAGE).with_suffix("").parts
    assert ast.get_docstring(ast.parse(path.read_text())), "a module says in one line what it is"
    assert not VAGUE & set(parts), "a file is named by its concept"
    folder, module = TESTS / Path(*parts[:-1]), ".".join((PACKAGE, *parts))
    named = (folder / f"test_{parts[-1].strip('_')}.py").exists()
    assert named or any(module in imported(test) for test in folder.glob("test_*.py")), "untested"


def imported(path: Path) -> set[str]:
    """Modules that a file imports, and every `module.name` of its from-imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_test_folders_mirror_the_packages():
    packages = {path.parent.relative_to(SRC / PACKAGE) for path in MODULES}
    missing = [p for p in packages if not list((TESTS / p).glob("test_*.py"))]
    assert not missing, "a package without a test package of its name"
    assert all((TESTS / p / "__init__.py").exists() for p in packages if p != Path())


def test_every_test_file_lies_with_the_package_that_it_tests():
    modules = {path.relative_to(SRC / PACKAGE).with_suffix("") for path in MODULES}
    for path in sorted(TESTS.rglob("test_*.py")):
        place = path.relative_to(TESTS)
        if place.parent == Path() or place.parts[0] in NOT_PACKAGES:
            continue
        package = ".".join(place.parent.parts)
        own = (f"{PACKAGE}.{package}.", f"tests.{package}.")
        is_named = place.parent / place.stem.removeprefix("test_") in modules
        assert is_named or any(name.startswith(own) for name in imported(path)), place


def test_functions_and_files_are_short():
    texts = {short(path): path.read_text() for path in MODULES}
    lengths = {
        f"{name}: {function.name}": code_length(function)
        for name, text in texts.items()
        for function in functions(ast.parse(text))
    }
    check_lengths(lengths, FUNCTION_LINES)
    check_lengths({name: len(text.splitlines()) for name, text in texts.items()}, FILE_LINES)


def check_lengths(lengths: dict[str, int], limits: dict[str, int]) -> None:
    longest = sorted(lengths, key=lengths.__getitem__)
    assert lengths[longest[int(0.9 * len(longest))]] <= limits["p90"]
    assert lengths[longest[-1]] <= limits["longest"], longest[-1]


def test_package_files_are_empty():
    filled = [short(p) for p in (SRC / PACKAGE).rglob("__init__.py") if p.read_text().strip()]
    assert not filled


def test_decoding_knows_no_runtime():
    path = SRC / PACKAGE / "infer" / "decoding" / "greedy.py"
    heavy = {name.split(".")[0] for name in imports(ast.parse(path.read_text()))} & HEAVY
    assert not heavy


def test_only_the_training_loop_knows_accelerate():
    users = [short(p) for p in MODULES if uses(p, "accelerate")]
    # The tasks make the Accelerator, because which process loads what is decided before the loop.
    names = ("train/train_qat", "train/parts", "benchmark/train_speed")
    tasks = {f"{PACKAGE}/tasks/{name}.py" for name in names}
    assert set(users) <= {f"{PACKAGE}/train/loop.py", *tasks}


def uses(path: Path, library: str) -> bool:
    return library in {name.split(".")[0] for name in imports(ast.parse(path.read_text()))}


def light_modules() -> list[str]:
    paths = [p for p in MODULES if p.relative_to(SRC / PACKAGE).with_suffix("").parts[0] in LIGHT]
    return [short(p).removesuffix(".py").replace("/", ".") for p in paths]


def test_the_program_lists_its_commands_without_loading_a_task():
    code = "import sys\nfrom whisper_qat.cli.program import main\nmain(['--help'])\n"
    code += "loaded = [n for n in sys.modules if n.startswith('whisper_qat.tasks')]\n"
    code += f"assert not loaded + sorted({HEAVY} & set(sys.modules)), loaded"
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True)


def test_light_layers_do_not_load_torch():
    code = f"import sys, importlib\nfor n in {light_modules()}: importlib.import_module(n)\n"
    code += f"loaded = {HEAVY} & set(sys.modules)\nassert not loaded, loaded"
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
