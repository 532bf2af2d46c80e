"""Numerics: which module's verbs the weights and activations of a scheme follow."""

from types import ModuleType

from torch import Tensor

from whisper_qat.quant import (
    block_activation,
    block_weight,
    channel_weight,
    dynamic_activation,
    row_activation,
)
from whisper_qat.quant.scheme import BlockScheme, DynamicScheme, RowScheme, Scheme

WEIGHTS: dict[type[Scheme], ModuleType] = {
    BlockScheme: block_weight,
    DynamicScheme: channel_weight,
    RowScheme: channel_weight,
}


def of_weight(scheme: Scheme) -> ModuleType:
    """The module with choose_params, quantize, dequantize, fake_quantize and float_codes.

    All take the scheme; scales are [N, blocks], and `float_codes` takes [N, blocks, block].
    """
    return WEIGHTS[type(scheme)]


def fake_quantize_activation(x: Tensor, scheme: Scheme, first_call: int | None = None) -> Tensor:
    """`x` [..., M, K] on the grid of the scheme's activations.

    `first_call` says how M divides into kernel calls (`dynamic_activation`); codes of
    the other schemes do not depend on it.
    """
    if isinstance(scheme, BlockScheme):
        return block_activation.fake_quantize(x, scheme.block_size)
    if isinstance(scheme, RowScheme):
        return row_activation.fake_quantize(x)
    return dynamic_activation.fake_quantize(x, first_call)
