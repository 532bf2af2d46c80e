"""Clips for calibration: from train, then validation, never from test; drawn by seed."""

from pathlib import Path

import pytest
import torch

from tests.tasks.tiny_speech import save_tiny_speech
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.folder import load_checkpoint, with_context
from whisper_qat.ptq.calibration_clips import calibration_clips, calibration_samples


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return save_tiny_speech(tmp_path_factory.mktemp("speech") / "data")


def ids(clips):
    return [clip.id for clip in clips]


def test_train_is_used_and_the_draw_is_seeded(speech):
    every = ids(calibration_clips(str(speech), 100, 0))
    assert every == [f"clip-{i}" for i in range(8)]
    few = ids(calibration_clips(str(speech), 3, 0))
    assert len(few) == 3 and few == ids(calibration_clips(str(speech), 3, 0))
    assert any(few != ids(calibration_clips(str(speech), 3, seed)) for seed in range(1, 5))


def test_validation_without_train_and_never_test(tmp_path):
    folder = save_tiny_speech(tmp_path / "data")
    (folder / "train.jsonl").unlink()
    assert ids(calibration_clips(str(folder), 9, 0)) == ["clip-8", "clip-9", "clip-10"]
    (folder / "validation.jsonl").unlink()
    with pytest.raises(InputError, match=r"no train or validation split; it has test"):
        calibration_clips(str(folder), 9, 0)


def test_a_manifest_without_splits_is_taken_whole(speech):
    assert len(calibration_clips(str(speech / "validation.jsonl"), 9, 0)) == 3


def test_no_usable_clip(tmp_path):
    folder = save_tiny_speech(tmp_path / "data", train=2)
    for path in folder.glob("*.wav"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match="--calibration_data .*: no usable clip"):
        calibration_clips(str(folder), 9, 0)


def test_samples_follow_the_audio_context(speech, tiny_whisper):
    clips = calibration_clips(str(speech), 2, 0)
    final = load_checkpoint(Path(tiny_whisper), "tiny")
    dynamic = with_context(final, "dynamic", 1.0)
    full = calibration_samples(clips, final, Path(tiny_whisper), "fr")
    short = calibration_samples(clips, dynamic, Path(tiny_whisper), "fr")
    assert [s.mel.shape for s in full] == [torch.Size([1, 80, 3000])] * 2
    assert all(150 < s.mel.shape[2] < 300 for s in short)
    assert full[0].prompt_length == 4 and full[0].tokens.shape[1] > 4


def test_texts_too_long_for_the_decoder(speech, tiny_whisper_folder):
    folder = Path(tiny_whisper_folder(max_target_positions=6))
    clips = calibration_clips(str(speech), 2, 0)
    with pytest.raises(InputError, match="every text is longer than the decoder holds"):
        calibration_samples(clips, load_checkpoint(folder, "tiny"), folder, "fr")
