"""Features: transformers' own on speech and on what is hard, without torch, in every context."""

import json
import subprocess
import sys

import numpy as np
import pytest
from transformers import WhisperFeatureExtractor

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import HALF, HOP, N_FFT, WINDOW, Features, frames, log_power
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.source import load_clips
from whisper_qat.errors import InputError

FULL = AudioContext()
DYNAMIC = AudioContext(mode="dynamic", margin_s=1.0)
# Measured on 10 prompts: at most 3.3e-5 from transformers on torch, which is itself 3.3e-5 from its
# numpy path in float64; this one is 5.9e-6 from that.
NEAR_TORCH = 5e-5
NEAR_FLOAT64 = 1e-5


def noise(samples, seed=0):
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(samples)).astype(np.float32)


def clicks(period):
    audio = np.zeros(WINDOW, np.float32)
    audio[::period] = 1
    return audio


def pause(audio):
    """`audio` with digital silence in its middle."""
    quiet = audio.copy()
    quiet[len(audio) // 3 : len(audio) // 2] = 0
    return quiet


HARD = {
    "nothing": np.zeros(0, np.float32),
    "one sample": np.ones(1, np.float32),
    "shorter than the mirror": noise(150),
    "silence": np.zeros(16_000, np.float32),
    "30 s of silence": np.zeros(WINDOW, np.float32),
    "one click": np.eye(1, 16_000, 8_000, dtype=np.float32)[0],
    "clicks": clicks(16_000),
    "clicks at the ends": clicks(WINDOW - 1),
    "hum": np.sin(2 * np.pi * 50 * np.arange(48_000) / 16_000).astype(np.float32),
    "noise with a pause": pause(noise(60_000)),
    "whisper": 1e-4 * noise(30_000),
    "full scale": np.sign(noise(100_000)),
    "up to the last frame": noise(WINDOW - 190),
    "30 s": noise(WINDOW),
}


def differences(audio, n_mels):
    """Largest difference from transformers on torch, and from its float64 path on numpy."""
    extractor = WhisperFeatureExtractor(feature_size=n_mels)
    found = Features(n_mels).log_mel(audio, FULL)
    on_torch = extractor(audio, sampling_rate=16000, return_tensors="np").input_features[0]
    padded = np.pad(audio, (0, WINDOW - len(audio)))
    in_float64 = extractor._np_extract_fbank_features([padded], "cpu")[0]
    assert found.shape == on_torch.shape == (n_mels, 3000) and found.dtype == np.float32
    return np.abs(found - on_torch).max(), np.abs(found - in_float64).max()


@pytest.mark.parametrize("n_mels", [80, 128])
@pytest.mark.parametrize("audio", HARD.values(), ids=HARD.keys())
def test_equal_to_transformers_on_hard_inputs(audio, n_mels):
    on_torch, in_float64 = differences(audio, n_mels)
    assert on_torch <= NEAR_TORCH and in_float64 <= NEAR_FLOAT64


@pytest.mark.parametrize("n_mels", [80, 128])
def test_equal_to_transformers_on_speech(telephone_fr, n_mels):
    clips = [read_audio(clip) for clip in load_clips(telephone_fr, split="test")[:10]]
    for audio in [*clips, np.concatenate(clips)[:WINDOW]]:
        on_torch, in_float64 = differences(audio, n_mels)
        assert on_torch <= NEAR_TORCH and in_float64 <= NEAR_FLOAT64


@pytest.mark.parametrize("audio", HARD.values(), ids=HARD.keys())
def test_silence_that_is_not_transformed_is_exactly_what_it_would_be(audio):
    """Each frame of the padded 30 s through the transform, against the frames with sound only."""
    features = Features(80)
    padded = np.pad(audio, (0, WINDOW - len(audio)))
    mirrored = np.pad(padded, (HALF, HALF), mode="reflect")
    every = np.lib.stride_tricks.sliding_window_view(mirrored, N_FFT)[::HOP][:3000]
    decades = log_power(every, features.filters)
    expected = (np.maximum(decades, decades.max() - np.float32(8)) + np.float32(4)) / np.float32(4)
    assert (features.log_mel(audio, FULL) == expected.T).all()


@pytest.mark.parametrize("seconds", [0.5, 1.5, 4.0])
def test_only_frames_with_sound_are_transformed(seconds):
    found = frames(noise(round(seconds * 16_000)))
    assert len(found) == round(seconds * 100) + 2  # those that end in it, and two that begin there


@pytest.mark.parametrize("margin_s", [0.0, 1.0, 30.0])
def test_dynamic_context_is_the_beginning_of_the_full_one(margin_s):
    audio = noise(24_000)
    audio[-1] = 100  # the loudest bin lies in frames that no margin cuts off
    features = Features(80)
    context = AudioContext(mode="dynamic", margin_s=margin_s)
    mel = features.log_mel(audio, context)
    assert mel.shape == (80, context.frames(24_000))
    assert (mel == features.log_mel(audio, FULL)[:, : mel.shape[1]]).all()


def test_settings_come_from_the_checkpoint(tmp_path):
    WhisperFeatureExtractor(feature_size=128).save_pretrained(tmp_path)
    assert Features.from_pretrained(tmp_path).n_mels == 128


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"feature_size": 80, "n_fft": 512}, r"config.json: n_fft is 512; Whisper's is 400"),
        ({"feature_size": 80, "dither": 0.1}, "dither is 0.1; Whisper's is 0.0"),
        ({"feature_size": "80"}, "feature_size is '80'; expected the number of mel bins"),
        ([], "preprocessor_config.json: not an object of settings"),
        ({}, "feature_size is None; expected the number of mel bins"),
    ],
)
def test_another_front_end_is_refused(tmp_path, content, message):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        Features.from_pretrained(tmp_path)


def test_refusals(tmp_path):
    with pytest.raises(InputError, match=r"no usable preprocessor_config.json; copy it from the"):
        Features.from_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(InputError, match=r"preprocessor_config.json: line 1: not JSON"):
        Features.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"30.0 s of audio: cut it to 30 s first"):
        Features(80).log_mel(np.zeros(480_001, np.float32), DYNAMIC)


def test_features_need_neither_torch_nor_transformers(tmp_path):
    WhisperFeatureExtractor().save_pretrained(tmp_path)
    code = (
        "import sys\nimport numpy as np\n"
        "from whisper_qat.data.audio.context import AudioContext\n"
        "from whisper_qat.data.audio.features import Features\n"
        f"f = Features.from_pretrained({str(tmp_path)!r})\n"
        "f.log_mel(np.zeros(16000, np.float32), AudioContext())\n"
        "assert not {'torch', 'transformers', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
