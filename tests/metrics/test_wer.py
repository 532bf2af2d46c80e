"""Error counts of known pairs, and rates from their sums."""

import pytest

from whisper_qat.metrics.wer import Counts, count_chars, count_words, total


def counts(s, d, i, words):
    return Counts(substitutions=s, deletions=d, insertions=i, words=words)


# The pairs of jiwer's tests/test_measures.py (test_known_values), and French ones counted by hand.
@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("This is a test", "this is a test", counts(1, 0, 0, 4)),
        ("X", "X X Y Y", counts(0, 0, 3, 1)),
        ("X", "Y Y", counts(1, 0, 1, 1)),
        ("the cat sat", "the cat sat", counts(0, 0, 0, 3)),
        ("composez le code suivi du dièse", "composez code suivi du dièse", counts(0, 1, 0, 6)),
        ("un deux trois", "", counts(0, 3, 0, 3)),
        ("", "merci beaucoup", counts(0, 0, 2, 0)),
        ("", "", counts(0, 0, 0, 0)),
    ],
)
def test_known_word_counts(reference, hypothesis, expected):
    assert count_words(reference, hypothesis) == expected


def test_known_character_counts():
    assert count_chars("dièse", "diese") == counts(1, 0, 0, 5)
    assert count_chars("un  deux", "un deu") == counts(0, 1, 0, 7)
    assert count_chars("", "ab") == counts(0, 0, 2, 0)


def test_corpus_rate_is_the_ratio_of_sums():
    both = total([count_words("a", "b"), count_words("a b c d e f g h i", "a b c d e f g h i")])
    assert both.rate == 1 / 10
    assert both.errors == 1


def test_rate_can_pass_one_and_raises_on_no_words():
    assert count_words("a", "a b c").rate == 2.0
    with pytest.raises(ValueError, match="the references have no words, so the error rate is not"):
        _ = total([]).rate
