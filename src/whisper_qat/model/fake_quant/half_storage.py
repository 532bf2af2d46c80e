"""Float layers that are stored in float16: their forward pass already uses the rounded values.

The parameters keep their names and their float32 values, which training updates; the gradient
passes straight through the rounding. So export rounds nothing that was not rounded in training.
"""

from torch import Tensor, nn
from torch.nn import functional

from whisper_qat.quant import half


class HalfStorage(nn.Module):
    """A layer whose weight, of any shape, is stored in float16; its bias, if any, stays float32."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.weight = layer.weight
        self.bias = getattr(layer, "bias", None)

    def stored(self) -> Tensor:
        """Return the weight rounded to float16, as float32."""
        return half.fake_quantize(self.weight)


class HalfConv1d(HalfStorage):
    def __init__(self, layer: nn.Conv1d) -> None:
        super().__init__(layer)
        self.stride, self.padding = layer.stride, layer.padding

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x [B, channels, F] -> [B, N, F / stride]."""
        return functional.conv1d(x, self.stored(), self.bias, self.stride, self.padding)


class HalfLinear(HalfStorage):
    def forward(self, x: Tensor) -> Tensor:
        """Multiply x [..., K] -> [..., N]."""
        return functional.linear(x, self.stored(), self.bias)


class HalfPositions(HalfStorage):
    """A table of position vectors; read through `positions`, never called."""


FORMS = ((nn.Conv1d, HalfConv1d), (nn.Linear, HalfLinear), (nn.Embedding, HalfPositions))


def in_half(layer: nn.Module) -> HalfStorage:
    """Wrap `layer` (Conv1d, Linear or a position table) for float16 storage; shares parameters."""
    for kind, form in FORMS:
        if isinstance(layer, kind):
            return form(layer)
    raise TypeError(f"{type(layer).__name__}: no float16 form")


def positions(table: nn.Module) -> Tensor:
    """Return the position vectors [positions, D] of an embedding or of its float16 form."""
    weight = table.stored() if isinstance(table, HalfStorage) else table.weight
    assert isinstance(weight, Tensor)
    return weight


def half_storages(model: nn.Module) -> dict[str, HalfStorage]:
    """Return the layers of a model that are stored in float16, by module name."""
    return {n: m for n, m in model.named_modules() if isinstance(m, HalfStorage)}
