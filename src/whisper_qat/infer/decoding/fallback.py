"""Temperature fallback: a chunk whose text is repetitive is decoded again by sampling.

Whisper's own remedy for loops (Radford et al. 2022, section 4.5, and openai/whisper's
`decode_with_fallback`): text whose zlib compression ratio exceeds 2.4 counts as repetitive, and
the chunk is sampled at rising temperatures until its text is not. Three things differ. The
compression ratio is the only criterion: those on mean log-probability (under -1) and silence would
need a softmax in every greedy step. Sampling uses a fixed seed, so a transcript depends neither on
other chunks nor on batches or interruptions. Where every attempt is repetitive, as speech itself
may be, the original text is kept, not the last sample.

Each attempt runs the encoder again: it is rarely needed, so no encoder output is kept for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.backend import Backend
from whisper_qat.infer.decoding.greedy import Decoded, greedy, lead
from whisper_qat.infer.decoding.rules import DecodingRules
from whisper_qat.metrics.hallucination import MAX_COMPRESSION, compression_ratio


@dataclass(frozen=True, kw_only=True)
class Fallback:
    """When and how a chunk is decoded again; threshold and temperatures as in openai/whisper.

    Args:
        threshold: compression ratio over which a text repeats itself.
        temperatures: of the tries, in their order, each above 0; none only marks such chunks.
        seed: of the draws.
    """

    threshold: float = MAX_COMPRESSION
    temperatures: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0)
    seed: int = 0

    def __post_init__(self) -> None:
        if not all(temperature > 0 for temperature in self.temperatures):
            raise InputError(f"temperatures={self.temperatures}: expected numbers above 0")

    def __str__(self) -> str:
        tries = ", ".join(str(temperature) for temperature in self.temperatures)
        return (
            f"over a compression ratio of {self.threshold} sampled at temperatures {tries}, "
            f"seed {self.seed}"
        )

    def repeats(self, text: str) -> bool:
        """Whether `text` looks like a loop."""
        return compression_ratio(text) > self.threshold

    def decode_again(
        self,
        decoded: Decoded,
        backend: Backend,
        mel: NDArray[np.float32],
        rules: DecodingRules,
        text: Callable[[list[int]], str],
    ) -> Decoded:
        """Return `decoded`, or where it is repetitive the first sampled attempt that is not.

        `mel` is the spectrogram [n_mels, frames]. A sampled result has no `margins`.
        """
        if not self.repeats(text(decoded.tokens)):
            return decoded
        for number, temperature in enumerate(self.temperatures):
            sampler = Sampler(temperature, [self.seed, number])
            tried = greedy(backend, mel, rules, choose=sampler)
            if not self.repeats(text(tried.tokens)):
                return replace(tried, margins=[], temperature=temperature)
        return decoded


class Sampler:
    """Draws tokens with the probabilities softmax(scores / temperature)."""

    def __init__(self, temperature: float, seed: int | list[int]) -> None:
        self.temperature = temperature
        self.random = np.random.default_rng(seed)

    def __call__(self, scores: NDArray[np.float32]) -> tuple[int, float]:
        """Sample a token by `scores` [vocab], -inf where not allowed.

        Returns the token and its lead over the best other one.
        """
        logits = scores.astype(np.float64) / self.temperature
        # The largest sum of a logit and Gumbel noise falls on each token with its probability.
        token = int((logits + self.random.gumbel(size=len(logits))).argmax())
        return token, lead(scores, token)
