"""The preflight: what it says of a run, and what it refuses before step 1."""

import json
import shutil
from collections import namedtuple

import pytest

from tests.tasks.tiny_speech import save_tiny_speech
from tests.tasks.train_configs import train_config
from tests.tiny_whisper import make_english_only
from whisper_qat.errors import InputError
from whisper_qat.runs.setting_groups import changed
from whisper_qat.tasks.train.train_qat import run


@pytest.fixture
def config(tiny_whisper, tmp_path):
    return train_config(
        base_model=str(tiny_whisper), train_data=str(save_tiny_speech(tmp_path / "speech")),
        output_dir=str(tmp_path / "run"), audio_context="dynamic", num_workers=0, dry_run=True,
    )  # fmt: skip


def test_a_dry_run_says_what_the_run_costs(config, caplog):
    run(config)
    printed = caplog.text
    assert "preflight: 8 clips, 0.00 h of audio, 5 epochs, 5 steps" in printed
    for word in ("min for training", "GiB of memory", "GiB of disk", "rehearsal plan -> convert"):
        assert word in printed


def test_the_rehearsal_speaks_the_language_of_the_training(config, tiny_whisper_folder, tmp_path):
    """A checkpoint without French, the default of a transcription, can be trained."""
    folder = tiny_whisper_folder(tmp_path / "base")
    path = folder / "generation_config.json"
    generation = json.loads(path.read_text())
    del generation["lang_to_id"]["<|fr|>"]
    path.write_text(json.dumps(generation))
    run(changed(config, base_model=str(folder), language="de"))


def test_the_language_that_an_english_only_checkpoint_does_not_use_is_noted_once(
    config, tiny_whisper_folder, tmp_path, caplog
):
    folder = make_english_only(tiny_whisper_folder(tmp_path / "base"))
    run(changed(config, base_model=str(folder)))
    assert caplog.text.count("an English-only checkpoint; language 'fr' is not used") == 1


def test_too_little_disk_is_refused(config, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(1, 1, 2**20))
    with pytest.raises(InputError, match=r"0.0 GiB of disk free, the run needs about .* GiB; free"):
        run(config)
