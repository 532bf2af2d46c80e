"""Wiring parity fails on a graph with one wrong constant."""

import numpy as np
import onnx
from onnx import numpy_helper

from whisper_qat.parity import wiring


def test_a_damaged_graph_fails(written):
    final, folder, material, _ = written
    assert wiring.check(final, folder, material)["passed"]
    path = folder / "encoder_model.onnx"
    model = onnx.load(str(path), load_external_data=False)
    name = "model.encoder.layer_norm.bias"
    tensor = next(t for t in model.graph.initializer if t.name == name)
    moved = numpy_helper.to_array(tensor) + np.float32(0.5)
    tensor.CopyFrom(numpy_helper.from_array(moved, name))
    path.write_bytes(model.SerializeToString())
    found = wiring.check(final, folder, material)
    assert not found["passed"] and found["relative"] > found["tolerance"] == 1e-4
