"""Open a model on either runtime: a converted folder on onnxruntime, a checkpoint on torch.

For evaluation, which measures both in the same way. Importing this module loads torch,
which `infer.transcribe` does not.
"""

from dataclasses import replace
from pathlib import Path

import torch

from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.fallback import Fallback
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.infer.transcribe import Transcriber, find_runtime

RUNTIMES = ("onnx", "torch")


def open_transcriber(
    folder: str | Path,
    runtime: str | None = None,
    threads: int | None = None,
    *,
    language: str = "fr",
    max_new_tokens: int | None = None,
    fallback: Fallback | None = None,
) -> Transcriber:
    """Open the model of `folder` on "onnx" or "torch"; None chooses by its files.

    torch has one thread count per process: `threads` sets it for everything in the process.
    """
    runtime = runtime or find_runtime(folder)
    if runtime not in RUNTIMES:
        raise InputError(f"runtime={runtime!r}: expected one of {', '.join(RUNTIMES)}")
    if runtime == "onnx":
        return Transcriber.from_folder(
            folder, threads,
            language=language, max_new_tokens=max_new_tokens, fallback=fallback,
        )  # fmt: skip
    if threads is not None:
        torch.set_num_threads(threads)
    rules = read_rules(folder, language=language, max_new_tokens=max_new_tokens)
    made = Transcriber.around(TorchBackend.from_folder(folder), folder, rules)
    return replace(made, fallback=fallback)
