"""One kind of training measured: counted steps only, and nothing kept."""

import pytest

from tests.tasks.tiny_speech import save_tiny_speech
from tests.tasks.train_configs import train_config
from whisper_qat.errors import InputError
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.tasks.benchmark.train_speed import measure
from whisper_qat.train import flops
from whisper_qat.train.flops import WhisperSize


@pytest.mark.parametrize("kl_weight", [0.0, 1.0])
def test_the_counted_steps(tiny_whisper, tmp_path, kl_weight):
    speed = measure(
        train_config(
            base_model=str(tiny_whisper), train_data=str(save_tiny_speech(tmp_path / "speech")),
            output_dir=str(tmp_path / "run"), per_device_batch_size=1, kl_weight=kl_weight,
            gradient_accumulation_steps=2, num_workers=0,
        ),
        steps=1,
    )  # fmt: skip
    assert len(speed.seconds) == len(speed.waited_s) == len(speed.losses) == 1
    assert speed.seconds[0] > 0 and speed.waited_s[0] > 0
    assert speed.clips == [2] and speed.audio_s == [60.0] and speed.peak_bytes > 2**20
    shape = WhisperSize.of(load_whisper(tiny_whisper).config)
    least = 2 * flops.training_step(shape, 3000, 4, teacher_frames=3000 if kl_weight else None)
    most = 2 * flops.training_step(shape, 3000, 20, teacher_frames=3000 if kl_weight else None)
    assert least < speed.model_flops[0] < most
    assert not (tmp_path / "run").exists()


def test_too_few_clips(tiny_whisper, tmp_path):
    data = str(save_tiny_speech(tmp_path / "speech"))
    config = train_config(
        base_model=str(tiny_whisper), train_data=data, output_dir=str(tmp_path / "run"),
        per_device_batch_size=1, gradient_accumulation_steps=2, num_workers=0,
    )  # fmt: skip
    with pytest.raises(InputError, match=r"steps; 1002 steps of 2 need 2004 clips"):
        measure(config, steps=1000)
