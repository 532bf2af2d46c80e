"""whisper.cpp through pywhispercpp in q8_0 or q4_0, padded to 30 s or with a short `audio_ctx`.

With the option `margin_s` the encoder receives the clip and so many seconds of silence
(`audio_ctx`, 50 positions per second). The smallest limit of tokens is two, because `max_tokens` 0
means no limit and the limit is checked after the token of that number. The end of text is not
suppressed: only `suppress_regex` could do that, and it matches every word of the vocabulary at
every step. A run of a fixed number of tokens may therefore end early, so the decoded tokens are
counted.
"""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.folder import load_checkpoint
from whisper_qat.export.runtime_folder import write_runtime_folder
from whisper_qat.infer.long_form.chunks import chunks
from whisper_qat.measure.systems.runtime import Form, Runtime, Variant
from whisper_qat.measure.systems.system import Setup, require_module
from whisper_qat.model.plan.rules_file import read_rules_file
from whisper_qat.ptq.round_to_nearest import round_to_nearest
from whisper_qat.runs.folders import hash_folder

POLICY = (
    "greedy with best_of 1, no fallback, no timestamps, its own features and filters, its default "
    "for flash attention; padded to 30 s"
)
POLICY_SHORT = f"{POLICY.rsplit(';', 1)[0]}; audio_ctx = clip + margin"
OPTIONS: dict[str, Any] = {
    "greedy": {"best_of": 1}, "temperature": 0.0, "temperature_inc": 0.0, "no_timestamps": True,
    "single_segment": True, "no_context": True, "suppress_blank": True, "suppress_nst": True,
    "no_speech_thold": 1.0, "print_progress": False, "print_realtime": False,
}  # fmt: skip


class WhisperCpp:
    """A ggml file; see `measure.systems.system.System`."""

    def __init__(self, model: Any, native: Any, setup: Setup) -> None:
        self.model = model
        self.native = native
        self.setup = setup
        margin_s = setup.options.get("margin_s")
        self.context = (
            AudioContext() if margin_s is None else AudioContext(mode="dynamic", margin_s=margin_s)
        )

    def transcribe(self, audio: NDArray[np.float32]) -> str:
        parts = [self._decode(piece, self.setup.max_new_tokens) for piece in chunks(audio)]
        return " ".join(parts).strip()

    def decode_fixed(self, audio: NDArray[np.float32], tokens: int) -> int:
        self._decode(audio, tokens)
        context = self.model._ctx  # pywhispercpp offers no other way to count tokens
        segments = self.native.whisper_full_n_segments(context)
        found = sum(self.native.whisper_full_n_tokens(context, i) for i in range(segments))
        return found + (found < tokens)  # the end of text took a step as well

    def facts(self) -> dict[str, str]:
        info = self.native.whisper_print_system_info()
        text = info.decode() if isinstance(info, bytes) else str(info)
        return {"pywhispercpp": version("pywhispercpp"), "build": " ".join(text.split())}

    def _decode(self, audio: NDArray[np.float32], limit: int) -> str:
        """Text of at most 30 s; the model keeps parameters, so all of them are passed each time."""
        segments = self.model.transcribe(
            audio, language=self.setup.language, n_threads=self.setup.threads,
            max_tokens=max(1, limit - 1), audio_ctx=self.context.frames(len(audio)) // 2, **OPTIONS,
        )  # fmt: skip
        return " ".join(segment.text for segment in segments).strip()


def open_whisper_cpp(setup: Setup) -> WhisperCpp:
    """Open the ggml file of a folder written with `--format ggml`."""
    native, module = require_module("_pywhispercpp"), require_module("pywhispercpp.model")
    path = ggml_file(setup.folder)
    return WhisperCpp(
        module.Model(str(path), redirect_whispercpp_logs_to=None, n_threads=setup.threads),
        native, setup,
    )  # fmt: skip


def ggml_file(folder: Path) -> Path:
    """Path of the model file of a folder; InputError unless there is exactly one."""
    files = sorted(folder.glob("ggml-model-*.bin"))
    if len(files) != 1:
        raise InputError(f"{folder}: expected one file ggml-model-*.bin, found {len(files)}")
    return files[0]


def make_ggml(source: Path, folder: Path, settings: dict[str, Any], plan: Path | None) -> None:
    """Every matrix in one of whisper.cpp's block types, by the plan shipped for it."""
    assert plan is not None, "a ggml form names its plan"
    final = load_checkpoint(source, str(source))
    rules = read_rules_file(plan)
    info = replace(final.info, quantization_type=settings["type"], method="ptq",
                   ptq_method="round-to-nearest")  # fmt: skip
    final = replace(final, plan=round_to_nearest(final.model, rules), info=info)
    write_runtime_folder(
        final, source, folder, format="ggml", requantize=False,
        inputs={"model": hash_folder(source)}, config=settings,
    )  # fmt: skip


Q8_0 = Form(
    name="ggml-q8_0", kind="ggml", settings={"plan": "ggml_q8_0", "type": "int8"}, make=make_ggml
)  # fmt: skip
Q4_0 = Form(
    name="ggml-q4_0", kind="ggml", settings={"plan": "ggml_q4_0", "type": "int4"}, make=make_ggml
)  # fmt: skip
WHISPER_CPP = Runtime(
    name="whisper.cpp", open=open_whisper_cpp, policy=POLICY, short_policy=POLICY_SHORT,
    modules=("_pywhispercpp",),
    variants=(
        Variant(name="whisper.cpp-q8_0", form=Q8_0),
        Variant(name="whisper.cpp-q4_0", form=Q4_0),
        Variant(name="whisper.cpp-q8_0-short", form=Q8_0, short=True),
    ),
)  # fmt: skip
