"""Run the merged decoder as optimum does, for folders that were written without step.onnx.

onnxruntime copies the cross-attention keys and values three times in each of its steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from whisper_qat.infer.onnx.ort_value import value, zeros

CROSS = ".encoder."  # in the name of a cross-attention key or value


@dataclass
class MergedState:
    """The encoder's states and, after the first step, the cache by input name."""

    encoded: ort.OrtValue
    cache: dict[str, ort.OrtValue] = field(default_factory=dict)


class MergedDecoder:
    """A session of decoder_model_merged.onnx; one clip, one row."""

    def __init__(self, decoder: ort.InferenceSession) -> None:
        self.session = decoder
        self._first_outputs = [output.name for output in decoder.get_outputs()]
        self._next_outputs = [name for name in self._first_outputs if CROSS not in name]
        self._no_cache = {  # ignored in the first step; length 1, as optimum feeds it
            past.name: zeros([n if isinstance(n, int) else 1 for n in past.shape])
            for past in decoder.get_inputs()
            if "past" in past.name
        }

    def start(self, encoded: Sequence[ort.OrtValue]) -> MergedState:
        (states,) = encoded
        return MergedState(states)

    def run(
        self, tokens: NDArray[np.int64], state: MergedState, logits_from: int
    ) -> NDArray[np.float32]:
        """Logits float32 [1, n, vocab] from `logits_from` on; all positions are computed."""
        started = bool(state.cache)
        feeds = {
            "input_ids": value(tokens),
            "encoder_hidden_states": state.encoded,
            "use_cache_branch": value(np.array([started])),
            **(state.cache or self._no_cache),
        }
        names = self._next_outputs if started else self._first_outputs
        outputs = dict(zip(names, self.session.run_with_ort_values(names, feeds), strict=True))
        logits = outputs.pop("logits").numpy()
        for name, present in outputs.items():
            state.cache[name.replace("present", "past_key_values", 1)] = present
        return logits[:, logits_from:]
