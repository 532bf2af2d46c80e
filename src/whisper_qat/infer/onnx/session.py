"""onnxruntime sessions with pinned options, so that models run in the same kernels everywhere.

Without them, ARM64 would run int4 products in KleidiAI's kernels, whose activations are asymmetric
per row: another grid than the one trained. On CPUs whose u8 x s8 products saturate, exact ones are
requested for models whose weights need them, inside branches of `If` too; elsewhere they are not,
as they are slower.
"""

from pathlib import Path

import onnx
import onnxruntime as ort

from whisper_qat.errors import InputError
from whisper_qat.infer.kernels.saturation import may_saturate, saturates
from whisper_qat.infer.onnx.branch_weights import with_branch_weights
from whisper_qat.model.onnx_files import data_file

PROVIDERS = ["CPUExecutionProvider"]
PINNED = {
    "mlas.disable_kleidiai": "1",
    "mlas.use_lut_gemm": "0",
}
EXACT_PRODUCTS = "session.x64quantprecision"
DATA_FOLDER = "session.model_external_initializers_file_folder_path"
WARNINGS_OFF = 3  # errors and worse


def session_options(threads: int | None = None) -> ort.SessionOptions:
    """Options of every session; `threads` per operator, None leaves the choice to onnxruntime."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    options.log_severity_level = WARNINGS_OFF
    for key, value in PINNED.items():
        options.add_session_config_entry(key, value)
    options.add_session_config_entry(EXACT_PRODUCTS, "0")
    return options


def session(
    model: Path | bytes, threads: int | None = None, *, save_optimized: Path | None = None
) -> ort.InferenceSession:
    """A CPU session on an .onnx file or serialized model; InputError names an invalid file.

    `save_optimized` also writes the optimized graph there, with its data file beside it.
    """
    if isinstance(model, Path) and not model.is_file():
        raise InputError(f"{model}: no such file; expected a folder written by convert")
    options = session_options(threads)
    if save_optimized is not None:
        save_to(options, save_optimized)
    try:
        return open_session(model, options)
    except Exception as error:  # onnxruntime's exceptions have no common base class of their own
        if isinstance(model, bytes):
            raise
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{model}: onnxruntime cannot load it ({reason})") from None


def open_session(model: Path | bytes, options: ort.SessionOptions) -> ort.InferenceSession:
    """A session with `options` from `session_options`; raises onnxruntime's own exceptions."""
    source = model if isinstance(model, bytes) else str(model)
    if saturates() and may_saturate(read_graph(model)):
        options.add_session_config_entry(EXACT_PRODUCTS, "1")
        if (cured := with_branch_weights(model)) is not None:
            source = cured
            if isinstance(model, Path):
                options.add_session_config_entry(DATA_FOLDER, str(model.parent))
    return ort.InferenceSession(source, options, providers=PROVIDERS)


def read_graph(model: Path | bytes) -> onnx.GraphProto:
    """The graph of an .onnx file or of a serialized model, without external data."""
    if isinstance(model, bytes):
        return onnx.load_model_from_string(model).graph
    return onnx.load(str(model), load_external_data=False).graph


def save_to(options: ort.SessionOptions, path: Path) -> None:
    """Write the optimized graph to `path`, constants outside: a 2 GB .onnx cannot be read."""
    options.optimized_model_filepath = str(path)
    key = "session.optimized_model_external_initializers_"
    options.add_session_config_entry(f"{key}file_name", data_file(path.name))
    options.add_session_config_entry(f"{key}min_size_in_bytes", "1024")
