"""Check by node name that the optimized graph runs the planned kernel for every layer.

The expected operator and settings of a scheme are those its nodes are written with
(`export.onnx.schemes`). A layer is found by its node's name, which onnxruntime's optimizer keeps;
the token table has two nodes, lookup and head.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import onnx

from whisper_qat.export.onnx.read import all_nodes
from whisper_qat.export.onnx.schemes.nodes import (
    Settings,
    attributes,
    lookup_nodes_of,
    nodes_of,
)
from whisper_qat.model.plan.plan import HEAD, STORED
from whisper_qat.model.plan.plan import TOKEN_TABLE as TABLE
from whisper_qat.quant.scheme import Scheme

FLOAT_PRODUCT = ("MatMul", "FusedMatMul", "Gemm")
FLOAT_LOOKUP = ("Gather",)
CONVOLUTION = ("Conv", "FusedConv")
INTEGER_OPS = {
    "MatMulNBits", "GatherBlockQuantized", "DynamicQuantizeMatMul", "MatMulIntegerToFloat",
    "MatMulInteger", "QLinearMatMul", "QGemm", "MatMulBnb4", "QAttention", "ConvInteger",
    "QLinearConv",
}  # fmt: skip
UNPACKING = "BitShift"  # of stored weights; no graph shifts anything else
MOVES = ("Cast", "Transpose", "Reshape")  # operators that only convert or move data


@dataclass(frozen=True)
class Kernel:
    """An operator (one of `ops`) with the attributes that decide its arithmetic."""

    ops: tuple[str, ...]
    settings: Settings = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join(["/".join(self.ops), *(f"{k}={v}" for k, v in self.settings.items())])

    def accepts(self, found: "Kernel") -> bool:
        """True when the single operator `found` is this kernel."""
        same = all(found.settings.get(name) == value for name, value in self.settings.items())
        return found.ops[0] in self.ops and same


def expected(layer: str, scheme: Scheme | None) -> dict[str, Kernel]:
    """Node name -> kernel of the planned `layer`; nothing for positions, which are only added."""
    if layer in STORED:
        return {} if layer.endswith("embed_positions") else {layer: Kernel(CONVOLUTION)}
    if layer != TABLE:
        return {layer: product_kernel(scheme)}
    return {TABLE: lookup_kernel(scheme), HEAD: product_kernel(scheme)}


def product_kernel(scheme: Scheme | None) -> Kernel:
    if scheme is None:
        return Kernel(FLOAT_PRODUCT)
    nodes = nodes_of(scheme)
    return Kernel((nodes.PRODUCT,), nodes.product_settings(scheme))


def lookup_kernel(scheme: Scheme | None) -> Kernel:
    if scheme is None:
        return Kernel(FLOAT_LOOKUP)
    nodes = lookup_nodes_of(scheme)
    return Kernel((nodes.LOOKUP,), nodes.lookup_settings(scheme))


@dataclass(frozen=True, kw_only=True)
class RunGraph:
    """One optimized graph: kernels by node name, operator counts, and nodes that only move data."""

    kernels: dict[str, list[Kernel]]
    counts: dict[str, int]
    moves: dict[str, list[str]]
    unfolded: list[str]  # conversions of stored tensors that are repeated in every call


def run_graph(model: onnx.ModelProto) -> RunGraph:
    nodes = list(all_nodes(model.graph))
    constants = {tensor.name for tensor in model.graph.initializer}
    kernels: dict[str, list[Kernel]] = {}
    for node in nodes:
        if node.name:
            kernels.setdefault(node.name, []).append(kernel_of(node))
    casts = [node for node in nodes if node.op_type == "Cast" and node.input[0] in constants]
    unpacking = [node for node in nodes if node.op_type == UNPACKING]
    return RunGraph(
        kernels=kernels,
        counts=dict(Counter(node.op_type for node in nodes).most_common()),
        moves={op: [n.name for n in nodes if n.op_type == op] for op in MOVES},
        unfolded=[node.name for node in casts + unpacking],
    )


def kernel_of(node: onnx.NodeProto) -> Kernel:
    """The node's operator and those of its attributes that the plan determines."""
    names = ("bits", "block_size", "accuracy_level")
    settings = attributes(node) if node.op_type in INTEGER_OPS else {}
    return Kernel((node.op_type,), {name: settings[name] for name in names if name in settings})


def merged(graphs: Iterable[RunGraph]) -> dict[str, list[Kernel]]:
    """Node name -> kernels in all graphs."""
    found: dict[str, list[Kernel]] = {}
    for graph in graphs:
        for name, kernels in graph.kernels.items():
            found.setdefault(name, []).extend(kernels)
    return found


def faults(planned: Mapping[str, Scheme | None], graphs: Iterable[RunGraph]) -> list[str]:
    """Deviations from `planned` (layer -> scheme, None for float), one line per node.

    Includes integer nodes that are not in the plan, and conversions of stored weights at run time.
    """
    graphs = list(graphs)
    found = merged(graphs)
    lines, known = [], set()
    for layer, scheme in planned.items():
        name = "float" if scheme is None else scheme.name
        for node, wanted in expected(layer, scheme).items():
            known.add(node)
            runs = found.get(node, [])
            if not runs or not all(wanted.accepts(run) for run in runs):
                what = ", ".join(map(str, runs)) or "no node of that name"
                lines.append(f"{node}: planned {name} ({wanted}), runs {what}")
    return lines + unplanned(known, found) + unfolded(graphs)


def unplanned(known: set[str], found: Mapping[str, list[Kernel]]) -> list[str]:
    """Integer nodes that no layer of the plan accounts for."""
    integer = {
        node: run
        for node, runs in found.items()
        for run in runs
        if node not in known and run.ops[0] in INTEGER_OPS
    }
    return [f"{node}: not in the plan, runs {run}" for node, run in integer.items()]


def unfolded(graphs: Iterable[RunGraph]) -> list[str]:
    return [f"{node}: converted at every call" for graph in graphs for node in graph.unfolded]
