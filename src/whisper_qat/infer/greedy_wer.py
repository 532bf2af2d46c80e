"""Word error rate of a model in memory, from greedy transcripts of a few clips.

For choices on held-out speech during training or sensitivity analysis. Evaluations of
finished models are `measure.row` and `metrics`: they keep every transcript.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from whisper_qat.infer.transcribe import Transcriber
from whisper_qat.metrics.normalizers.registry import get_normalizer
from whisper_qat.metrics.wer import count_words, total

NORMALIZER = "card"


def greedy_wer(
    transcriber: Transcriber, speech: Iterable[tuple[str, NDArray[np.float32]]]
) -> float:  # fmt: skip
    """Word errors over reference words, as a fraction.

    `speech` gives pairs of reference and audio [samples] at 16 kHz. References without words are
    skipped; ValueError when no word is left.
    """
    normalize = get_normalizer(NORMALIZER).apply
    counts = []
    for text, audio in speech:
        if reference := normalize(text):
            hypothesis = transcriber.transcribe(audio).text
            counts.append(count_words(reference, normalize(hypothesis)))
    return total(counts).rate
