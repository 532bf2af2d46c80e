"""Probe whether this machine rounds rows and sums int8 products as training with rows did.

The probes of `infer.kernels.dynamic_check` for the nodes of int8-row and of the schemes with
smaller weights, compared with ==: rows full of exact ties, each with its own scale, through the
identity, and the largest codes times the largest weights, outside and inside a branch of `If`.
"""

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from whisper_qat.infer.kernels.dynamic_check import CONDITION, inside_if
from whisper_qat.infer.onnx.session import session
from whisper_qat.model.onnx_files import SCHEME_KEY
from whisper_qat.quant.channel_scheme import RowScheme
from whisper_qat.quant.scheme import Scheme

KERNEL = "MatMulIntegerToFloat"
LARGEST = 127
WIDTH = 64
EIGHT_BITS = RowScheme()
FACTORS = (1.0, 0.3, -0.7, 0.0)
OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]


def fault(scheme: Scheme, *, in_branch: bool = False) -> str | None:
    """How the nodes differ from training; None when they do not.

    `in_branch` also probes products inside a branch of `If`.
    """
    x = tie_input()
    codes, scale = expected(x)
    if wrong := int((run_kernel(x, np.eye(WIDTH, dtype=np.int8)) != codes * scale).sum()):
        return f"QuantizeLinear on this machine gives {wrong} of {x.size} activations another code"
    places = {"": False, " inside a branch of If": True} if in_branch else {"": False}
    for place, inside in places.items():
        if wrong := wrong_sums(scheme, in_branch=inside):
            sums = f"{wrong} of {WIDTH} large sums"
            return f"{KERNEL} on this machine saturates{place}: {sums} are wrong"
    return None


def same_bits_beside_others(scheme: Scheme) -> bool:
    """Always True: a row has its own codes, and integer sums are exact in any order."""
    return True


def wrong_sums(scheme: Scheme, *, in_branch: bool) -> int:
    """Number of wrong sums of WIDTH products of the largest activation and weight codes."""
    x = np.full((1, WIDTH), LARGEST, np.float32)  # the scale is 1, the stored code 255
    weights = np.full((WIDTH, WIDTH), scheme.largest_int8, np.int8)
    weights[:, ::2] = -scheme.largest_int8
    exact = x.astype(np.int64) @ weights.astype(np.int64)
    found = run_kernel(x, weights, in_branch=in_branch, scheme=scheme)
    return int((found != exact).sum())


def tie_input() -> NDArray[np.float32]:
    """Input float32 [rows, WIDTH]: half steps up to 31, preceded by the row's largest code."""
    steps = (np.arange(WIDTH) / 2).astype(np.float32)
    steps[0] = -LARGEST
    return np.stack([steps * np.float32(factor) for factor in FACTORS])


def expected(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Codes of `x` minus zero point, and scales [rows, 1]."""
    amax = np.abs(x).max(-1, keepdims=True)
    scale = np.maximum(amax / np.float32(LARGEST), np.finfo(np.float32).smallest_normal)
    return np.rint(x / scale), scale


def run_kernel(
    x: NDArray[np.float32], weights: NDArray[np.int8], *, in_branch: bool = False,
    scheme: Scheme = EIGHT_BITS,
) -> NDArray[np.float32]:  # fmt: skip
    """Round `x` [M, K] by rows and multiply by integer `weights` [K, N] of scale 1.

    The product runs as that of `scheme`, whose largest weight decides the session's options.
    `in_branch` puts the kernel into a branch of `If`; its weights stay outside.
    """
    _, scale = expected(x)
    arrays = {
        "scale": scale[:, 0],
        "rows": scale,
        "zero_points": np.full(len(x), 128, np.uint8),
        "zero_point": np.array(128, np.uint8),
        "weights": weights,
        "one": np.array(1, np.float32),
        "scales": np.ones(weights.shape[1], np.float32),
    }
    inputs = ["codes", "weights", "one", "scales", "zero_point"]
    product = helper.make_node(KERNEL, inputs, ["product"], domain="com.microsoft")
    product.metadata_props.add(key=SCHEME_KEY, value=scheme.name)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero_points"], ["codes"], axis=0),
        inside_if(product) if in_branch else product,
        helper.make_node("Mul", ["product", "rows"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "row_check",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape),
            helper.make_tensor_value_info(CONDITION, TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=10)
    runtime = session(model.SerializeToString(), 1)
    return runtime.run(None, {"x": x, CONDITION: np.array(True)})[0]
