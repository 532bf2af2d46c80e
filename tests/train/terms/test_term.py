"""The record of a term: it needs a teacher and is left out at weight 0 unless it says otherwise."""

from whisper_qat.train.terms.term import Term


def test_defaults():
    term = Term(name="toy", weight="toy_weight", sum=lambda *given: given[2].sum())
    assert term.needs_teacher and not term.reported and term.others == ()
