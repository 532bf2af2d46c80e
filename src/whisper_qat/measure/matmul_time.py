"""Time of one linear layer in onnxruntime, in float and quantized, measured in turn.

The exporter writes the layers, so their nodes are those of a converted model.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime as ort
import torch
from onnx import TensorProto
from torch import nn

from whisper_qat.export.onnx.external_data import ExternalData
from whisper_qat.export.onnx.graph import Graph
from whisper_qat.export.onnx.layers import linear
from whisper_qat.export.source import packed
from whisper_qat.export.weights import Weights
from whisper_qat.infer.onnx.session import session
from whisper_qat.model.fake_quant.layers import FakeQuantLinear
from whisper_qat.model.onnx_files import data_file
from whisper_qat.quant.scheme import Scheme

REPEATS = 15
WARM_UP = 3


@dataclass(frozen=True)
class ProductShape:
    """Shape of a product of x [rows, in_features] and a weight [out_features, in_features]."""

    rows: int
    out_features: int
    in_features: int


def milliseconds(
    shape: ProductShape, schemes: Sequence[Scheme | None], threads: int, repeats: int = REPEATS
) -> list[float]:
    """Median time of each scheme (None: float32) in ms, with the schemes timed in turn."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, shape.rows, shape.in_features)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            _session(shape, scheme, Path(folder) / f"{i}.onnx", threads)
            for i, scheme in enumerate(schemes)
        ]
        times: list[list[float]] = [[] for _ in runs]
        for _ in range(WARM_UP + repeats):
            for run, taken in zip(runs, times, strict=True):
                began = time.perf_counter()
                run.run(None, {"x": x})
                taken.append(1000 * (time.perf_counter() - began))
    return [median(taken[WARM_UP:]) for taken in times]


def _session(
    shape: ProductShape, scheme: Scheme | None, path: Path, threads: int
) -> ort.InferenceSession:
    torch.manual_seed(0)
    layer = nn.Linear(shape.in_features, shape.out_features)
    tensors = {f"layer.{name}": p.detach().numpy() for name, p in layer.named_parameters()}
    quantized = {}
    if scheme is not None:
        quantized["layer"] = packed(FakeQuantLinear(layer.weight, layer.bias, scheme))
    with ExternalData(path.with_name(data_file(path.name))) as data:
        g = Graph("layer", data)
        x = g.input("x", TensorProto.FLOAT, [1, "rows", shape.in_features])
        y = linear(g, x, "layer", Weights(tensors, quantized))
        g.output(y, "y", TensorProto.FLOAT, [1, "rows", shape.out_features])
        g.save(path)
    return session(path, threads)
