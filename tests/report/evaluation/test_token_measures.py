"""Token measures: sums by hand, pooled seeds, and pairs that are not comparable."""

from pathlib import Path
from typing import Any

import pytest

from tests.report.synthetic import clip, row
from whisper_qat.report.evaluation.groups import Group, Pair
from whisper_qat.report.evaluation.resampling_units import ResamplingUnits
from whisper_qat.report.evaluation.rows import ClipResult, Evaluation, read_row
from whisper_qat.report.evaluation.token_measures import (
    CHANGED,
    KL,
    LOSS,
    TokenMeasures,
    compare_measure,
    gather,
    measure_group,
)

REFERENCE = {"control": "control", "a0": "control", "a1": "control", "b0": "control", "x": "other"}
CORPUS = ["set"]


def data(values: dict[str, dict[str, list[tuple[float, float]]]]) -> TokenMeasures:
    of = {
        (name, "set", measure): {f"c{i}": one for i, one in enumerate(sums)}
        for name, measures in values.items()
        for measure, sums in measures.items()
    }
    label = {f"c{i}": f"c{i}" for i in range(9)}
    return TokenMeasures(
        of=of, reference=REFERENCE, units={"set": ResamplingUnits(unit="clip", label=label)}
    )


def group(*names: str) -> Group:
    records = [row(n, "qat", training_seed=i) for i, n in enumerate(names)]
    return Group(name="+".join(names), rows=[read_row(r, Path("m.json")) for r in records])


def compared(a: Group, b: Group, given: TokenMeasures, measure: str) -> dict[str, Any] | None:
    return compare_measure(Pair(kind="total", a=a, b=b), CORPUS, given, measure)


def test_loss_per_token_is_a_ratio_of_sums_over_clips_and_rows():
    given = data({"a0": {LOSS: [(1.0, 2), (3.0, 4)]}, "a1": {LOSS: [(2.0, 2), (3.0, 4)]}})
    one = measure_group(["a0"], CORPUS, given)
    assert one[LOSS]["rate"] == pytest.approx(4 / 6) and one[KL] is None
    assert one[LOSS]["low"] == 0.5 and one[LOSS]["high"] == 0.75  # one of the two clips alone
    both = measure_group(["a0", "a1"], CORPUS, given)
    assert both[LOSS]["rate"] == pytest.approx(9 / 12) and both[LOSS]["clips"] == 2


def test_the_difference_by_hand():
    given = data({"a0": {KL: [(0.1, 2), (0.3, 4)]}, "b0": {KL: [(0.2, 2), (0.8, 4)]}})
    found = compared(group("a0"), group("b0"), given, KL)
    assert found is not None
    assert found["delta"] == pytest.approx(0.6 / 6)
    assert (found["low"], found["high"]) == pytest.approx((0.05, 0.125))


def test_only_clips_of_all_rows_count():
    given = data({"a0": {LOSS: [(1.0, 1), (5.0, 1)]}, "b0": {LOSS: [(2.0, 1)]}})
    found = compared(group("a0"), group("b0"), given, LOSS)
    assert found is not None and (found["delta"], found["n"]) == (1.0, 1)


def test_another_reference_or_other_tokens_or_the_reference_itself_is_no_difference():
    sums = {LOSS: [(1.0, 2)], KL: [(1.0, 2)]}
    given = data({"a0": sums, "x": {LOSS: [(1.0, 3)], KL: [(1.0, 2)]}, "control": sums})
    assert compared(group("a0"), group("x"), given, KL) is None
    assert compared(group("a0"), group("x"), given, LOSS) is None
    assert compared(group("control"), group("a0"), given, KL) is None
    assert measure_group(["control"], CORPUS, given)[KL] is None
    assert measure_group(["control"], CORPUS, given)[LOSS]["rate"] == 0.5


def results(texts: list[str]) -> list[ClipResult]:
    fields = ("id", "reference", "hypothesis", "duration_s")
    return [ClipResult(**{k: clip(i, t)[k] for k in fields}) for i, t in enumerate(texts)]


def test_changed_transcripts_are_those_that_differ_after_normalisation(tmp_path):
    records = [row("control", "float"), row("q", "qat")]
    evaluation = Evaluation(
        rows=[read_row(r, Path("m.json")) for r in records],
        corpora=CORPUS,
        clips={
            ("control", "set"): results(["Oui.", "non", "si"]),
            ("q", "set"): results(["oui", "nom", "si"]),
        },
        measurements={"kl_reference": {"control": "control", "q": "control"}},
        folder=tmp_path,
    )
    label = {f"clip_{i:03d}": str(i) for i in range(3)}
    units = {"set": ResamplingUnits(unit="clip", label=label)}
    found = gather(evaluation, units, lambda text: text.lower().strip("."))
    assert measure_group(["q"], CORPUS, found)[CHANGED]["rate"] == pytest.approx(1 / 3)
    assert measure_group(["control"], CORPUS, found)[CHANGED] is None
    assert measure_group(["q"], CORPUS, found)[LOSS] is None
