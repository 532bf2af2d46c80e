"""Features: transformers' own, a dynamic context being the first frames of the full one."""

import numpy as np
import pytest
from transformers import WhisperFeatureExtractor

from whisper_qat.config import InputError
from whisper_qat.data.context import AudioContext
from whisper_qat.data.features import Features

AUDIO = 0.1 * np.random.default_rng(0).standard_normal(24000).astype(np.float32)
DYNAMIC = AudioContext(mode="dynamic", margin_s=1.0)


@pytest.mark.parametrize("num_mels", [80, 128])
def test_full_context_is_transformers(num_mels):
    extractor = WhisperFeatureExtractor(feature_size=num_mels)
    mel = Features(extractor).log_mel(AUDIO, AudioContext())
    expected = extractor(AUDIO, sampling_rate=16000, return_tensors="np").input_features[0]
    assert mel.shape == (num_mels, 3000) and (mel == expected).all()


def test_dynamic_context_is_the_beginning_of_the_full_one():
    features = Features(WhisperFeatureExtractor())
    mel = features.log_mel(AUDIO, DYNAMIC)
    assert mel.shape == (80, 250)
    assert (mel == features.log_mel(AUDIO, AudioContext())[:, :250]).all()


def test_refusals(tmp_path):
    with pytest.raises(InputError, match=r"no usable preprocessor_config.json; copy it from the"):
        Features.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"30.0 s of audio: cut it to 30 s first"):
        Features(WhisperFeatureExtractor()).log_mel(np.zeros(480_001, np.float32), DYNAMIC)
