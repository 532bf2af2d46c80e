"""Greedy decoding of several clips in a batch, with the same tokens as for each clip alone.

A row that has ended leaves the batch, so that no work is done for it. Rows are independent in the
kernels with one activation range per row and block. A model with int8-dynamic layers has one range
per call, so its clips are decoded one by one. So are the clips of a model for which a kernel of
this CPU sums a row in a different order in a batch (`infer.kernels.kernel_check`): the last bit
would differ, and with it occasionally a token.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from whisper_qat.infer.decoding.backend import RowsBackend
from whisper_qat.infer.decoding.greedy import Decoded, best, greedy
from whisper_qat.infer.decoding.rules import DecodingRules


class BatchRow:
    """A clip being decoded: tokens and margins so far, and whether it has ended."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.margins: list[float] = []
        self.ended = False

    def choose(self, logits: NDArray[np.float32], step: int, rules: DecodingRules) -> None:
        """Appends the best token by `logits` [vocab]."""
        token, margin = best(rules.filters.apply(logits, step, self.tokens))
        self.margins.append(margin)
        self.ended = token in rules.end_ids
        if not self.ended:
            self.tokens.append(token)

    def result(self) -> Decoded:
        return Decoded(tokens=self.tokens, margins=self.margins, ended=self.ended)


def greedy_batch(
    backend: RowsBackend, mels: Sequence[NDArray[np.float32]], rules: DecodingRules
) -> list[Decoded]:
    """Decode clips [n_mels, frames] of any lengths, in their order."""
    if not backend.rows_independent or len(mels) < 2:
        return [greedy(backend, mel, rules) for mel in mels]
    rows = [BatchRow() for _ in mels]
    state = backend.encode_clips(mels)
    active = list(rows)
    new = np.tile(np.array(rules.prompt, dtype=np.int64), (len(rows), 1))
    for step in range(rules.max_new_tokens):
        for row, logits in zip(active, backend.next_logits(new, state), strict=True):
            row.choose(logits, step, rules)
        going = [place for place, row in enumerate(active) if not row.ended]
        if not going:
            break
        if len(going) < len(active):
            active = [active[place] for place in backend.keep_clips(state, going)]
        new = np.array([[row.tokens[-1]] for row in active], dtype=np.int64)
    return [row.result() for row in rows]
