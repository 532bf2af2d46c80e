"""How every ONNX Runtime session is opened: one provider, one set of options, in one place.

The options pin the arithmetic that training imitates. On ARM64, KleidiAI's int4 kernel and the
table-lookup kernel put activations on another grid than MatMulNBits level 4; both are switched off.
They mean nothing on x86, where the switch costs nothing.
"""

from pathlib import Path

import onnxruntime as ort

PROVIDERS = ["CPUExecutionProvider"]
PINNED = {
    "mlas.disable_kleidiai": "1",
    "mlas.use_lut_gemm": "0",
    "mlas.qnbit.force_fp32": "0",
}
DATA_FOLDER = "session.model_external_initializers_file_folder_path"
ERRORS_ONLY = 3  # warnings are about graph optimisations that found nothing to do


def session_options(threads: int | None = None) -> ort.SessionOptions:
    """The pinned options; `threads` None leaves the number to the runtime (one per core)."""
    options = ort.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    if threads is not None:
        options.intra_op_num_threads = threads
    for key, value in PINNED.items():
        options.add_session_config_entry(key, value)
    return options


def open_session(
    model: Path | bytes, *, data_folder: Path | None = None, threads: int | None = None
) -> ort.InferenceSession:
    """A session of a file, or of bytes whose external data lies in `data_folder`."""
    options = session_options(threads)
    if data_folder is not None:
        options.add_session_config_entry(DATA_FOLDER, str(data_folder))
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=PROVIDERS)
