"""Word error rate of a model in memory, worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from whisper_qat.infer.greedy_wer import greedy_wer

AUDIO = {text: np.full(3, i, np.float32) for i, text in enumerate(("Un, deux.", "[rires]", "oui"))}


class Repeating:
    """Transcribes every recording as `text`, and counts them."""

    def __init__(self, text):
        self.text, self.heard = text, []

    def transcribe(self, audio):
        self.heard.append(audio[0])
        return SimpleNamespace(text=self.text)


def test_errors_over_reference_words_after_normalisation():
    transcriber = Repeating("un trois")
    assert greedy_wer(transcriber, AUDIO.items()) == pytest.approx((1 + 2) / 3)
    assert transcriber.heard == [0, 2]  # a reference without words is not decoded


def test_no_words_is_no_rate():
    with pytest.raises(ValueError, match="the references have no words"):
        greedy_wer(Repeating("un"), [("(silence)", AUDIO["oui"])])
