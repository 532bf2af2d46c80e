"""Whisper on onnxruntime: an encoder session, and decoder steps that do not copy the cache.

`cross.onnx` projects a clip's cross-attention keys and values once; `step.onnx` reads them in
place. Only these decoder graphs are loaded, so no weight is in memory twice. A folder written
without them runs through the merged decoder, one row at a time.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from whisper_qat.errors import InputError
from whisper_qat.infer.kernels.kernel_check import check_kernel, same_bits_beside_others
from whisper_qat.infer.onnx.merged_decoder import MergedDecoder
from whisper_qat.infer.onnx.ort_value import value
from whisper_qat.infer.onnx.session import session
from whisper_qat.infer.onnx.step_decoder import ALL, LAST, StepDecoder, StepState
from whisper_qat.model.onnx_files import DECODER_FILE, ENCODER_FILE, STEP_FILE
from whisper_qat.model.plan.plan import PLAN_NAME, read_plan
from whisper_qat.quant.scheme import Scheme


class OnnxBackend:
    """The sessions of one folder; implements `infer.decoding.backend.RowsBackend`."""

    def __init__(
        self,
        encoder: ort.InferenceSession,
        decoder: "StepDecoder | MergedDecoder",
        schemes: Sequence[Scheme] = (),
    ) -> None:
        self.encoder = encoder
        self.decoder = decoder
        self.one_range_per_call = any(scheme.codes_depend_on_call for scheme in schemes)
        same_bits = not self.one_range_per_call and all(map(same_bits_beside_others, schemes))
        self.rows_independent = isinstance(decoder, StepDecoder) and same_bits

    @classmethod
    def from_folder(cls, folder: str | Path, threads: int | None = None) -> "OnnxBackend":
        """Open a converted folder, and check the kernels that its plan needs (may warn)."""
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
        return self.decoder.start([self._run_encoder(mel)])

    def logits(self, tokens: NDArray[np.int64], state: Any) -> NDArray[np.float32]:
        """Logits float32 [rows, n, vocab] for the new `tokens` [rows, n]."""
        return self.decoder.run(tokens, state, ALL)

    def next_logits(self, tokens: NDArray[np.int64], state: Any) -> NDArray[np.float32]:
        """Logits float32 [rows, vocab] after the last of the new `tokens` [rows, n]."""
        return self.decoder.run(tokens, state, LAST)[:, -1]

    def encode_clips(self, mels: Sequence[NDArray[np.float32]]) -> StepState:
        """State with one row per clip; each is encoded alone, so none is padded in the encoder."""
        return self._steps().start([self._run_encoder(mel[None]) for mel in mels])

    def keep_clips(self, state: StepState, clips: Sequence[int]) -> list[int]:
        """Drops all clips but `clips`; the last ones move into the places of those dropped."""
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
        """Reorders the cache to `rows`, in that order; a row may be repeated."""
        self._steps()
        state.take_rows(rows)

    def _run_encoder(self, mel: NDArray[np.float32]) -> ort.OrtValue:
        feeds = {"input_features": value(mel)}
        (encoded,) = self.encoder.run_with_ort_values(["last_hidden_state"], feeds)
        return encoded

    def _steps(self) -> StepDecoder:
        if not isinstance(self.decoder, StepDecoder):
            raise InputError(f"the folder has no {STEP_FILE}, which beams need; convert it anew")
        return self.decoder


def open_decoder(folder: Path, threads: int | None) -> StepDecoder | MergedDecoder:
    """The engine's own graphs where the folder has them, else the merged decoder."""
    if (folder / STEP_FILE).is_file():
        return StepDecoder.from_folder(folder, threads)
    return MergedDecoder(session(folder / DECODER_FILE, threads))


def _compact(clips: Sequence[int]) -> list[int]:
    """An order of `clips` in which those below len(clips) keep their place."""
    late = [clip for clip in clips if clip >= len(clips)]
    staying = set(clips)
    return [place if place in staying else late.pop() for place in range(len(clips))]
