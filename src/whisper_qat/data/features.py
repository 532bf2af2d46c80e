"""Features: log-mel spectrograms as the checkpoint's own feature extractor computes them.

Padding policy, part of every result: audio is padded with silence to 30 s, the spectrogram is
computed on that, and only then cut to the audio context. So a dynamic context sees exactly the
first frames of what a full context sees.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import WhisperFeatureExtractor

from whisper_qat.config import InputError
from whisper_qat.data.context import SAMPLE_RATE, WINDOW_S, AudioContext

PADDING_POLICY = "silence to 30 s before the log-mel, then cut to the audio context"


class Features:
    """The log-mel front end of one checkpoint."""

    def __init__(self, extractor: WhisperFeatureExtractor) -> None:
        self.extractor = extractor
        self.n_mels: int = extractor.feature_size

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Features":
        """Reads `preprocessor_config.json`; InputError when the folder has none."""
        try:
            return cls(WhisperFeatureExtractor.from_pretrained(folder))
        except (OSError, ValueError):
            raise InputError(
                f"{folder}: no usable preprocessor_config.json; "
                "copy it from the checkpoint this model was made from"
            ) from None

    def log_mel(self, audio: NDArray[np.float32], context: AudioContext) -> NDArray[np.float32]:
        """float32 [n_mels, frames] of `audio` [samples], 16 kHz, at most 30 s (ValueError)."""
        if len(audio) > WINDOW_S * SAMPLE_RATE:
            raise ValueError(f"{len(audio) / SAMPLE_RATE:.1f} s of audio: cut it to 30 s first")
        mel = self.extractor(audio, sampling_rate=SAMPLE_RATE, return_tensors="np").input_features
        return mel[0, :, : context.frames(len(audio))]
