"""The repository keeps its promises: files tracked, configs load, every command exists."""

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from packaging.requirements import Requirement

from whisper_qat import shipped
from whisper_qat.cli.parsing import parse
from whisper_qat.model.plan.rules_file import read_rules_file
from whisper_qat.runs.setting_groups import settings_of

ROOT = Path(__file__).parents[1]
SOURCE_FOLDERS = ("src", "tests", "scripts", "docs", "examples", ".ci")
SCRIPTS = {p.name: p for p in sorted((ROOT / "scripts").glob("*.py"))}
TASK_SCRIPTS = [p for p in SCRIPTS.values() if "whisper_qat.cli.command" in p.read_text()]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
PLANS = sorted((ROOT / "configs" / "plans").glob("*.yaml"))
TRAINING = [p for p in CONFIGS if "base_model" in p.read_text()]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "data/README.md",
                                  "outputs/README.md")]  # fmt: skip
MAKE_WORD = re.compile(r"[a-z][a-z0-9-]*$")


def git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"git {' '.join(words)}: {done.stderr}")
    return done.stdout.splitlines()


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def config_class(script: Path) -> type:
    """The configuration that a script hands to ``main``."""
    call = ast.walk(ast.parse(script.read_text()))
    names = [n.args[0].id for n in call if isinstance(n, ast.Call) and n.args and is_main(n)]
    assert len(names) == 1, f"{script.name}: expected one call main(Config, run)"
    return getattr(load(script), names[0])


def flags_of(script: Path) -> set[str]:
    return {setting.name for setting in settings_of(config_class(script))}


def is_main(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "main"


# --- files -------------------------------------------------------------------------------------


def test_every_source_file_is_tracked():
    tracked = set(git("ls-files"))
    found = [
        name(path)
        for folder in SOURCE_FOLDERS
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path)
    ]
    assert len(found) > 30
    assert [path for path in found if path not in tracked] == []


def test_nothing_that_is_made_is_tracked():
    made = [p for p in git("ls-files", "data", "outputs") if not p.endswith("/README.md")]
    assert made == []
    assert len(git("ls-files", "data", "outputs")) == 2


def test_ignore_patterns_are_anchored():
    lines = (ROOT / ".gitignore").read_text().splitlines()
    patterns = [line for line in lines if line and line[0] not in "#!"]
    anywhere = {"__pycache__/", "*.pyc"}
    assert patterns
    assert [p for p in patterns if not p.startswith("/") and p not in anywhere] == []
    assert {"/data/*", "/outputs/*"} <= set(patterns)


def test_no_large_file_is_tracked():
    assert [p for p in git("ls-files") if (ROOT / p).stat().st_size > 1_000_000] == []


# --- configs -----------------------------------------------------------------------------------


def test_configs_are_a_link_to_the_package_data():
    assert (ROOT / "configs").is_symlink()
    assert (ROOT / "configs").resolve() == shipped.FOLDER.resolve()


def test_configs_are_found():
    assert {p.stem for p in TRAINING} >= {
        "qat_int8",
        "qat_int8_extended",
        "qat_int4",
        "quickstart",
    }
    assert {p.stem for p in PLANS} >= {"ggml_q4_0", "ggml_q8_0", "int8_dynamic"}


@pytest.mark.parametrize("path", CONFIGS, ids=name)
def test_config_is_a_mapping(path):
    assert isinstance(yaml.safe_load(path.read_text()), dict)


@pytest.mark.parametrize("path", PLANS, ids=name)
def test_plan_is_rules(path):
    assert read_rules_file(path)


@pytest.mark.parametrize("path", TRAINING, ids=name)
def test_training_config_loads(path):
    parse(config_class(SCRIPTS["train_qat.py"]), ["--config", str(path)])


@pytest.mark.parametrize(
    ("stem", "epochs", "rate", "batch", "samples"),
    [
        ("qat_int8", 5, 5e-6, (8, 4), 60_000),
        ("qat_int8_extended", 10, 5e-6, (8, 4), 120_000),
        ("qat_int4", 15, 3e-6, (2, 16), 60_000),
    ],
)
def test_the_missions_values(stem, epochs, rate, batch, samples):
    found = yaml.safe_load((ROOT / "configs" / f"{stem}.yaml").read_text())
    assert found["base_model"] == "bofenghuang/whisper-large-v3-distil-fr-v0.2"
    assert (found["num_epochs"], found["learning_rate"]) == (epochs, rate)
    pair = (found["per_device_batch_size"], found["gradient_accumulation_steps"])
    assert (pair, found["max_samples"]) == (batch, samples)


# --- scripts -----------------------------------------------------------------------------------


def test_scripts_are_found():
    assert {"train_qat.py", "convert_qat_to_quantized.py", "evaluate_qat.py"} <= SCRIPTS.keys()


@pytest.mark.parametrize("path", TASK_SCRIPTS, ids=name)
def test_script_is_thin_and_shows_a_command(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 25
    assert f"scripts/{path.name}" in (ast.get_docstring(ast.parse(text)) or "")
    assert flags_of(path)


# --- pages -------------------------------------------------------------------------------------


def commands(page: Path) -> list[list[str]]:
    """The words of each command line in the page's code blocks, continued lines joined."""
    fenced = re.findall(r"```(\w*)\n(.*?)```", page.read_text(), re.DOTALL)
    blocks = [text for language, text in fenced if language in ("", "bash", "sh")]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split("#")[0].split() for line in lines if line.split("#")[0].strip()]


def every_command() -> list[list[str]]:
    return [words for page in PAGES for words in commands(page)]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_pages_have_commands():
    assert len(every_command()) >= 8


@pytest.mark.parametrize("words", [w for w in every_command() if w[0] == "make"], ids=" ".join)
def test_make_command_of_a_page_exists(words):
    goals = [word for word in words[1:] if MAKE_WORD.match(word)]
    assert goals
    assert set(goals) <= make_targets()
    text = (ROOT / "Makefile").read_text()
    settings = [word.split("=")[0] for word in words[1:] if re.match(r"[A-Z_]+=", word)]
    assert [s for s in settings if f"{s} ?=" not in text] == []


@pytest.mark.parametrize(
    "words", [w for w in every_command() if any("scripts/" in x for x in w)], ids=" ".join
)
def test_script_command_of_a_page_exists(words):
    script = next(Path(word) for word in words if word.startswith("scripts/"))
    assert script.name in SCRIPTS
    flags = [word.split("=")[0] for word in words if word.startswith("--")]
    known = {f"--{name}" for name in flags_of(ROOT / script)}
    own = words[words.index(str(script)) :]
    assert {flag for flag in flags if flag in own} - known <= {"--config"}


def test_makefile_calls_scripts_and_flags_that_exist():
    lines = (ROOT / "Makefile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    called = set(re.findall(r"scripts/(\w+\.py)", text))
    assert called <= SCRIPTS.keys()
    known = {name for path in TASK_SCRIPTS for name in flags_of(path)}
    flags = set(re.findall(r"--([a-z]+(?:_[a-z]+)*)\b(?!-)", text))
    assert flags - known <= {"config", "check", "prefix"}


def test_every_target_has_a_line_of_help():
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*?)[^\\]$", text, re.MULTILINE | re.DOTALL)[0]
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    goals = [word for word in phony.replace("\\", " ").split()[1:] if word != "FORCE"]
    assert len(goals) >= 15
    assert [goal for goal in goals if not re.search(rf"^  {goal} ", listed, re.MULTILINE)] == []


# --- dependencies ------------------------------------------------------------------------------


def declared(*extras: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"]]
    lines += [line for extra in extras for line in project["optional-dependencies"][extra]]
    return {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in lines}


def test_lock_lies_within_the_declared_ranges():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pairs = dict(line.split("==") for line in lines if not line.startswith("#"))
    locked = {name.lower().replace("_", "-"): version for name, version in pairs.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    ranges = [Requirement(r) for r in [*project["dependencies"], *extras["dev"], *extras["bench"]]]
    outside = []
    for wanted in ranges:
        found = locked.get(wanted.name.lower().replace("_", "-"))
        if wanted.name != "torch" and (found is None or found not in wanted.specifier):
            outside.append(f"{wanted}: {found}")
    assert outside == []


def imported(folder: str) -> set[str]:
    found = set()
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    own = {"whisper_qat", "tests", "setup_env"}
    return found - set(sys.stdlib_module_names) - own


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("src", []), ("scripts", ["dev"]), ("examples", []), ("tests", ["dev", "bench"])],
)
def test_every_import_is_declared(folder, extras):
    packages = importlib.metadata.packages_distributions()
    by_import = {name: {d.lower().replace("_", "-") for d in packages[name]} for name in packages}
    names = {name for name in imported(folder) if name != "optimum"}  # has its own environment
    assert {n for n in names if not by_import.get(n, {n}) & declared(*extras)} == set()


# --- the project speaks of itself alone --------------------------------------------------------


# Every host the project sends anyone to: torch's CPU wheels, data, weights, licences.
HOSTS = {
    "download.pytorch.org",
    "huggingface.co",
    "www.openslr.org",
    "commonvoice.mozilla.org",
    "github.com",
    "arxiv.org",
    "www.apache.org",
    "www.w3.org",
}


def tracked_text() -> dict[str, str]:
    files = [path for path in git("ls-files") if (ROOT / path).is_file()]  # configs/ is a link
    return {path: (ROOT / path).read_text(errors="ignore") for path in files}


def test_only_known_hosts_are_named():
    found = {
        (path, host)
        for path, text in tracked_text().items()
        for host in re.findall(r"https?://([\w.-]+)", text)
    }
    assert {(path, host) for path, host in found if host not in HOSTS} == set()


def test_no_path_of_one_machine_is_named():
    # Written in pieces, so that this file does not find itself.
    words = ["/" + "work/", "/opt/" + "pypi", "/" + "root/", "/" + "home/"]
    hits = [(path, w) for path, text in tracked_text().items() for w in words if w in text]
    assert hits == []


def test_lock_names_versions_only():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 50
    assert [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.+!-]+", line)] == []
    assert not [line for line in pins if line.startswith(("torch==", "nvidia", "triton"))]
