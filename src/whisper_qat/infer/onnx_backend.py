"""Whisper on onnxruntime: an encoder session and a merged decoder session with its KV cache.

Tensors stay inside onnxruntime between steps (OrtValue): the cross-attention keys and values, tens
of MB, are computed once in the first step and only passed on after it.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from whisper_qat.infer.kernel_check import check_kernel
from whisper_qat.infer.session import session
from whisper_qat.model.plan import PLAN_NAME, read_plan

ENCODER_FILE = "encoder_model.onnx"
DECODER_FILE = "decoder_model_merged.onnx"
CROSS = ".encoder."  # in the name of a cross-attention key or value


@dataclass
class OnnxState:
    """The encoder's states and, after the first step, the cache by input name."""

    encoded: ort.OrtValue
    cache: dict[str, ort.OrtValue] = field(default_factory=dict)


class OnnxBackend:
    """The sessions of one folder; see `infer.backend.Backend`."""

    def __init__(self, encoder: ort.InferenceSession, decoder: ort.InferenceSession) -> None:
        self.encoder = encoder
        self.decoder = decoder
        names = [output.name for output in decoder.get_outputs()]
        self._first_outputs = names
        self._next_outputs = [name for name in names if CROSS not in name]
        self._no_cache = {
            past.name: _zeros(past.shape) for past in decoder.get_inputs() if "past" in past.name
        }

    @classmethod
    def from_folder(cls, folder: str | Path, threads: int | None = None) -> "OnnxBackend":
        """Sessions on a converted folder; checks the kernels that its plan needs (may warn)."""
        folder = Path(folder)
        backend = cls(
            session(folder / ENCODER_FILE, threads), session(folder / DECODER_FILE, threads)
        )
        if (folder / PLAN_NAME).is_file():
            for scheme in sorted(set(read_plan(folder).quantized().values()), key=lambda s: s.name):
                check_kernel(scheme)
        return backend

    def encode(self, mel: NDArray[np.float32]) -> OnnxState:
        """State of a new utterance from `mel` [1, n_mels, frames]."""
        (encoded,) = self.encoder.run_with_ort_values(
            ["last_hidden_state"], {"input_features": _value(mel)}
        )
        return OnnxState(encoded)

    def logits(self, tokens: NDArray[np.int64], state: OnnxState) -> NDArray[np.float32]:
        """float32 [1, n, vocab] after the new `tokens` [1, n]."""
        started = bool(state.cache)
        feeds = {
            "input_ids": _value(tokens),
            "encoder_hidden_states": state.encoded,
            "use_cache_branch": _value(np.array([started])),
            **(state.cache or self._no_cache),
        }
        names = self._next_outputs if started else self._first_outputs
        outputs = dict(zip(names, self.decoder.run_with_ort_values(names, feeds), strict=True))
        logits = outputs.pop("logits").numpy()
        state.cache |= {_past(name): value for name, value in outputs.items()}
        return logits


def _past(present: str) -> str:
    return present.replace("present", "past_key_values", 1)


def _value(array: NDArray) -> ort.OrtValue:
    return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))


def _zeros(shape: list[int | str]) -> ort.OrtValue:
    """A past that the first step ignores: length 1, as optimum feeds it."""
    return _value(np.zeros([n if isinstance(n, int) else 1 for n in shape], dtype=np.float32))
