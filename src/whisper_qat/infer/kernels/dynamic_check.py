"""Probe whether this machine's DynamicQuantizeMatMul rounds and sums as training did.

Two probes, both compared with ==. Rounding: inputs full of exact ties through the identity, which
returns every activation's code. Saturation: the largest codes times the largest weights; an x64 CPU
without VNNI adds two products u8 x s8 in int16, where 2 * 255 * 127 does not fit.
`infer.onnx.session` then sets onnxruntime's option against it, and moves weights used inside a
branch of `If` (the merged decoder's cross-attention keys and values) into the branch, where the
option applies to them. Where that graph runs, a branch is probed, too.
"""

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from whisper_qat.infer.onnx.session import session
from whisper_qat.quant.channel_scheme import DynamicScheme

KERNEL = "DynamicQuantizeMatMul"
CONDITION = "in_branch"  # of the If, where there is one
MAX_CODE = 255  # of an activation
WIDTH = 64
FACTORS = (1.0, 0.3, -0.7)  # exact scales, inexact scales, and a mirrored range
OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]


def fault(scheme: DynamicScheme, *, in_branch: bool = False) -> str | None:
    """How the kernel differs from training; None when it does not.

    `in_branch` also probes products inside a branch of `If`.
    """
    if wrong := sum(wrong_codes(np.float32(factor)) for factor in FACTORS):
        total = len(FACTORS) * tie_input().size
        return f"{KERNEL} on this machine gives {wrong} of {total} activations another code"
    places = {"": False, " inside a branch of If": True} if in_branch else {"": False}
    for place, inside in places.items():
        if wrong := wrong_sums(in_branch=inside):
            sums = f"{wrong} of {WIDTH} large sums"
            return f"{KERNEL} on this machine saturates{place}: {sums} are wrong"
    return None


def same_bits_beside_others(scheme: DynamicScheme) -> bool:
    """Always False, as the rows of a call share one activation range."""
    return False


def wrong_codes(factor: np.float32) -> int:
    """Number of codes of the tie grid, times `factor`, that the kernel rounds differently."""
    x = tie_input() * factor
    codes, scale = expected(x)
    identity = np.eye(WIDTH, dtype=np.int8)
    return int((run_kernel(x, identity) != codes * scale).sum())


def wrong_sums(*, in_branch: bool = False) -> int:
    """Number of wrong sums of WIDTH products of the largest activation and weight codes."""
    x = np.full((1, WIDTH), MAX_CODE, np.float32)  # the scale is 1, the zero point 0
    largest = DynamicScheme().largest_int8
    weights = np.full((WIDTH, WIDTH), largest, np.int8)
    weights[:, ::2] = -largest
    exact = x.astype(np.int64) @ weights.astype(np.int64)
    return int((run_kernel(x, weights, in_branch=in_branch) != exact).sum())


def tie_input() -> NDArray[np.float32]:
    """Input float32 [8, WIDTH]: every half step from -100 to 155, so that the scale is 1."""
    return (np.minimum(np.arange(8 * WIDTH), 510) / 2 - 100).astype(np.float32).reshape(8, WIDTH)


def expected(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], np.float32]:
    """Codes minus zero point, and scale, as defined by ONNX DynamicQuantizeLinear."""
    low, high = min(x.min(), np.float32(0)), max(x.max(), np.float32(0))
    scale = np.float32((high - low) / np.float32(MAX_CODE))
    zero_point = np.rint(np.clip(-low / scale, 0, MAX_CODE))
    return np.clip(np.rint(x / scale), -zero_point, MAX_CODE - zero_point), scale


def run_kernel(
    x: NDArray[np.float32], weights: NDArray[np.int8], *, in_branch: bool = False
) -> NDArray[np.float32]:
    """Run `x` [M, K] through the kernel with integer `weights` [K, N] of scale 1.

    `in_branch` puts the kernel into a branch of `If`; its weights stay outside.
    """
    arrays = {
        "codes": weights,
        "scales": np.ones(weights.shape[1], np.float32),
    }
    node = helper.make_node(KERNEL, ["x", "codes", "scales"], ["y"], domain="com.microsoft")
    graph = helper.make_graph(
        [inside_if(node) if in_branch else node],
        "dynamic_check",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape),
            helper.make_tensor_value_info(CONDITION, TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=10)
    return session(model.SerializeToString(), 1).run(None, {"x": x, CONDITION: np.array(True)})[0]


def inside_if(node: NodeProto) -> NodeProto:
    """Put `node`, of one output, into both branches of an `If`; its inputs stay outside.

    The condition is an input, as a constant would be folded together with the branch.
    """
    inner = NodeProto()
    inner.CopyFrom(node)
    inner.output[0] = "inner"
    value = helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)
    branch = helper.make_graph([inner], "branch", [], [value])
    return helper.make_node("If", [CONDITION], node.output, then_branch=branch, else_branch=branch)
