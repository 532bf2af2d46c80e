"""Greedy decoding over any backend: the most likely token that the filters allow, until the end.

Another choice, such as sampling, can replace the most likely token. Independent of runtime,
tokenizer and audio. On float weights the tokens are those of transformers' `generate` with
num_beams 1 (tested). The margin of each choice is kept: where two runtimes differ, a small margin
means that the two tokens were nearly equally likely.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.backend import Backend
from whisper_qat.infer.decoding.rules import DecodingRules


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """Decoded tokens without prompt and end; `margins` has one entry per choice, end included.

    `ended` is False when decoding stopped at the limit of new tokens; `temperature` is that of
    sampling, 0 for greedy decoding.
    """

    tokens: list[int]
    margins: list[float]
    ended: bool
    temperature: float = 0.0


def best(scores: NDArray[np.float32]) -> tuple[int, float]:
    """The token with the highest score [vocab] (the first of equals) and its lead over the next."""
    token = int(scores.argmax())
    return token, lead(scores, token)


def lead(scores: NDArray[np.float32], token: int) -> float:
    """Score of `token` minus the best other one [vocab]; InputError where no score is finite."""
    others = max(scores[:token].max(initial=-np.inf), scores[token + 1 :].max(initial=-np.inf))
    if not np.isfinite(scores[token]):
        raise InputError("the model's logits are not finite numbers; its weights are damaged")
    return float(scores[token] - others)


def greedy(
    backend: Backend,
    mel: NDArray[np.float32],
    rules: DecodingRules,
    *,
    choose: Callable[[NDArray[np.float32]], tuple[int, float]] = best,
) -> Decoded:
    """Decode one utterance from its spectrogram float32 [n_mels, frames].

    `choose` takes scores [vocab] and returns a token and its lead over the best other one.
    """
    state = backend.encode(mel[None])
    new = list(rules.prompt)
    tokens: list[int] = []
    margins: list[float] = []
    for step in range(rules.max_new_tokens):
        logits = backend.next_logits(np.array([new], dtype=np.int64), state)[0]
        token, margin = choose(rules.filters.apply(logits, step, tokens))
        margins.append(margin)
        if token in rules.end_ids:
            return Decoded(tokens=tokens, margins=margins, ended=True)
        tokens.append(token)
        new = [token]
    return Decoded(tokens=tokens, margins=margins, ended=False)
