"""Fake-quantized layers: a Linear and an Embedding that compute what the deployed kernel does.

A layer holds the float weight that training updates. Its grid comes from ORT's rule on that weight,
or from `weight_scale` once that is set: a tensor is a fixed grid (a trained checkpoint, a
baseline), a Parameter is a learned one. The products themselves may run in bf16 under autocast;
codes and scales are always float32. While a curriculum approaches the planned scheme, `stage` holds
the scheme used in its place.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from whisper_qat.quant import learned_scale, numerics
from whisper_qat.quant.numerics import WeightNumerics
from whisper_qat.quant.scheme import FLOAT, Scheme


class FakeQuantWeight(nn.Module):
    """A weight [N, K] on the grid of `scheme`: the base class of the Linear and the Embedding."""

    def __init__(self, weight: nn.Parameter, scheme: Scheme) -> None:
        super().__init__()
        self.weight = weight
        self.scheme = scheme
        self.weight_scale: Tensor | None = None
        self.values: Tensor | None = None
        self.stage: Scheme | str | None = None

    @property
    def _verbs(self) -> WeightNumerics:
        return numerics.of_weight(self.scheme)

    def scale(self) -> Tensor:
        """Return float32 [N, ceil(K/block)]: the scale set, or ORT's rule on the current weight."""
        if self.weight_scale is not None:
            return self.scheme.storable(self.weight_scale.detach())
        return self._verbs.choose_params(self.weight, self.scheme)[0]

    def fix_scale(self, scale: Tensor) -> None:
        """Use `scale` [N, ceil(K/block)] from now on, without training it."""
        self._parameters.pop("weight_scale", None)
        self.weight_scale = scale.detach()

    def codes(self) -> Tensor:
        """Return the stored codes, uint8 [N, ceil(K/block)*block]."""
        return self._verbs.quantize(self.weight, self.scale(), self.scheme)

    def quantized_weight(self) -> Tensor:
        """Return the weight on its grid, float32 [N, K]; straight-through gradient to `weight`."""
        if self.values is not None:
            return self.values
        return self._on_grid(self.weight, self.weight_scale)

    def _on_grid(self, weight: Tensor, scale: Tensor | None) -> Tensor:
        """Quantize `weight`, rows of the layer's weight, by their `scale` and the current stage."""
        if isinstance(self.stage, str):
            assert self.stage == FLOAT, self.stage
            return weight
        if self.stage is not None:
            return numerics.of_weight(self.stage).fake_quantize(weight, self.stage)
        if isinstance(self.weight_scale, nn.Parameter):
            assert scale is not None
            return learned_scale.fake_quantize(weight, scale, self.scheme)
        return self._verbs.fake_quantize(weight, self.scheme, scale)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[1]} -> {self.weight.shape[0]}, {self.scheme.name}"


class FakeQuantLinear(FakeQuantWeight):
    """`nn.Linear` as its kernel computes it: x [B, M, K] or [M, K] -> [..., N].

    For int8-dynamic the extent of a kernel call matters: each x [M, K] is one call. If `first_call`
    is set, each [M, K] of an x [B, M, K] is instead a prompt of that many rows, one call, followed
    by one call for every later row (`model.fake_quant.scope`).
    """

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None, scheme: Scheme):
        super().__init__(weight, scheme)
        self.bias = bias
        self.quantize_activation = True
        self.reverse_sum = False
        self.first_call: int | None = None

    def forward(self, x: Tensor) -> Tensor:
        weight = self.quantized_weight()
        if self.quantize_activation and self.stage != FLOAT:
            first_call = self.first_call if x.dim() == 3 else None
            x = numerics.fake_quantize_activation(x, self.scheme, first_call)
        if self.reverse_sum:  # the same products in the other order: measures the rounding floor
            x, weight = x.flip(-1), weight.flip(-1)
        return functional.linear(x, weight, self.bias)


class FakeQuantEmbedding(FakeQuantWeight):
    """`nn.Embedding` as GatherBlockQuantized computes it; rows are quantized after the lookup."""

    def forward(self, tokens: Tensor) -> Tensor:
        if self.values is not None:
            return functional.embedding(tokens, self.values)
        rows = functional.embedding(tokens, self.weight)
        flat = rows.reshape(-1, rows.shape[-1])
        scale = None if self.weight_scale is None else self.weight_scale[tokens.reshape(-1)]
        return self._on_grid(flat, scale).reshape(rows.shape)


def fake_quantized(model: nn.Module) -> dict[str, FakeQuantWeight]:
    """Return the fake-quantized layers of a model by module name."""
    return {n: m for n, m in model.named_modules() if isinstance(m, FakeQuantWeight)}


@contextmanager
def quantized_once(model: nn.Module) -> Iterator[None]:
    """Within the `with` block, quantize each weight only once (inference); values are the same."""
    shared: dict[int, Tensor] = {}
    before = {layer: layer.values for layer in fake_quantized(model).values()}
    with torch.no_grad():
        for layer in before:
            key = id(layer.weight)
            if key not in shared:
                shared[key] = layer.quantized_weight()
            layer.values = shared[key]
    try:
        yield
    finally:
        for layer, values in before.items():
            layer.values = values


@torch.no_grad()
def settle(model: nn.Module) -> None:
    """Replace every weight by its quantized values, so inference needs no second copy of the model.

    Only for scales that are set: ORT's rule might choose others for the changed weights.
    """
    for layer in fake_quantized(model).values():
        assert layer.weight_scale is not None, "a settled weight needs a scale that stays"
        if layer.values is None:
            layer.weight.copy_(layer.quantized_weight())
        layer.values = layer.weight.detach()


@contextmanager
def activations_in_float(model: nn.Module) -> Iterator[None]:
    """Switch activation quantization off within the `with` block (to check the wiring alone)."""
    yield from _switch(model, "quantize_activation", False)


@contextmanager
def summed_in_reverse(model: nn.Module) -> Iterator[None]:
    """Sum over K in reverse within the `with` block, to measure the effect of summation order."""
    yield from _switch(model, "reverse_sum", True)


def _switch(model: nn.Module, attribute: str, value: bool) -> Iterator[None]:
    layers = [m for m in fake_quantized(model).values() if isinstance(m, FakeQuantLinear)]
    for layer in layers:
        setattr(layer, attribute, value)
    try:
        yield
    finally:
        for layer in layers:
            setattr(layer, attribute, not value)
