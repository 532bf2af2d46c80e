"""Calibration: collects statistics of each layer's inputs, with all earlier layers quantized.

The model's blocks are processed in order. A block first runs in float over all samples while a
statistic of each of its layers' inputs is summed; then its layers are quantized; then it runs
again, quantized, to produce the next block's inputs. So every layer is fitted to the inputs it will
have when deployed (GPTQ's own procedure), at the cost of two forward passes of the whole model.

Statistics are those of the inputs that the kernel multiplies, on the scheme's activation grid.

Memory: the model, one hidden state per sample, and the statistics of one block; [K, K] in float32
for an encoder layer of Whisper large is 5 x 6.5 MB + 105 MB (K = 1280 and 5120). The token table is
fitted last, as the output head; until then embeddings use ORT's scales for it.

Shapes: M mel bins, F mel frames, S encoder positions, T tokens, D width.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import WhisperForConditionalGeneration

from whisper_qat.model import forward
from whisper_qat.model.fake_quant.layers import FakeQuantLinear, fake_quantized, quantized_once
from whisper_qat.model.fake_quant.scope import set_prompt_length
from whisper_qat.model.plan.plan import HEAD
from whisper_qat.quant import numerics
from whisper_qat.quant.scheme import FLOAT, Scheme

Statistic = Callable[[Tensor], Tensor]
Fit = Callable[[FakeQuantLinear, Tensor], None]
Run = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Sample:
    """One calibration utterance: mel [1, M, F] at its own audio context, tokens int64 [1, T].

    The first `prompt_length` tokens are the decoder's prompt.
    """

    mel: Tensor
    tokens: Tensor
    prompt_length: int


def second_moment(x: Tensor) -> Tensor:
    """Return X^T X [K, K] of x [n, K], half the Hessian of the layer's squared output error."""
    return x.T @ x


def channel_squares(x: Tensor) -> Tensor:
    """Return each channel's sum of squares [K] of x [n, K], the diagonal of `second_moment`."""
    return x.square().sum(0)


@torch.no_grad()
def fit_layers(
    model: WhisperForConditionalGeneration, samples: Sequence[Sample], statistic: Statistic,
    fit: Fit, progress: Callable[[str], None] = lambda name: None,
) -> None:  # fmt: skip
    """Call `fit` once for every quantized layer, with the sum of `statistic` over its inputs.

    `model` must have its plan applied; `fit` sets weight and scale in place.
    """
    set_prompt_length(model, samples[0].prompt_length)
    fitter = _Fitter(statistic, fit, progress)
    encoder, decoder = model.model.encoder, model.model.decoder
    at = model.device
    hidden = [forward.encoder_input(model, sample.mel.to(at)) for sample in samples]
    for index, layer in enumerate(encoder.layers):
        hidden = fitter.block(f"encoder layer {index}", layer, hidden, _encoder_run(layer))
    encoded = [encoder.layer_norm(x) for x in hidden]
    hidden = [forward.decoder_input(model, sample.tokens.to(at)) for sample in samples]
    for index, layer in enumerate(decoder.layers):
        hidden = fitter.block(f"decoder layer {index}", layer, hidden, _decoder_run(layer, encoded))
    hidden = [decoder.layer_norm(x) for x in hidden]
    fitter.measure_and_fit(HEAD, model.proj_out, hidden, lambda x, i: model.proj_out(x))
    set_prompt_length(model, None)


def _encoder_run(layer: nn.Module) -> Run:
    return lambda x, i: forward.encoder_layer(layer, x)


def _decoder_run(layer: nn.Module, encoded: Sequence[Tensor]) -> Run:
    def run(x: Tensor, i: int) -> Tensor:
        cross = forward.cross_key_value(layer, encoded[i])
        mask = forward.causal_mask(x.shape[1], 0, x.device)
        return forward.decoder_layer(layer, x, cross, None, None, mask)[0]

    return run


@dataclass(frozen=True)
class _Fitter:
    statistic: Statistic
    fit: Fit
    progress: Callable[[str], None]

    def block(
        self, name: str, module: nn.Module, inputs: Sequence[Tensor], run: Run
    ) -> list[Tensor]:
        """Fit the layers of `module`, then return its quantized outputs for each of `inputs`."""
        self.measure_and_fit(name, module, inputs, run)
        with quantized_once(module):
            return [run(x, i) for i, x in enumerate(inputs)]

    def measure_and_fit(
        self, name: str, module: nn.Module, inputs: Sequence[Tensor], run: Run
    ) -> None:
        self.progress(name)
        layers = [m for m in fake_quantized(module).values() if isinstance(m, FakeQuantLinear)]
        sums = _Sums(self.statistic)
        with ExitStack() as stack:
            for layer in layers:
                stack.enter_context(_in_float(layer))
                stack.callback(layer.register_forward_pre_hook(sums.add).remove)
            for i, x in enumerate(inputs):
                run(x, i)
        for layer in layers:
            self.fit(layer, sums.of.pop(layer))


class _Sums:
    """Sums a statistic of each layer's inputs; `add` is a forward pre-hook."""

    def __init__(self, statistic: Statistic) -> None:
        self.of: dict[nn.Module, Tensor] = {}
        self._statistic = statistic
        self._last: tuple[Tensor, tuple[Scheme, int | None], Tensor] | None = None

    def add(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, FakeQuantLinear)
        found = self._measure(inputs[0], layer.scheme, layer.first_call)
        self.of[layer] = self.of[layer].add_(found) if layer in self.of else found.clone()

    def _measure(self, x: Tensor, scheme: Scheme, first_call: int | None) -> Tensor:
        """Return the statistic of the quantized `x`; cached, as q, k and v share their input."""
        key = (scheme, first_call)
        if self._last is None or self._last[0] is not x or self._last[1] != key:
            heard = numerics.fake_quantize_activation(x, scheme, first_call)
            self._last = (x, key, self._statistic(heard.flatten(0, -2)))
        return self._last[2]


@contextmanager
def _in_float(layer: FakeQuantLinear) -> Iterator[None]:
    layer.stage = FLOAT
    try:
        yield
    finally:
        layer.stage = None
