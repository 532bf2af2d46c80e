"""Numerics: the verbs of a scheme's weights and activations, on torch tensors."""

from typing import Protocol

from torch import Tensor

from whisper_qat.quant.registry import part
from whisper_qat.quant.scheme import Scheme


class WeightNumerics(Protocol):
    """The part `weight` of a record; scales are float32 [N, blocks], codes are stored ones."""

    def choose_params(self, weight: Tensor, scheme: Scheme) -> tuple[Tensor, int]:
        """(scale [N, blocks], zero point) of `weight` [N, K] by the scheme's rule."""

    def quantize(self, weight: Tensor, scale: Tensor, scheme: Scheme) -> Tensor:
        """Codes of `weight` [N, K], uint8 [N, blocks*block]; padding holds the zero point."""

    def dequantize(self, codes: Tensor, scale: Tensor, scheme: Scheme) -> Tensor:
        """float32 [N, blocks*block]: (code - zero point) * scale."""

    def fake_quantize(self, weight: Tensor, scheme: Scheme, scale: Tensor | None = None) -> Tensor:
        """`weight` [N, K] on the grid, float32; the gradient goes straight through.

        Without `scale`, the scheme's rule chooses one.
        """

    def float_codes(self, parts: Tensor, scale: Tensor, scheme: Scheme) -> Tensor:
        """Codes of `parts` [N, blocks, block] as a new float32 tensor of the same shape."""


class ActivationNumerics(Protocol):
    """The part `activation` of a record."""

    def fake_quantize_calls(self, x: Tensor, scheme: Scheme, first_call: int | None) -> Tensor:
        """See `fake_quantize_activation`."""


def of_weight(scheme: Scheme) -> WeightNumerics:
    """The verbs of the scheme's weights."""
    verbs: WeightNumerics = part(scheme, "weight")
    return verbs


def fake_quantize_activation(x: Tensor, scheme: Scheme, first_call: int | None = None) -> Tensor:
    """`x` [..., M, K] on the grid of the scheme's activations; the gradient goes straight through.

    `first_call` says how M divides into kernel calls (`dynamic_activation`); it matters where
    `codes_depend_on_call`.
    """
    verbs: ActivationNumerics = part(scheme, "activation")
    return verbs.fake_quantize_calls(x, scheme, first_call)
