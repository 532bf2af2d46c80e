"""Write two graphs of the same q, k, v products: three MatMulNBits, or one and a Split.

To time them: scripts/profile_graphs.py --graphs three=OUT/three.onnx one=OUT/one.onnx
--sizes rows=1

Example:
    python study/fused_qkv.py --output_dir /tmp/qkv --width 512 --bits 8
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NAMES = ("q", "k", "v")
BLOCK = 32
OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]


def product(name: str, columns: int, width: int, bits: int) -> tuple[onnx.NodeProto, list]:
    """A MatMulNBits node `width` -> `columns` with random codes, and its constants."""
    random = np.random.default_rng(0)
    codes = random.integers(0, 256, (columns, width // BLOCK, BLOCK * bits // 8), dtype=np.uint8)
    scales = np.full(columns * width // BLOCK, 0.01, np.float32)
    node = helper.make_node(
        "MatMulNBits", ["x", f"{name}.codes", f"{name}.scales"], [name], domain="com.microsoft",
        K=width, N=columns, bits=bits, block_size=BLOCK, accuracy_level=4,
    )  # fmt: skip
    constants = {"codes": codes, "scales": scales}
    return node, [numpy_helper.from_array(a, f"{name}.{key}") for key, a in constants.items()]


def graph(width: int, bits: int, *, fused: bool) -> onnx.ModelProto:
    """Build one graph; both compute q, k, v float32 [rows, width] from x float32 [rows, width]."""
    if fused:
        node, constants = product("qkv", 3 * width, width, bits)
        nodes = [node, helper.make_node("Split", ["qkv"], NAMES, axis=1, num_outputs=3)]
    else:
        made = [product(name, width, width, bits) for name in NAMES]
        nodes = [node for node, _ in made]
        constants = [constant for _, pair in made for constant in pair]
    shape = ["rows", width]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in NAMES]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    body = helper.make_graph(nodes, "qkv", inputs, outputs, constants)
    return helper.make_model(body, opset_imports=OPSETS, ir_version=10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--bits", type=int, default=8)
    flags = parser.parse_args()
    flags.output_dir.mkdir(parents=True, exist_ok=True)
    for name, fused in {"three": False, "one": True}.items():
        model = graph(flags.width, flags.bits, fused=fused)
        onnx.save(model, flags.output_dir / f"{name}.onnx")


if __name__ == "__main__":
    main()
