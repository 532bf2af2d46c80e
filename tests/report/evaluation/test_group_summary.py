"""The entry of each group: its control and its figures."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.report.synthetic import all_rows, corpus, row, write_evaluation
from whisper_qat.report.evaluation.forced_records import forced_path
from whisper_qat.report.evaluation.group_summary import control_of
from whisper_qat.report.evaluation.groups import group_rows
from whisper_qat.report.evaluation.rows import read_row
from whisper_qat.report.evaluation.summary import summarize

LOSS_OF = {"base": 20.0, "control": 10.0, "qat": 12.0}  # of 10 tokens a clip


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("groups")
    return summarize(forced_evaluation(folder))


def forced_evaluation(folder: Path) -> Path:
    """Three seeds on two corpora, every row's loss and KL to the control of its seed."""
    rows = all_rows(seeds=3)
    reference = {r["name"]: f"control-s{r['training_seed'] or 0}" for r in rows}
    corpora = [corpus("prompts", 12), corpus("verse", 6)]
    write_evaluation(folder, rows, corpora, kl_reference=reference)
    for name, other in reference.items():
        loss = LOSS_OF[name.split("-")[0]] + 0.01 * len(name)
        for one in corpora:
            path = forced_path(folder, name, other, one["name"])
            path.parent.mkdir(parents=True, exist_ok=True)
            records = [
                {"id": f"clip_{i:03d}", "tokens": 10, "loss": loss, "kl": loss / 100, "agreeing": 9}
                for i in range(one["clips"])
            ]
            path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def entry(results: dict[str, Any], name: str, corpus_name: str = "all") -> dict[str, Any]:
    found = [
        e for e in results["group_summary"] if (e["group"], e["corpus"]) == (name, corpus_name)
    ]
    assert len(found) == 1
    return found[0]


def test_every_group_on_all_and_on_each_corpus(summary):
    names = {e["group"] for e in summary["group_summary"]}
    assert len(summary["group_summary"]) == 3 * len(names)
    assert names == {
        "base-float", "base-float-full", "base-ptq-int8", "control (3 seeds)",
        "control-ptq-int8 (3 seeds)", "qat-int8 (3 seeds)",
    }  # fmt: skip


def test_qat_against_its_control(summary):
    one = entry(summary, "qat-int8 (3 seeds)")
    assert one["control"] == "control (3 seeds)" and one["seeds"] == [0, 1, 2]
    same = [
        c
        for c in summary["comparisons"]
        if (c["b"], c["kind"], c["corpus"], c["normalizer"])
        == (one["group"], "quantization", "all", "card")
    ]
    assert [one["delta"][k] for k in ("delta", "low", "high")] == [
        same[0][k] for k in ("delta", "low", "high")
    ]
    assert one["wer"]["rate"] == pytest.approx(same[0]["wer_b"])
    qat, control = (LOSS_OF[n] + 0.01 * len(f"{m}-s0") for n, m in
                    (("qat", "qat-int8"), ("control", "control")))  # fmt: skip
    assert one["measures"]["loss"]["rate"] == pytest.approx(qat / 10)
    assert one["measure_deltas"]["loss"]["delta"] == pytest.approx((qat - control) / 10)
    assert one["measures"]["kl"]["rate"] == pytest.approx(qat / 1000)
    assert one["measures"]["agreement"]["rate"] == pytest.approx(0.9)


def test_the_base_is_compared_with_the_control_too_and_another_context_is_not(summary):
    assert len(entry(summary, "base-float")["delta"]["members"]) == 3
    assert entry(summary, "base-float-full")["control"] is None
    control = entry(summary, "control (3 seeds)")
    assert control["control"] is control["delta"] is control["measures"]["kl"] is None
    assert control["measures"]["loss"] is not None


def test_the_control_of_most_seeds():
    records = [
        row("lone", "float", fine_tuned=True, training_seed=0, plan="other"),
        *(row(f"c-s{i}", "float", fine_tuned=True, training_seed=i) for i in range(2)),
        row("q", "qat"),
    ]
    groups = group_rows([read_row(r, Path("m.json")) for r in records])
    found = control_of(groups[-1], groups)
    assert found is not None and found.name == "c (2 seeds)"
