"""once.sh and keep.sh: one run per settings, nothing deleted, the status passed on."""

import subprocess
from pathlib import Path

import pytest

from whisper_qat.runs.locks import folder_lock

SCRIPTS = Path(__file__).parents[2] / "scripts"


class Workplace:
    """A folder with a config and a fake training that counts its runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "a.yaml"
        self.config.write_text("rate: 1\n")
        (root / "train.sh").write_text(
            "mkdir -p out/model/final; echo run >> runs; echo $1 > out/model/final/manifest.json\n"
        )

    def once(self, *command: str) -> subprocess.CompletedProcess:
        manifest = "out/model/final/manifest.json"
        words = ["bash", SCRIPTS / "once.sh", "out/model", manifest, "a.yaml", "--", *command]
        return subprocess.run(words, cwd=self.root, capture_output=True, text=True)

    def train(self, *argv: str) -> subprocess.CompletedProcess:
        return self.once("bash", "train.sh", *argv)

    @property
    def runs(self) -> int:
        counted = self.root / "runs"
        return len(counted.read_text().splitlines()) if counted.exists() else 0

    @property
    def set_aside(self) -> list[Path]:
        return list((self.root / "out").glob("model.before-*"))


@pytest.fixture
def place(tmp_path):
    return Workplace(tmp_path)


def test_same_settings_run_once(place):
    assert [place.train("x").returncode for _ in range(2)] == [0, 0]
    assert place.runs == 1


def test_comment_in_the_config_is_no_change(place):
    place.train("x")
    place.config.write_text("# why\nrate: 1 # so\n\n".replace("\n\n", "\n"))
    place.train("x")
    assert (place.runs, place.set_aside) == (1, [])


@pytest.mark.parametrize("change", ["config", "command"])
def test_changed_settings_set_the_old_folder_aside(place, change):
    place.train("old")
    if change == "config":
        place.config.write_text("rate: 2\n")
    done = place.train("new" if change == "command" else "old")
    assert "settings changed; the earlier one is kept as" in done.stdout
    assert place.runs == 2
    assert (place.set_aside[0] / "final" / "manifest.json").read_text() == "old\n"


def test_unfinished_folder_is_gone_on_with(place):
    (place.root / "out" / "model" / "checkpoints").mkdir(parents=True)
    assert place.once("false").returncode == 1
    assert (place.root / "out" / "model" / "checkpoints").is_dir()
    assert place.set_aside == []


def test_status_is_passed_on_and_the_folder_kept(place):
    (place.root / "fail.sh").write_text("mkdir -p out/model/checkpoints; exit 130\n")
    done = place.once("bash", "fail.sh")
    assert done.returncode == 130
    assert "run the same command again to go on" in done.stdout
    assert (place.root / "out" / "model" / "checkpoints").is_dir()


def test_folder_made_by_hand_is_left_to_the_command(place):
    folder = place.root / "out" / "model"
    folder.mkdir(parents=True)
    (folder / "mine").touch()
    place.train("x")
    assert (folder / "mine").exists()
    assert place.set_aside == []


def test_folder_in_use_is_not_moved(place):
    place.train("x")
    place.config.write_text("rate: 2\n")
    with folder_lock(place.root / "out" / "model"):
        done = place.train("x")
    assert done.returncode == 2
    assert "in use by another process" in done.stderr
    assert (place.runs, place.set_aside) == (1, [])


def test_keep_rewrites_only_what_changed(tmp_path):
    def keep(*argv: str) -> int:
        subprocess.run(["bash", SCRIPTS / "keep.sh", "a/b.args", *argv], cwd=tmp_path, check=True)
        return (tmp_path / "a" / "b.args").stat().st_mtime_ns

    first = keep("--num_epochs", "3")
    assert keep("--num_epochs", "3") == first
    assert keep("--num_epochs", "4") > first
    assert keep() > first


def test_a_command_that_stops_early_leaves_no_manifest(place):
    """As `--dry_run` does, beside a final/ that an interrupted training has begun."""
    (place.root / "out" / "model" / "final").mkdir(parents=True)
    assert place.once("true").returncode == 0
    assert not (place.root / "out" / "model" / "final" / "manifest.json").exists()
    assert place.train("x").returncode == 0 and place.runs == 1
