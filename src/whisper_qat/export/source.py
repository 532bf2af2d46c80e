"""The weights of a loaded checkpoint as input for the graphs, with codes computed on demand.

A layer's codes come from its own `codes()`, the method that training and evaluation use: exporting
never chooses a scale.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from whisper_qat.export.weights import QuantizedWeight, Weights
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.fake_quant.half_storage import half_storages
from whisper_qat.model.fake_quant.layers import FakeQuantWeight, fake_quantized
from whisper_qat.model.plan.plan import HEAD
from whisper_qat.quant.packing import pack


class PackedLayers(Mapping[str, QuantizedWeight]):
    """Layer name -> packed codes and scales, computed on each access and not kept."""

    def __init__(self, layers: Mapping[str, FakeQuantWeight]) -> None:
        self._layers = layers

    def __getitem__(self, name: str) -> QuantizedWeight:
        return packed(self._layers[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


def packed(layer: FakeQuantWeight) -> QuantizedWeight:
    """The layer's trained codes and scales in the kernel's layout."""
    with torch.no_grad():
        return QuantizedWeight(
            packed=pack(layer.codes().numpy(), layer.scheme),
            scales=layer.scale().float().numpy(),
            scheme=layer.scheme,
            in_features=layer.weight.shape[1],
        )


def checkpoint_weights(final: Final) -> Weights:
    """The weights of a loaded checkpoint, without the head, which is tied to the token table."""
    layers = {name: layer for name, layer in fake_quantized(final.model).items() if name != HEAD}
    planned = [entry.name for entry in final.plan.layers] if final.plan else []
    half = final.plan.half() if final.plan else []
    return Weights(parameters(final), PackedLayers(layers), planned, half)


def parameters(final: Final) -> dict[str, np.ndarray]:
    """Every parameter but the tied head's, as float32, rounded where it is stored in float16."""
    state = dict(final.model.named_parameters(remove_duplicate=True))
    state |= {
        f"{name}.weight": layer.stored() for name, layer in half_storages(final.model).items()
    }
    return {
        name: tensor.detach().numpy()
        for name, tensor in state.items()
        if not name.endswith(".weight_scale")
    }
