"""The interface of a scheme's arithmetic on torch tensors, for weights and activations."""

from typing import Protocol

from torch import Tensor

from whisper_qat.quant.registry import part
from whisper_qat.quant.scheme import Scheme


class WeightNumerics(Protocol):
    """The `weight` part of a scheme's record in `quant.registry`.

    Scales are float32 [N, blocks]; codes include the zero point, as they are stored.
    """

    def choose_params(self, weight: Tensor, scheme: Scheme) -> tuple[Tensor, int]:
        """Choose (scale [N, blocks], zero point) of `weight` [N, K] by the scheme's rule."""

    def quantize(self, weight: Tensor, scale: Tensor, scheme: Scheme) -> Tensor:
        """Quantize `weight` [N, K] to uint8 [N, blocks*block]; padding holds the zero point."""

    def dequantize(self, codes: Tensor, scale: Tensor, scheme: Scheme) -> Tensor:
        """Return (code - zero point) * scale, float32 [N, blocks*block]."""

    def fake_quantize(self, weight: Tensor, scheme: Scheme, scale: Tensor | None = None) -> Tensor:
        """Round `weight` [N, K] to the grid, float32; straight-through gradient.

        Without `scale`, the scheme's rule chooses one.
        """

    def float_codes(self, parts: Tensor, scale: Tensor, scheme: Scheme) -> Tensor:
        """Return codes of `parts` [N, blocks, block] as a new float32 tensor of that shape."""


class SharedScaleNumerics(WeightNumerics, Protocol):
    """The `weight` part of a scheme whose `scales_share_channel`."""

    def share_channel(
        self, parts: Tensor, scale: Tensor, scheme: Scheme, importance: Tensor | None
    ) -> Tensor:
        """Round `scale` [N, blocks] of `parts` [N, blocks, block] to storable ones, together.

        They are chosen by squared error, weighted by `importance` [blocks, block].
        """


class ActivationNumerics(Protocol):
    """The `activation` part of a scheme's record in `quant.registry`."""

    def fake_quantize_calls(self, x: Tensor, scheme: Scheme, first_call: int | None) -> Tensor:
        """See `fake_quantize_activation`."""


def of_weight(scheme: Scheme) -> WeightNumerics:
    """Return the arithmetic of the scheme's weights."""
    verbs: WeightNumerics = part(scheme, "weight")
    return verbs


def of_shared_scales(scheme: Scheme) -> SharedScaleNumerics:
    """Return the arithmetic of the weights of a scheme whose `scales_share_channel`."""
    assert scheme.scales_share_channel, scheme
    verbs: SharedScaleNumerics = part(scheme, "weight")
    return verbs


def fake_quantize_activation(x: Tensor, scheme: Scheme, first_call: int | None = None) -> Tensor:
    """Round `x` [..., M, K] to the scheme's activation grid; straight-through gradient.

    `first_call` says how M divides into kernel calls (see `quant.dynamic_activation`); it matters
    only for schemes whose `codes_depend_on_call`.
    """
    verbs: ActivationNumerics = part(scheme, "activation")
    return verbs.fake_quantize_calls(x, scheme, first_call)
