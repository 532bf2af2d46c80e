"""Names of the graphs in an ONNX folder, and of the files that hold their weights.

Encoder and merged decoder have the names that optimum and transformers.js expect. This project's
own inference runs `cross.onnx` and `step.onnx` instead of the merged decoder; they refer to its
data file and have none of their own.
"""

ENCODER_FILE = "encoder_model.onnx"
DECODER_FILE = "decoder_model_merged.onnx"
STEP_FILE = "step.onnx"
CROSS_FILE = "cross.onnx"


def data_file(graph: str) -> str:
    """Name of the external data file that belongs to the graph file `graph`."""
    return f"{graph}_data"
