"""Temperature fallback: a chunk whose text repeats itself is decoded again, by sampling.

Whisper's own remedy for loops (Radford et al. 2022, section 4.5, and openai/whisper's
`decode_with_fallback`): text that zlib shrinks by more than 2.4 repeats itself; the chunk is
sampled at rising temperatures until its text does not, and the last try is kept. Of its two
criteria this is the one for loops; the other, a mean log-probability under -1, would take a softmax
of every greedy step. Each try starts from the same seed, so a transcript depends neither on other
chunks nor on batches or interruptions.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whisper_qat.infer.backend import Backend
from whisper_qat.infer.decode import Decoded, greedy, lead
from whisper_qat.infer.decoding_rules import DecodingRules


@dataclass(frozen=True, kw_only=True)
class Fallback:
    """When a chunk is decoded again, and how; the defaults are openai/whisper's.

    Args:
        threshold: compression ratio over which a text repeats itself.
        temperatures: of the tries, in their order; none only marks such chunks.
        seed: of every try.
    """

    threshold: float = 2.4
    temperatures: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0)
    seed: int = 0

    def __str__(self) -> str:
        tries = ", ".join(str(temperature) for temperature in self.temperatures)
        return (
            f"over a compression ratio of {self.threshold} sampled at temperatures {tries}, "
            f"seed {self.seed}"
        )

    def repeats(self, text: str) -> bool:
        """Whether `text` is one that no human says."""
        return compression_ratio(text) > self.threshold

    def decode_again(
        self,
        decoded: Decoded,
        backend: Backend,
        mel: NDArray[np.float32],
        rules: DecodingRules,
        text: Callable[[list[int]], str],
    ) -> Decoded:
        """`decoded` of the spectrogram [n_mels, frames], or what came instead of its repetition."""
        for temperature in self.temperatures:
            if not self.repeats(text(decoded.tokens)):
                break
            decoded = replace(
                greedy(backend, mel, rules, choose=Sampler(temperature, self.seed)),
                temperature=temperature,
            )
        return decoded


class Sampler:
    """Draws tokens with the probabilities softmax(scores / temperature)."""

    def __init__(self, temperature: float, seed: int) -> None:
        self.temperature = temperature
        self.random = np.random.default_rng(seed)

    def __call__(self, scores: NDArray[np.float32]) -> tuple[int, float]:
        """A token by `scores` [vocab], -inf for what may not come, and its lead over the best."""
        logits = scores.astype(np.float64) / self.temperature
        # The largest sum of a logit and Gumbel noise falls on each token with its probability.
        token = int((logits + self.random.gumbel(size=len(logits))).argmax())
        return token, lead(scores, token)


def compression_ratio(text: str) -> float:
    """Bytes of `text` in UTF-8 for each byte that zlib makes of them; 0 without text."""
    content = text.encode()
    return len(content) / len(zlib.compress(content))
