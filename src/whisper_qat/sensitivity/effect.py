"""Measures how quantizing some layers alone changes the loss and the output distribution.

Both are measured with teacher forcing on real clips: mean loss per token on the reference text (end
of text included) and mean KL(float || quantized) per token, in nats. The float encoder's states are
kept, so measuring a part of the decoder takes only one pass of the decoder.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from transformers import WhisperForConditionalGeneration

from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.fake_quant.scope import set_prompt_length
from whisper_qat.model.forward import decode, encode, start
from whisper_qat.ptq.calibration import Sample
from whisper_qat.quant.scheme import FLOAT

ENCODER = "model.encoder."


@dataclass(frozen=True)
class Effect:
    """Effect of quantizing some layers: `loss` and `kl`, nats per token, over `tokens` tokens."""

    loss: float
    kl: float
    tokens: int


class Probe:
    """A fake-quantized `model` with every layer switched to float, and clips to measure on."""

    def __init__(
        self, model: WhisperForConditionalGeneration, samples: Sequence[Sample], end: int
    ) -> None:
        self.model, self.samples, self.end = model.eval(), samples, end
        set_prompt_length(model, samples[0].prompt_length)
        with self.quantizing(()), torch.inference_mode():
            self._encoded = [encode(model, sample.mel) for sample in samples]
            # Half precision would do for top tokens; KL between nearly equal models needs float32.
            self._float = [self._logits(i, fresh=False) for i in range(len(samples))]

    @torch.inference_mode()
    def measure(self, layers: Collection[str]) -> Effect:
        """The effect of quantizing `layers` (module names) and nothing else."""
        fresh = any(name.startswith(ENCODER) for name in layers)
        loss = kl = 0.0
        tokens = 0
        with self.quantizing(layers):
            for i, reference in enumerate(self._float):
                logits = self._logits(i, fresh=fresh)
                labels = self._labels(i)
                loss += functional.cross_entropy(logits, labels, reduction="sum").item()
                kl += _kl(reference, logits)
                tokens += len(labels)
        return Effect(loss / tokens, kl / tokens, tokens)

    @contextmanager
    def quantizing(self, layers: Collection[str]) -> Iterator[None]:
        """Within the `with` block, quantize `layers` (each weight once); the others stay float."""
        modules = fake_quantized(self.model)
        if unknown := set(layers) - set(modules):
            raise ValueError(f"not fake-quantized: {sorted(unknown)[0]}")
        for name, layer in modules.items():
            layer.stage = None if name in layers else FLOAT
            if name in layers:
                layer.values = layer.quantized_weight().detach()
        try:
            yield
        finally:
            for layer in modules.values():
                layer.stage, layer.values = FLOAT, None

    def _logits(self, i: int, *, fresh: bool) -> Tensor:
        """Compute the logits [n, V] of sample `i` from the last prompt token on."""
        sample = self.samples[i]
        encoded = encode(self.model, sample.mel) if fresh else self._encoded[i]
        logits = decode(self.model, sample.tokens, start(self.model, encoded))[0]
        return logits[sample.prompt_length - 1 :]

    def _labels(self, i: int) -> Tensor:
        sample = self.samples[i]
        text = sample.tokens[0, sample.prompt_length :]
        return torch.cat([text, text.new_tensor([self.end])])


def _kl(reference: Tensor, other: Tensor) -> float:
    p, q = reference.log_softmax(-1), other.log_softmax(-1)
    return functional.kl_div(q, p, log_target=True, reduction="sum").item()
