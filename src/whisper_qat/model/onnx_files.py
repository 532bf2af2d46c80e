"""Names in an ONNX folder: its graphs, the files that hold their weights, metadata of nodes.

Encoder and merged decoder have the names that optimum and transformers.js expect. This project's
own inference runs `cross.onnx` and `step.onnx` instead of the merged decoder; they refer to its
data file and have none of their own.
"""

ENCODER_FILE = "encoder_model.onnx"
DECODER_FILE = "decoder_model_merged.onnx"
STEP_FILE = "step.onnx"
CROSS_FILE = "cross.onnx"
SCHEME_KEY = "whisper_qat.scheme"  # metadata of a node whose operator fits several schemes


def data_file(graph: str) -> str:
    """Name of the external data file that belongs to the graph file `graph`."""
    return f"{graph}_data"
