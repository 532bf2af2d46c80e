"""The engine of this project as a row of the benchmark, through its public interface only.

It also runs the graphs quantized with the settings of Optimum (`ptq.optimum_dynamic`), which have
other kernels.
"""

from dataclasses import replace
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from whisper_qat.infer.transcribe import Transcriber
from whisper_qat.measure.systems.runtime import ONNX, Form, Runtime, Variant
from whisper_qat.measure.systems.system import Setup
from whisper_qat.ptq.optimum_dynamic import NAME as OPTIMUM_DYNAMIC

POLICY = "greedy; our features, prompt and filters; the audio context of the model folder"
FLOAT32 = Form(name="onnx-float32", kind=ONNX, settings={"type": "none"})
INT8 = Form(name="onnx-int8", kind=ONNX, settings={"type": "int8"})
INT4 = Form(name="onnx-int4", kind=ONNX, settings={"type": "int4"})
INT8_BLOCK = Form(
    name="onnx-int8-block", kind=ONNX, settings={"type": "int8", "plan": "int8_block"}
)
INT4_TWO_LEVEL = Form(
    name="onnx-int4-two-level", kind=ONNX, settings={"type": "int4", "plan": "int4_two_level"}
)
INT8_ROW = Form(name="onnx-int8-row", kind=ONNX, settings={"type": "int8", "plan": "int8_row"})
INT4_ROW = Form(name="onnx-int4-row", kind=ONNX, settings={"type": "int8", "plan": "int4_row"})
OPTIMUM_INT8 = Form(
    name="onnx-optimum-int8", kind=ONNX, settings={"type": "int8", "method": OPTIMUM_DYNAMIC}
)
NO_TOKEN = -1  # an end token that is never chosen


class Ours:
    """A converted folder; see `measure.systems.system.System`."""

    def __init__(self, transcriber: Transcriber) -> None:
        self.transcriber = transcriber

    def transcribe(self, audio: NDArray[np.float32]) -> str:
        return self.transcriber.transcribe(audio).text

    def decode_fixed(self, audio: NDArray[np.float32], tokens: int) -> int:
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


OURS = Runtime(
    name="ours", open=open_ours, policy=POLICY, short_policy=POLICY, is_ours=True,
    variants=(
        Variant(name="ours-float32", form=FLOAT32),
        Variant(name="ours-int8", form=INT8),
        Variant(name="ours-int4", form=INT4),
        Variant(name="ours-int8-block", form=INT8_BLOCK),
        Variant(name="ours-int8-row", form=INT8_ROW),
        Variant(name="ours-int4-two-level", form=INT4_TWO_LEVEL),
        Variant(name="ours-int4-row", form=INT4_ROW),
        Variant(name="ours-int8-short", form=INT8, short=True),
        Variant(name="ours-int4-short", form=INT4, short=True),
        Variant(name="ours-int8-block-short", form=INT8_BLOCK, short=True),
        Variant(name="ours-int8-row-short", form=INT8_ROW, short=True),
        Variant(name="ours-int4-two-level-short", form=INT4_TWO_LEVEL, short=True),
        Variant(name="ours-int4-row-short", form=INT4_ROW, short=True),
    ),
)  # fmt: skip
OPTIMUM_SETTINGS = Runtime(
    name="optimum", open=open_ours,
    policy="optimum's int8 settings on our encoder and merged decoder, our search",
    variants=(Variant(name="optimum-int8", form=OPTIMUM_INT8),),
)  # fmt: skip
