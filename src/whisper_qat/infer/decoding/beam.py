"""Beam search as in transformers' `generate`, with identical tokens on float weights.

Each step takes the best continuations of all beams together, twice as many as there are beams (more
when several tokens end), so that enough are left when some of them end. A hypothesis that ends
among the best `num_beams` is kept; its score is divided by its length, end token included, to the
power of `length_penalty`. The search stops when no beam can beat the worst hypothesis kept (judged
at the beam's present length), or with `early_stopping` as soon as `num_beams` are kept.

The scores are float32 sums of log-probabilities taken before the filters, as in
transformers. The beams of a clip share its cross-attention keys; only their own cache is reordered.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.backend import RowsBackend
from whisper_qat.infer.decoding.greedy import Decoded
from whisper_qat.infer.decoding.rules import DecodingRules

NEVER = np.float32(-1e9)  # transformers' score for what may not be chosen


@dataclass(frozen=True, kw_only=True)
class BeamSettings:
    """Beam search settings; defaults as in transformers, but five beams as in openai/whisper.

    Args:
        num_beams: hypotheses that run side by side.
        length_penalty: power of the length that a finished score is divided by.
        early_stopping: stop as soon as `num_beams` hypotheses are finished.
    """

    num_beams: int = 5
    length_penalty: float = 1.0
    early_stopping: bool = False

    def __post_init__(self) -> None:
        if self.num_beams < 1:
            raise InputError(f"num_beams={self.num_beams}: expected 1 or more")


@dataclass
class Beams:
    """Running hypotheses with float32 scores [beams], best first, and the finished ones kept.

    `ended` [beams] marks which slots of `kept` are filled; kept tokens include the end token.
    """

    running: list[list[int]]
    scores: NDArray[np.float32]
    kept: list[list[int]]
    kept_scores: NDArray[np.float32]
    ended: NDArray[np.bool_]

    @classmethod
    def start(cls, num_beams: int) -> "Beams":
        """All beams begin with the prompt; only the first gets a score, or all would stay equal."""
        scores = np.full(num_beams, NEVER)
        kept_scores = scores.copy()
        scores[0] = 0
        return cls(
            running=[[] for _ in range(num_beams)],
            scores=scores,
            kept=[[] for _ in range(num_beams)],
            kept_scores=kept_scores,
            ended=np.zeros(num_beams, dtype=np.bool_),
        )


def beam_search(
    backend: RowsBackend,
    mels: Sequence[NDArray[np.float32]],
    rules: DecodingRules,
    *,
    settings: BeamSettings,
) -> list[Decoded]:
    """Decode clips [n_mels, frames] one after another; beam search gives no `margins`.

    InputError for a model with int8-dynamic layers, where beams would share one activation range.
    """
    if backend.one_range_per_call:
        raise InputError(
            f"num_beams={settings.num_beams}: the model has int8-dynamic layers, whose activation "
            "range spans all beams; expected a block or int8-row model, or num_beams=1"
        )
    return [search_clip(backend, mel, rules, settings) for mel in mels]


def search_clip(
    backend: RowsBackend, mel: NDArray[np.float32], rules: DecodingRules, settings: BeamSettings
) -> Decoded:
    state = backend.encode_clips([mel])
    beams = Beams.start(settings.num_beams)
    logits = backend.next_logits(np.array([rules.prompt], dtype=np.int64), state)
    logits = np.repeat(logits, settings.num_beams, axis=0)
    backend.take_rows(state, [0] * settings.num_beams)
    for step in range(rules.max_new_tokens):
        came_from, going = advance(beams, logits, step, rules, settings)
        if not going:
            break
        if came_from != list(range(settings.num_beams)):
            backend.take_rows(state, came_from)
        new = np.array([[tokens[-1]] for tokens in beams.running], dtype=np.int64)
        logits = backend.next_logits(new, state)
    tokens = beams.kept[0]
    ended = bool(tokens) and tokens[-1] in rules.end_ids
    return Decoded(tokens=tokens[:-1] if ended else tokens, margins=[], ended=ended)


def advance(
    beams: Beams,
    logits: NDArray[np.float32],
    step: int,
    rules: DecodingRules,
    settings: BeamSettings,
) -> tuple[list[int], bool]:
    """Advance `beams` by `logits` [beams, vocab]; source of each new beam, and whether to go on."""
    count = settings.num_beams
    scores = np.stack(
        [
            rules.filters.apply(log_softmax(row), step, tokens)
            for row, tokens in zip(logits, beams.running, strict=True)
        ]
    )
    total = (scores + beams.scores[:, None]).ravel()
    best = largest(total, max(2, 1 + len(rules.end_ids)) * count)
    origin, chosen = best // scores.shape[1], best % scores.shape[1]
    sequences = [[*beams.running[o], int(t)] for o, t in zip(origin, chosen, strict=True)]
    last = step + 1 == rules.max_new_tokens
    hits = np.array([last or int(token) in rules.end_ids for token in chosen])

    open_scores = total[best] + np.where(hits, NEVER, np.float32(0))
    following = largest(open_scores, count)
    beams.running = [sequences[i] for i in following]
    beams.scores = open_scores[following]
    keep(beams, sequences, total[best], hits, step + 1, settings)
    return origin[following].tolist(), bool(
        not hits.all() and can_improve(beams, step + 1, settings)
    )


def keep(
    beams: Beams,
    sequences: list[list[int]],
    scores: NDArray[np.float32],
    hits: NDArray[np.bool_],
    length: int,
    settings: BeamSettings,
) -> None:
    """Keep those of `sequences` (best first) that just ended and beat a hypothesis kept before."""
    count = settings.num_beams
    ended = hits & (np.arange(len(hits)) < count)
    final = (scores / np.float32(length**settings.length_penalty)).astype(np.float32)
    final = final + np.where(ended, np.float32(0), NEVER)
    candidates = [*beams.kept, *sequences]
    merged = np.concatenate([beams.kept_scores, final])
    order = largest(merged, count)
    beams.kept = [candidates[i] for i in order]
    beams.kept_scores = merged[order]
    beams.ended = np.concatenate([beams.ended, ended])[order]


def can_improve(beams: Beams, length: int, settings: BeamSettings) -> bool:
    """Whether the best running beam, at its present `length`, beats the worst one kept."""
    if settings.early_stopping and beams.ended.all():
        return False
    reachable = beams.scores[0] / np.float32(length**settings.length_penalty)
    return bool(reachable > (beams.kept_scores.min() if beams.ended.all() else NEVER))


def largest(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Indices of the `count` largest in descending order; the first of equals comes first."""
    if count < len(scores):
        bound = np.partition(scores, len(scores) - count)[len(scores) - count]
        found = np.flatnonzero(scores >= bound)
    else:
        found = np.arange(len(scores))
    return found[np.argsort(-scores[found], kind="stable")][:count]


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-probabilities, float32 [vocab]; InputError for logits that are not finite."""
    if not np.isfinite(logits).all():
        raise InputError("the model's logits are not finite numbers; its weights are damaged")
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum())
