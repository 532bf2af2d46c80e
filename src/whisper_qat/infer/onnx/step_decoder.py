"""Decoder steps on step.onnx, with cross-attention keys and values and the cache kept in place.

One I/O binding serves all steps of a state until its memory moves: a step binds only its tokens and
its length. The self-attention cache grows by whole chunks of positions, so that a
step copies none of it; for Whisper base it takes 24 KB per position.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from whisper_qat.errors import InputError
from whisper_qat.infer.onnx.ort_value import value
from whisper_qat.infer.onnx.self_cache import SelfCache
from whisper_qat.infer.onnx.session import session
from whisper_qat.model.onnx_files import CROSS_FILE, STEP_FILE

ALL, LAST = 0, -1  # new tokens that get logits: all, or only the last


@dataclass
class StepState:
    """The inputs of every step that depend on the clips, by name, and the cache of the rows.

    `cross` [clips, heads, positions, head_dim] and `lengths` are the memory behind the `feeds` of a
    batch; a state of one clip has no such arrays, as its feeds are onnxruntime's own outputs.
    """

    feeds: dict[str, ort.OrtValue]
    lengths: NDArray[np.int32]
    cache: SelfCache
    cross: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    binding: ort.IOBinding | None = None  # None when memory has moved since the last step

    def use_clips(self, count: int) -> None:
        """Keep only the first `count` clips, as views without copies."""
        self.lengths = self.lengths[:count]
        self.feeds = {name: value(array[:count]) for name, array in self.cross.items()}
        self.feeds["cross_lengths"] = value(self.lengths)
        self.binding = None

    def take_rows(self, rows: Sequence[int]) -> None:
        """Reorder the cache to `rows`, in that order; a row may be repeated."""
        self.cache.take_rows(rows)
        self.binding = None


class StepDecoder:
    """Sessions of step.onnx and cross.onnx."""

    def __init__(self, step: ort.InferenceSession, cross: ort.InferenceSession) -> None:
        self.step = step
        self.cross = cross
        self._cross_names = [output.name for output in cross.get_outputs()]
        self._caches = {
            i.name: (i.shape[1], i.shape[3])
            for i in step.get_inputs()
            if "past_key" in i.name and ".decoder." in i.name
        }

    @classmethod
    def from_folder(cls, folder: Path, threads: int | None) -> "StepDecoder":
        step = session(folder / STEP_FILE, threads)
        if "past_length" not in [i.name for i in step.get_inputs()]:
            raise InputError(
                f"{folder / STEP_FILE}: written by an earlier version (no input past_length); "
                "remove the folder and convert the model anew"
            )
        return cls(step, session(folder / CROSS_FILE, threads))

    def start(self, encoded: Sequence[ort.OrtValue]) -> StepState:
        """State with one row per clip, from the encoder states [1, positions, d] of each."""
        lengths = np.array([states.shape()[1] for states in encoded], dtype=np.int32)
        encoded = [_in_fours(states) for states in encoded]
        cache = SelfCache(self._caches)
        if len(encoded) == 1:
            feeds = {"encoder_hidden_states": encoded[0]}
            found = self.cross.run_with_ort_values(self._cross_names, feeds)
            feeds = {_past(name): v for name, v in zip(self._cross_names, found, strict=True)}
            feeds["cross_lengths"] = value(lengths)
            return StepState(feeds=feeds, lengths=lengths, cache=cache)
        cross = self._join(encoded)
        state = StepState(feeds={}, lengths=lengths, cache=cache, cross=cross)
        state.use_clips(len(lengths))
        return state

    def _join(self, encoded: Sequence[ort.OrtValue]) -> dict[str, NDArray[np.float32]]:
        """Cross keys and values [clips, heads, longest, head_dim], short clips padded with zeros.

        The longest clips are written directly into place; 30 s of Whisper base take 37 MB.
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
        """Write the cross keys and values of one clip into `places`."""
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
        """Logits float32 [rows, n, vocab] for the new `tokens` [rows, n], from `logits_from` on."""
        rows, new = tokens.shape
        if state.cache.make_room(rows, new):
            state.binding = None
        if state.binding is None:
            state.binding = self._bound(state)
        now = {
            "input_ids": value(tokens),
            "logits_from": value(np.array([logits_from])),
            "past_length": value(np.array([state.cache.length])),
        }
        for name, tensor in now.items():
            state.binding.bind_ortvalue_input(name, tensor)
        state.binding.bind_output("logits")  # last of the outputs; its shape depends on the tokens
        self.step.run_with_iobinding(state.binding)
        state.cache.length += new
        return state.binding.get_outputs()[-1].numpy()

    def _bound(self, state: StepState) -> ort.IOBinding:
        """Bind what all steps share: the clips' inputs, and each cache as input and output."""
        binding = self.step.io_binding()
        for name, tensor in state.feeds.items():
            binding.bind_ortvalue_input(name, tensor)
        for name, array in state.cache.arrays.items():
            tensor = value(array)
            binding.bind_ortvalue_input(name, tensor)
            binding.bind_ortvalue_output(_present(name), tensor)
        return binding


def _in_fours(states: ort.OrtValue) -> ort.OrtValue:
    """Pad encoder states [1, positions, d] with up to three masked rows to a multiple of four.

    Products of a single query and the softmax sum in groups of four, and the rest in another order:
    without padding, a clip's last bit (2e-7) would change when batched with a longer clip.
    """
    missing = -states.shape()[1] % 4
    if not missing:
        return states
    return value(np.pad(states.numpy(), ((0, 0), (0, missing), (0, 0))))


def _past(present: str) -> str:
    return present.replace("present", "past_key_values", 1)


def _present(past: str) -> str:
    return past.replace("past_key_values", "present", 1)
