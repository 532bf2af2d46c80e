"""Planned against running kernels: each way to differ has its line, and no other layer a line."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.export import cases
from whisper_qat.export.onnx.schemes.dynamic import PRODUCT as DYNAMIC
from whisper_qat.infer.onnx.optimized import optimized_model
from whisper_qat.model.onnx_files import ENCODER_FILE
from whisper_qat.model.plan.plan import HEAD, STORED
from whisper_qat.model.plan.plan import TOKEN_TABLE as TABLE
from whisper_qat.parity.kernels import INTEGER_OPS, Kernel, RunGraph, expected, faults, run_graph
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme

HALF_INT4 = BlockScheme(4, 32, "float16")
FC1 = "model.encoder.layers.0.fc1"


def graph(**kernels):
    return RunGraph(
        kernels={name: [kernel] for name, kernel in kernels.items()},
        counts={}, moves={}, unfolded=[],
    )  # fmt: skip


def nbits(bits=4, block_size=32, accuracy_level=4):
    settings = {"bits": bits, "block_size": block_size, "accuracy_level": accuracy_level}
    return Kernel(("MatMulNBits",), settings)


@pytest.mark.parametrize(
    "scheme",
    [cases.INT4, cases.INT8, cases.DYNAMIC, cases.ROW, cases.SEVEN, cases.TWO_LEVEL, None],
    ids=str,
)
def test_what_we_write_runs_as_planned(tmp_path, scheme):
    model = cases.tiny_whisper()
    folder = cases.write(model, tmp_path, scheme)
    planned = dict.fromkeys([*cases.linear_layers(model), *STORED], scheme)
    planned |= dict.fromkeys(STORED)
    if scheme is not None and not scheme.has_lookup:
        planned[TABLE] = None
    graphs = [run_graph(optimized_model(path)) for path in sorted(folder.glob("*.onnx"))]
    assert faults(planned, graphs) == []
    wrong = {FC1: BlockScheme(2, 32)}
    (line,) = faults(planned | wrong, graphs)
    assert line.startswith(f"{FC1}: planned block-int2-32 (MatMulNBits bits=2 block_size=32")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (nbits(bits=8), "runs MatMulNBits bits=8 block_size=32 accuracy_level=4"),
        (nbits(block_size=64), "runs MatMulNBits bits=4 block_size=64 accuracy_level=4"),
        (nbits(accuracy_level=1), "runs MatMulNBits bits=4 block_size=32 accuracy_level=1"),
        (Kernel(("MatMulNBits",), {"bits": 4, "block_size": 32}), "runs MatMulNBits bits=4"),
        (Kernel(("MatMul",)), "runs MatMul"),
        (Kernel((DYNAMIC,)), f"runs {DYNAMIC}"),
    ],
    ids=["bits", "block", "level", "no level", "float", "dynamic"],
)
def test_another_kernel_is_named(found, said):
    (line,) = faults({FC1: HALF_INT4}, [graph(**{FC1: found})])
    plan = "planned block-int4-32-f16 (MatMulNBits bits=4 block_size=32 accuracy_level=4), "
    assert line.startswith(f"{FC1}: {plan}{said}")


def test_a_missing_node_is_named():
    (line,) = faults({FC1: DynamicScheme()}, [graph()])
    assert line == f"{FC1}: planned int8-dynamic ({DYNAMIC}), runs no node of that name"


def test_one_wrong_copy_of_two_is_enough():
    graphs = [graph(**{FC1: nbits()}), graph(**{FC1: nbits(bits=8)})]
    assert len(faults({FC1: HALF_INT4}, graphs)) == 1
    assert faults({FC1: HALF_INT4}, [graphs[0], graph(**{FC1: nbits()})]) == []


def test_a_quantized_node_planned_float_is_named():
    (line,) = faults({FC1: None}, [graph(**{FC1: nbits()})])
    assert line.startswith(f"{FC1}: planned float (MatMul/FusedMatMul/Gemm), runs MatMulNBits")


@pytest.mark.parametrize("op", sorted(INTEGER_OPS))
def test_an_integer_node_outside_the_plan_is_named(op):
    (line,) = faults({}, [graph(extra=Kernel((op,)), norm=Kernel(("LayerNormalization",)))])
    assert line == f"extra: not in the plan, runs {op}"


def test_the_table_is_two_nodes():
    lookup = Kernel(("GatherBlockQuantized",), {"bits": 8, "block_size": 32})
    scheme = BlockScheme(8, 32, "float16")
    assert expected(TABLE, scheme) == {TABLE: lookup, HEAD: nbits(bits=8)}
    run = graph(**{TABLE: lookup, HEAD: Kernel(("MatMul",))})
    (line,) = faults({TABLE: scheme}, [run])
    assert line.startswith(f"{HEAD}: planned block-int8-32-f16")


def test_convolutions_are_checked_and_positions_have_no_kernel():
    conv, positions = STORED[0], STORED[2]
    assert expected(positions, None) == {}
    (line,) = faults({conv: None}, [graph(**{conv: Kernel(("ConvInteger",))})])
    assert line == f"{conv}: planned float (Conv/FusedConv), runs ConvInteger"


def test_two_level_weights_that_are_unpacked_at_every_call_are_named(tmp_path):
    model = cases.tiny_whisper()
    folder = cases.write(model, tmp_path, cases.TWO_LEVEL)
    as_written = run_graph(onnx.load(str(folder / ENCODER_FILE), load_external_data=False))
    lines = [line for line in faults({}, [as_written]) if "at every call" in line]
    assert len(lines) == 2 * 2 * 6 and lines[0].startswith("BitShift_1: converted")  # with factors


def test_a_cast_that_is_left_to_run_is_named():
    weight = onnx.numpy_helper.from_array(np.ones((2, 2), np.float16), "w")
    nodes = [
        helper.make_node("Cast", ["w"], ["f"], "w/float32", to=TensorProto.FLOAT),
        helper.make_node("Cast", ["b"], ["i"], "of an input", to=TensorProto.INT64),
    ]
    found = run_graph(helper.make_model(helper.make_graph(nodes, "g", [], [], [weight])))
    assert faults({}, [found]) == ["w/float32: converted at every call"]
    assert found.moves["Cast"] == ["w/float32", "of an input"] and found.counts == {"Cast": 2}


def test_kernels_inside_branches_are_seen():
    inner = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"], FC1)], "b", [], [])
    node = helper.make_node("If", ["c"], ["y"], "if", then_branch=inner, else_branch=inner)
    found = run_graph(helper.make_model(helper.make_graph([node], "g", [], [])))
    assert found.kernels[FC1] == [Kernel(("MatMul",))] * 2
    assert found.counts == {"MatMul": 2, "If": 1}
