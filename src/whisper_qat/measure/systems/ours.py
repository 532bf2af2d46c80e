"""The engine of this project as a row of the benchmark, through its public interface only.

It also runs the graphs quantized with the settings of Optimum (`ptq.optimum_dynamic`), which have
other kernels.
"""

from dataclasses import replace
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from whisper_qat.infer.transcribe import Transcriber
from whisper_qat.measure.systems.system import Setup

POLICY = "greedy; our features, prompt and filters; the audio context of the model folder"
NO_TOKEN = -1  # an end token that is never chosen


class Ours:
    """A converted folder; see `measure.systems.system.Peer`."""

    def __init__(self, transcriber: Transcriber) -> None:
        self.transcriber = transcriber

    def transcribe(self, audio: NDArray[np.float32]) -> str:
        return self.transcriber.transcribe(audio).text

    def fixed(self, audio: NDArray[np.float32], tokens: int) -> int:
        rules = replace(
            self.transcriber.rules, end_ids=frozenset({NO_TOKEN}), max_new_tokens=tokens
        )
        return len(replace(self.transcriber, rules=rules).transcribe(audio).tokens)

    def facts(self) -> dict[str, str]:
        return {"onnxruntime": version("onnxruntime")}


def open_ours(setup: Setup) -> Ours:
    """Open a folder written by the conversion or by quantize_ptq."""
    return Ours(
        Transcriber.from_folder(
            setup.folder, setup.threads,
            language=setup.language, max_new_tokens=setup.max_new_tokens,
        )
    )  # fmt: skip
