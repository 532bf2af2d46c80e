"""Block scales during training: their initial values, and whether they are trained.

`rule`: ORT's rule, applied to the present weights in every step.
`learned`: a Parameter per layer, started from ORT's rule, by least squared error, or with GPTQ's
codes (`ptq.warm_start`), trained at `scale_lr_ratio` times the weights' rate (LSQ).
"""

from torch import Tensor, nn

from whisper_qat.model.fake_quant.layers import FakeQuantWeight, fake_quantized
from whisper_qat.quant import least_squares_scale, numerics

SCALES = ("rule", "learned")


def learn(model: nn.Module, start: str = "ort") -> None:
    """Make every layer's scale a Parameter, initialised by `start`; tied layers share one."""
    shared: dict[int, nn.Parameter] = {}
    for layer in fake_quantized(model).values():
        key = id(layer.weight)
        if key not in shared:
            shared[key] = nn.Parameter(_start_value(layer, start))
        layer.weight_scale = shared[key]


def restart(model: nn.Module, start: str) -> None:
    """Reset learned scales, in place, to the values of `start` for the present weights."""
    for parameter, layer in learned_scales(model).values():
        parameter.data.copy_(_start_value(layer, start))


def learned_scales(model: nn.Module) -> dict[int, tuple[nn.Parameter, FakeQuantWeight]]:
    """The learned scales by id, each with a layer that uses it."""
    layers = fake_quantized(model).values()
    scales = [(layer.weight_scale, layer) for layer in layers]
    return {id(s): (s, layer) for s, layer in scales if isinstance(s, nn.Parameter)}


def _start_value(layer: FakeQuantWeight, start: str) -> Tensor:
    assert start in ("ort", "least-squares"), start
    chosen = least_squares_scale if start == "least-squares" else numerics.of_weight(layer.scheme)
    scale: Tensor = chosen.choose_params(layer.weight, layer.scheme)[0]
    return scale
