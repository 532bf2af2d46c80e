"""Word differences, and the selection of changed clips."""

from whisper_qat.report.evaluation.changes import changed_clips, diff_words
from whisper_qat.report.evaluation.rows import ClipResult
from whisper_qat.report.evaluation.tally import tally


def test_diff_marks_the_words_that_differ():
    before, after = diff_words("appuyez sur le carré", "appuyez sur carré rouge")
    assert before == [(False, "appuyez sur"), (True, "le"), (False, "carré")]
    assert after == [(False, "appuyez sur"), (False, "carré"), (True, "rouge")]


def test_case_and_punctuation_are_shown_but_not_marked():
    before, after = diff_words("Bonjour, Paul.", "bonjour Paul")
    assert before == [(False, "Bonjour, Paul.")]
    assert after == [(False, "bonjour Paul")]


def test_an_empty_side():
    assert diff_words("", "oui") == ([], [(True, "oui")])


def clips(*hypotheses: str) -> list[ClipResult]:
    return [
        ClipResult(id=f"c{i}", reference="oui merci" if i else "", hypothesis=h, duration_s=1.0)
        for i, h in enumerate(hypotheses)
    ]


def test_changed_on_normalised_text_only_and_without_a_rate_for_an_empty_reference():
    before, after = clips("a", "oui merci", "OUI merci"), clips("b", "oui merci bien", "oui merci")
    tallies = (tally(before, str.lower), tally(after, str.lower))
    found = changed_clips("prompts", before, after, tallies, str.lower)
    assert [(c.id, c.errors_before, c.errors_after) for c in found] == [
        ("c0", None, None),
        ("c1", 0, 1),
    ]


def test_clips_of_one_row_only_are_not_compared():
    before, after = clips("a", "b"), clips("x")
    tallies = (tally(before, str), tally(after, str))
    assert [c.id for c in changed_clips("p", before, after, tallies, str)] == ["c0"]
