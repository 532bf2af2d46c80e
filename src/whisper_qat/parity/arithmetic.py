"""Arithmetic check: every planned layer by itself, on the input it has in the torch model.

Weight codes and scales are read from the written file and must equal the torch layer's. The input
goes through a one-node session made from the written node, in one call: the output must agree
within 1e-5. Activation codes are read through the kernel and must be equal; where the scheme
guarantees it, also to those of a row run alone, so that they are the same in any batch, padding or
step.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from whisper_qat.data.utterances import Material
from whisper_qat.export.onnx.read import one_node_model, read_layer
from whisper_qat.infer.onnx.session import session
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.fake_quant.layers import FakeQuantEmbedding, FakeQuantWeight, fake_quantized
from whisper_qat.model.fake_quant.scope import set_prompt_length
from whisper_qat.parity import activation_codes
from whisper_qat.parity.logits import whole

TOLERANCE = 1e-5
MAX_ROWS = 64  # of a layer's input: enough for variety, few enough to check every layer


def check(final: Final, folder: Path, material: Material) -> dict[str, Any]:
    """Results per layer; `passed` when every code is equal and every output within 1e-5."""
    layers = []
    set_prompt_length(final.model, material.prompt_length)
    captured = capture(final.model, material)
    for name, layer in fake_quantized(final.model).items():
        layers.append({"name": name, "scheme": layer.scheme.name}
                      | check_layer(folder, name, layer, captured[name]))  # fmt: skip
    return {"tolerance": TOLERANCE, "layers": layers, "passed": all(x["passed"] for x in layers)}


def check_layer(folder: Path, name: str, layer: FakeQuantWeight, x: Tensor) -> dict[str, Any]:
    """For one layer: differing codes and scales, and the output's relative distance."""
    written = read_layer(folder, name)
    wrong_codes = int((written.codes != layer.codes().numpy()).sum())
    wrong_scales = int((written.scales != layer.scale().numpy()).sum())
    runtime = session(one_node_model(folder, name))
    (y,) = runtime.run(None, {"x": x.numpy()})
    with torch.no_grad():
        expected = layer(x).numpy()
    if isinstance(layer, FakeQuantEmbedding):
        wrong_activations, moved, relative = 0, 0, float((y != expected).sum())
    else:
        wrong_activations = activation_codes.count_wrong(x, layer.scheme)
        moved = activation_codes.count_moved(x, layer.scheme)
        relative = float(np.linalg.norm(y - expected) / np.linalg.norm(expected))
    passed = (
        not (wrong_codes or wrong_scales or wrong_activations or moved) and relative <= TOLERANCE
    )
    return {
        "wrong_weight_codes": wrong_codes, "wrong_scales": wrong_scales,
        "wrong_activation_codes": wrong_activations, "codes_moved_by_batch": moved,
        "relative": relative, "passed": passed,
    }  # fmt: skip


def capture(model: nn.Module, material: Material) -> dict[str, Tensor]:
    """Input of every fake-quantized layer on the first utterance, at most MAX_ROWS rows."""
    captured: dict[str, Tensor] = {}
    with _hooks(model, captured):
        whole(TorchBackend(model), material.utterances[0], material.prompt_length)  # type: ignore[arg-type]
    return captured


@contextmanager
def _hooks(model: nn.Module, captured: dict[str, Tensor]) -> Iterator[None]:
    def keep(name: str):  # type: ignore[no-untyped-def]
        def hook(module: nn.Module, inputs: tuple[Tensor]) -> None:
            x = inputs[0].detach()
            rows = x.reshape(-1) if x.dtype == torch.int64 else x.reshape(-1, x.shape[-1])
            stride = max(1, len(rows) // MAX_ROWS)  # spread over the whole clip
            captured[name] = rows[::stride][:MAX_ROWS].clone()

        return hook

    layers = fake_quantized(model).items()
    handles = [layer.register_forward_pre_hook(keep(name)) for name, layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
