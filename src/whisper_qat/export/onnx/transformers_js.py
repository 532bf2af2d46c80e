"""The folder layout of transformers.js: the same graphs under the file names that it expects.

transformers.js loads `onnx/<model><suffix>.onnx`, the suffix by dtype (its `utils/dtypes.js`), and,
where `transformers.js_config` in config.json says so, `onnx/<model><suffix>.onnx_data`. Its dtype
names only select files: q8 and q4 give the bit width of most weights, the plan has the details.
onnxruntime finds a data file by the name written in the graph, so the renamed graph names the
renamed file; nodes, codes and scales stay as they are.
"""

from pathlib import Path

import onnx

from whisper_qat.errors import InputError
from whisper_qat.model.onnx_files import (
    CROSS_FILE,
    DECODER_FILE,
    ENCODER_FILE,
    STEP_FILE,
    data_file,
)
from whisper_qat.runs.folders import read_json, write_json

SUBFOLDER = "onnx"
CONFIG_KEY = "transformers.js_config"
# First word of the quantization type -> dtype and suffix.
DTYPES = {
    "none": ("fp32", ""),
    "int8": ("q8", "_quantized"),
    "int4": ("q4", "_q4"),
    "int2": ("q2", "_q2"),
}


def arrange(folder: Path, quantization_type: str) -> None:
    """Convert the ONNX folder to that layout, in place; InputError for a type without a dtype.

    Raises before anything changes.
    """
    dtype, suffix = dtype_of(quantization_type)
    target = folder / SUBFOLDER
    target.mkdir()
    names = [move_graph(folder / name, target, suffix) for name in (ENCODER_FILE, DECODER_FILE)]
    settings = {"dtype": dtype, "use_external_data_format": dict.fromkeys(names, 1)}
    for name in (STEP_FILE, CROSS_FILE):  # they refer to the data file by its old name
        (folder / name).unlink()
    config = read_json(folder / "config.json")
    write_json(folder / "config.json", config | {CONFIG_KEY: settings})


def dtype_of(quantization_type: str) -> tuple[str, str]:
    """The dtype of transformers.js and its file suffix, e.g. q8 and `_quantized` for int8-row."""
    width = quantization_type.split("-")[0]
    if width not in DTYPES:
        raise InputError(
            f"quantization type {quantization_type!r}: transformers.js has no dtype for it; "
            f"it has them for {', '.join(DTYPES)}"
        )
    return DTYPES[width]


def move_graph(source: Path, target: Path, suffix: str) -> str:
    """Move a graph and its data file into `target` under a suffixed name, and return the name."""
    name = f"{source.stem}{suffix}.onnx"
    model = onnx.load(str(source), load_external_data=False)
    for tensor in model.graph.initializer:  # branches of If have no initializers of their own
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = data_file(name)
    (target / name).write_bytes(model.SerializeToString())
    source.with_name(data_file(source.name)).rename(target / data_file(name))
    source.unlink()
    return name
