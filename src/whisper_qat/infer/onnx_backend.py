"""Whisper on onnxruntime: an encoder session, and a decoder's step that copies no cache it keeps.

`cross.onnx` projects a clip's cross-attention keys and values once; `step.onnx` reads them where
they lie. Only these are loaded, so no weight is in memory twice. The self-attention cache is one
Concat a step: 0.6 MB at 24 tokens of Whisper base, 11 MB at all 448. A folder written without these
graphs runs through the merged decoder, one row at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from whisper_qat.config import InputError
from whisper_qat.infer.kernel_check import check_kernel
from whisper_qat.infer.merged_decoder import MergedDecoder
from whisper_qat.infer.ort_value import value, zeros
from whisper_qat.infer.session import session
from whisper_qat.model.plan import PLAN_NAME, read_plan
from whisper_qat.quant.scheme import DynamicScheme, Scheme

ENCODER_FILE = "encoder_model.onnx"
DECODER_FILE = "decoder_model_merged.onnx"
STEP_FILE = "step.onnx"
CROSS_FILE = "cross.onnx"
ALL, LAST = 0, -1  # of the new tokens' logits: from the first on, or the last alone


@dataclass
class StepState:
    """What every step reads of the clips, and the cache of the rows, by input name.

    `cross` [clips, heads, positions, head_dim] and `lengths` back the `feeds` of a batch; a state
    of one clip has no such arrays, its feeds are what onnxruntime computed.
    """

    feeds: dict[str, ort.OrtValue]
    lengths: NDArray[np.int32]
    cross: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    past: dict[str, ort.OrtValue] = field(default_factory=dict)

    def use_clips(self, count: int) -> None:
        """The first `count` clips from now on: views, no copies."""
        self.lengths = self.lengths[:count]
        self.feeds = {name: value(array[:count]) for name, array in self.cross.items()}
        self.feeds["cross_lengths"] = value(self.lengths)


class StepDecoder:
    """Sessions of step.onnx and cross.onnx."""

    def __init__(self, step: ort.InferenceSession, cross: ort.InferenceSession) -> None:
        self.step = step
        self.cross = cross
        self._cross_names = [output.name for output in cross.get_outputs()]
        self._names = [output.name for output in step.get_outputs()]
        self._no_past = {
            i.name: i.shape for i in step.get_inputs() if "past" in i.name and ".decoder." in i.name
        }

    def start(self, encoded: Sequence[ort.OrtValue]) -> StepState:
        """State of one row per clip from the encoder's states [1, positions, d] of each."""
        lengths = np.array([states.shape()[1] for states in encoded], dtype=np.int32)
        encoded = [_even_sum(states) for states in encoded]
        if len(encoded) == 1:
            feeds = {"encoder_hidden_states": encoded[0]}
            found = self.cross.run_with_ort_values(self._cross_names, feeds)
            feeds = {_past(name): v for name, v in zip(self._cross_names, found, strict=True)}
            return StepState(feeds=feeds | {"cross_lengths": value(lengths)}, lengths=lengths)
        cross = self._joined(encoded)
        state = StepState(feeds={}, lengths=lengths, cross=cross)
        state.use_clips(len(lengths))
        return state

    def _joined(self, encoded: Sequence[ort.OrtValue]) -> dict[str, NDArray[np.float32]]:
        """Cross keys and values [clips, heads, longest, head_dim], zeros behind the short ones.

        The longest are written where they stay; 30 s of Whisper base are 37 MB.
        """
        longest = max(states.shape()[1] for states in encoded)
        joined = {
            o.name: np.empty((len(encoded), o.shape[1], longest, o.shape[3]), dtype=np.float32)
            for o in self.cross.get_outputs()
        }
        for row, states in enumerate(encoded):
            length = states.shape()[1]
            places = {name: array[row : row + 1, :, :length] for name, array in joined.items()}
            self._project(states, places)
            for array in joined.values():
                array[row, :, length:] = 0
        return {_past(name): array for name, array in joined.items()}

    def _project(self, states: ort.OrtValue, places: dict[str, NDArray[np.float32]]) -> None:
        """Cross keys and values of one clip into `places`."""
        binding = self.cross.io_binding()
        binding.bind_ortvalue_input("encoder_hidden_states", states)
        written = {name: np.ascontiguousarray(place) for name, place in places.items()}
        for name, array in written.items():
            binding.bind_ortvalue_output(name, value(array))
        self.cross.run_with_iobinding(binding)
        for name, place in places.items():
            if written[name].base is not place.base:  # a short clip: not contiguous in its place
                place[...] = written[name]

    def run(
        self, tokens: NDArray[np.int64], state: StepState, logits_from: int
    ) -> NDArray[np.float32]:
        past = state.past or {
            name: zeros([len(tokens), shape[1], 0, shape[3]])
            for name, shape in self._no_past.items()
        }
        feeds = {
            "input_ids": value(tokens),
            "logits_from": value(np.array([logits_from])),
            **state.feeds,
            **past,
        }
        outputs = self.step.run_with_ort_values(self._names, feeds)
        found = dict(zip(self._names, outputs, strict=True))
        logits = found.pop("logits").numpy()
        state.past = {_past(name): present for name, present in found.items()}
        return logits


class OnnxBackend:
    """The sessions of one folder; see `infer.backend.RowsBackend`."""

    def __init__(
        self,
        encoder: ort.InferenceSession,
        decoder: "StepDecoder | MergedDecoder",
        schemes: Sequence[Scheme] = (),
    ) -> None:
        self.encoder = encoder
        self.decoder = decoder
        # One activation range over a whole call: rows beside a row change its grid.
        self.rows_independent = not any(isinstance(scheme, DynamicScheme) for scheme in schemes)

    @classmethod
    def from_folder(cls, folder: str | Path, threads: int | None = None) -> "OnnxBackend":
        """Sessions on a converted folder; checks the kernels that its plan needs (may warn)."""
        folder = Path(folder)
        encoder = session(folder / ENCODER_FILE, threads)
        schemes: list[Scheme] = []
        if (folder / PLAN_NAME).is_file():
            found = set(read_plan(folder).quantized().values())
            schemes = sorted(found, key=lambda scheme: scheme.name)
        backend = cls(encoder, open_decoder(folder, threads), schemes)
        for scheme in schemes:
            check_kernel(scheme, in_branch=isinstance(backend.decoder, MergedDecoder))
        return backend

    def encode(self, mel: NDArray[np.float32]) -> Any:
        """State of a new utterance from `mel` [1, n_mels, frames]."""
        return self.decoder.start([self._encoded(mel)])

    def logits(self, tokens: NDArray[np.int64], state: Any) -> NDArray[np.float32]:
        """float32 [rows, n, vocab] after the new `tokens` [rows, n]."""
        return self.decoder.run(tokens, state, ALL)

    def next_logits(self, tokens: NDArray[np.int64], state: Any) -> NDArray[np.float32]:
        """float32 [rows, vocab] after the last of the new `tokens` [rows, n]."""
        return self.decoder.run(tokens, state, LAST)[:, -1]

    def encode_clips(self, mels: Sequence[NDArray[np.float32]]) -> StepState:
        """State of one row per clip; each is encoded alone, so none is padded there."""
        return self._steps().start([self._encoded(mel[None]) for mel in mels])

    def keep_clips(self, state: StepState, clips: Sequence[int]) -> list[int]:
        """Drops all clips but `clips`: the last ones move into the places of those that left."""
        order = _compact(clips)
        for place, clip in enumerate(order):
            if place != clip:
                state.lengths[place] = state.lengths[clip]
                for array in state.cross.values():
                    array[place] = array[clip]
        state.use_clips(len(order))
        self.take_rows(state, order)
        return order

    def take_rows(self, state: StepState, rows: Sequence[int]) -> None:
        """The cache of the rows `rows`, in that order and as often as named."""
        self._steps()
        state.past = {name: value(past.numpy()[list(rows)]) for name, past in state.past.items()}

    def _encoded(self, mel: NDArray[np.float32]) -> ort.OrtValue:
        feeds = {"input_features": value(mel)}
        (encoded,) = self.encoder.run_with_ort_values(["last_hidden_state"], feeds)
        return encoded

    def _steps(self) -> StepDecoder:
        if not isinstance(self.decoder, StepDecoder):
            raise InputError(
                f"the folder has no {STEP_FILE}, which batches and beams need; convert it anew"
            )
        return self.decoder


def open_decoder(folder: Path, threads: int | None) -> StepDecoder | MergedDecoder:
    """The engine's own graphs where the folder has them, else the merged decoder."""
    if (folder / STEP_FILE).is_file():
        return StepDecoder(
            session(folder / STEP_FILE, threads), session(folder / CROSS_FILE, threads)
        )
    return MergedDecoder(session(folder / DECODER_FILE, threads))


def _even_sum(states: ort.OrtValue) -> ort.OrtValue:
    """Encoder states [1, positions, d] with a row more, never heard, where 3 beyond fours are left.

    The softmax sums by fours, and three that are left in another order than four: without the row
    a clip would differ in the last bit (2e-7) from itself beside a longer clip.
    """
    if states.shape()[1] % 4 != 3:
        return states
    return value(np.pad(states.numpy(), ((0, 0), (0, 1), (0, 0))))


def _compact(clips: Sequence[int]) -> list[int]:
    """An order of `clips` in which those below len(clips) keep their place."""
    late = [clip for clip in clips if clip >= len(clips)]
    staying = set(clips)
    return [place if place in staying else late.pop() for place in range(len(clips))]


def _past(present: str) -> str:
    return present.replace("present", "past_key_values", 1)
