"""Files that come with the package: training configurations, plans and the list of corpora.

They are package data, so they are found from any folder once a wheel is installed. In a checkout,
``configs/`` is a link to the same files.
"""

from importlib.resources import files
from pathlib import Path

from whisper_qat.errors import InputError, nearest

FOLDER = Path(str(files("whisper_qat"))) / "configs"
PLANS = FOLDER / "plans"
CORPORA = FOLDER / "corpora.yaml"


def shipped_names(folder: Path) -> list[str]:
    """List the names of the configurations (FOLDER) or plans (PLANS) that come with the package."""
    return [path.stem for path in sorted(folder.glob("*.yaml")) if path != CORPORA]


def find_config(text: str) -> Path:
    """Find a training configuration by its path or shipped name."""
    return _find(text, FOLDER, "--config", "configuration")


def find_plan(text: str | Path) -> Path:
    """Find a plan by its path or shipped name."""
    return _find(str(text), PLANS, "--plan", "plan")


def _find(text: str, folder: Path, flag: str, kind: str) -> Path:
    """Resolve a shipped name; anything that may be a path is returned unchanged.

    Errors in the file itself are reported by whoever reads it.
    """
    path, names = Path(text), shipped_names(folder)
    if path.exists() or path.suffix or len(path.parts) != 1:
        return path
    if text in names:
        return folder / f"{text}.yaml"
    raise InputError(
        f"{flag} {text}: no such file, and no {kind} of that name (there are "
        f"{', '.join(names)}){nearest(text, names)}"
    )
