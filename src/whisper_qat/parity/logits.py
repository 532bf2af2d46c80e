"""Compare the logits of torch and the runtime over the same tokens."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whisper_qat.data.utterances import Material, Utterance
from whisper_qat.infer.decoding.backend import Backend


def whole(backend: Backend, utterance: Utterance, prompt_length: int) -> NDArray[np.float32]:
    """Logits [n, V] from the last prompt token on, with all tokens in one call as in training."""
    logits = backend.logits(utterance.tokens, backend.encode(utterance.mel))[0]
    return logits[prompt_length - 1 :]


def stepped(backend: Backend, utterance: Utterance, prompt_length: int) -> NDArray[np.float32]:
    """The same rows computed as in decoding: the prompt, then one token per call with the cache."""
    state = backend.encode(utterance.mel)
    rows = [backend.logits(utterance.tokens[:, :prompt_length], state)[0, -1:]]
    for i in range(prompt_length, utterance.tokens.shape[1]):
        rows.append(backend.logits(utterance.tokens[:, i : i + 1], state)[0])
    return np.concatenate(rows)


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Relative norm of the difference (`relative`), share of equal top tokens (`agreement`)."""

    relative: float
    agreement: float
    positions: int


class Distances:
    """Sums over utterances, from which their common `Distance` is formed."""

    def __init__(self) -> None:
        self.difference = self.norm = 0.0
        self.equal = self.positions = 0

    def add(self, other: NDArray[np.float32], reference: NDArray[np.float32]) -> None:
        """Add one utterance's logits [n, V] of both sides."""
        self.difference += float(np.square(other - reference, dtype=np.float64).sum())
        self.norm += float(np.square(reference, dtype=np.float64).sum())
        self.equal += int((other.argmax(-1) == reference.argmax(-1)).sum())
        self.positions += len(reference)

    def distance(self) -> Distance:
        return Distance(
            relative=(self.difference / self.norm) ** 0.5,
            agreement=self.equal / self.positions,
            positions=self.positions,
        )


def compare(torch_side: Backend, other: Backend, material: Material) -> Distance:
    """Distance of `other`, run in decoding steps, from torch's whole forward pass."""
    sums = Distances()
    for utterance in material.utterances:
        reference = whole(torch_side, utterance, material.prompt_length)
        sums.add(stepped(other, utterance, material.prompt_length), reference)
    return sums.distance()
