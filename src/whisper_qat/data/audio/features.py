"""Features: Whisper's input, the log-mel spectrogram, computed by numpy without torch.

Padding policy, which affects every result: audio is padded with silence to 30 s, the spectrogram is
computed on that, and only then cut to the audio context. So a dynamic context sees exactly the
first frames of what a full context sees. The silence is not actually transformed: a frame of zeros
has the floor value in every bin, below all others, so the maximum from which the clamp is derived
is that of the frames with sound in them. All arithmetic is float32, as in transformers' torch
implementation: the result is within 5e-5 of that one, and nearer than it to transformers' float64
implementation (tested).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.mel_filters import mel_filters
from whisper_qat.errors import InputError
from whisper_qat.front_end import HOP, MAX_FRAMES, N_FFT, SAMPLE_RATE, WINDOW, WINDOW_S
from whisper_qat.runs.folders import read_json

PADDING_POLICY = "silence to 30 s before the log-mel, then cut to the audio context"
CONFIG_NAME = "preprocessor_config.json"
HALF = N_FFT // 2  # half a frame: the signal is mirrored by this many samples at either end
# The settings of every Whisper; a front end with others is refused, not approximated.
FIXED = {
    "n_fft": N_FFT,
    "hop_length": HOP,
    "chunk_length": WINDOW_S,
    "sampling_rate": SAMPLE_RATE,
    "padding_value": 0.0,
    "dither": 0.0,
    "do_normalize": False,
}
FLOOR = np.float32(1e-10)  # of the power in a mel bin
DYNAMIC_RANGE = np.float32(8)  # decades below the loudest bin, of power
HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype(np.float32)
BLOCK = 128  # frames at once: their working memory fits a core's cache
# Products of so few frames are too small for OpenBLAS to start threads, which fight with
# onnxruntime's for the cores: on a busy machine they took a hundred times as long as one thread.
PRODUCT = 16


class Features:
    """The log-mel front end of a Whisper model with `n_mels` mel bins."""

    def __init__(self, n_mels: int) -> None:
        self.n_mels = n_mels
        self.filters = mel_filters(HALF + 1, n_mels).astype(np.float32)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Features":
        """Read `preprocessor_config.json`; InputError when it is missing or not Whisper's."""
        path = Path(folder) / CONFIG_NAME
        if not path.is_file():
            raise InputError(
                f"{folder}: no usable {CONFIG_NAME}; "
                "copy it from the checkpoint this model was made from"
            )
        config = read_json(path)
        if not isinstance(config, dict):
            raise InputError(f"{path}: not an object of settings")
        for name, value in FIXED.items():
            if config.get(name, value) != value:
                raise InputError(f"{path}: {name} is {config[name]!r}; Whisper's is {value!r}")
        n_mels = config.get("feature_size")
        if not isinstance(n_mels, int) or not 0 < n_mels <= HALF:
            raise InputError(f"{path}: feature_size is {n_mels!r}; expected the number of mel bins")
        return cls(n_mels)

    def log_mel(self, audio: NDArray[np.float32], context: AudioContext) -> NDArray[np.float32]:
        """Log-mel spectrogram, float32 [n_mels, frames], of `audio` [samples] at 16 kHz.

        ValueError for audio longer than 30 s.
        """
        if len(audio) > WINDOW:
            raise ValueError(f"{len(audio) / SAMPLE_RATE:.1f} s of audio: cut it to 30 s first")
        sounding = log_power(frames(audio), self.filters)
        # The maximum is that of all 30 s, so frames past the context count too.
        lowest = sounding.max(initial=np.log10(FLOOR)) - DYNAMIC_RANGE
        mel = np.full((self.n_mels, context.frames(len(audio))), np.log10(FLOOR), np.float32)
        kept = min(mel.shape[1], len(sounding))
        mel[:, :kept] = sounding[:kept].T
        np.maximum(mel, lowest, out=mel)
        mel += 4
        mel /= 4
        return mel


def frames(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the frames of the 30 s window that overlap `audio`: a view [frames, N_FFT]."""
    count = min(-(-(len(audio) + HALF) // HOP), MAX_FRAMES)
    end = (count - 1) * HOP + HALF
    signal = np.zeros(min(end, WINDOW), np.float32)
    signal[: len(audio)] = audio[: len(signal)]
    signal = np.pad(signal, (HALF, end - len(signal)), mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(signal, N_FFT)[::HOP]


def log_power(frames: NDArray[np.float32], filters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log10 mel power, float32 [F, M], of `frames` [F, N_FFT] through `filters` [bins, M]."""
    out = np.empty((len(frames), filters.shape[1]), np.float32)
    power = np.zeros((BLOCK, filters.shape[0]), np.float32)
    for start in range(0, len(frames), BLOCK):
        spectrum = np.fft.rfft(frames[start : start + BLOCK] * HANN)
        power[: len(spectrum)] = spectrum.real**2 + spectrum.imag**2
        mel = power.reshape(-1, PRODUCT, filters.shape[0]) @ filters
        out[start : start + BLOCK] = mel.reshape(BLOCK, -1)[: len(spectrum)]
    return np.log10(np.maximum(out, FLOOR, out=out), out=out)
