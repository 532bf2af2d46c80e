"""Which row KL is taken to, and what the user reads when the pass fails."""

from pathlib import Path

import pytest

from whisper_qat.errors import GateError, InputError
from whisper_qat.model.checkpoint.info import Info
from whisper_qat.runs.child_process import ChildDied
from whisper_qat.tasks.evaluate import forced
from whisper_qat.tasks.evaluate.forced import measure_all_forced, references
from whisper_qat.tasks.evaluate.rows import RowFolder

DYNAMIC, FULL = ({"mode": mode, "margin_s": 3.0} for mode in ("dynamic", "full"))


def row(name, method, seed=None, context=DYNAMIC, base="base"):
    info = Info(
        quantization_type="none" if method == "float" else "int4",
        method=method,
        fine_tuned=seed is not None,
        audio_context=context,
        base_model={"name": base, "fingerprint": base},
        training_seed=seed,
    )
    return RowFolder(name=name, folder=Path(name), runtime="onnx", fingerprint=name, info=info)


def study():
    return [
        row("base-float", "float"),
        row("base-ptq", "ptq"),
        *(row(f"control-s{seed}", "float", seed) for seed in range(3)),
        *(row(f"ptq-s{seed}", "ptq", seed) for seed in range(3)),
        *(row(f"int4-s{seed}", "qat", seed) for seed in range(3)),
    ]


def test_each_row_is_compared_with_the_control_of_its_seed():
    found = references(study(), "base-float", None)
    assert [found[f"int4-s{s}"] for s in range(3)] == [f"control-s{s}" for s in range(3)]
    assert [found[f"ptq-s{s}"] for s in range(3)] == [f"control-s{s}" for s in range(3)]
    assert [found[f"control-s{s}"] for s in range(3)] == [f"control-s{s}" for s in range(3)]
    assert (found["base-float"], found["base-ptq"]) == ("control-s0", "control-s0")


def test_a_control_of_the_same_base_and_context_comes_first():
    rows = [
        row("other", "float", 0, base="small"),
        row("heard-in-full", "float", 0, FULL),
        row("control", "float", 0),
        row("int4", "qat", 0),
    ]
    assert references(rows, None, None)["int4"] == "control"


def test_without_control_the_baseline_and_without_both_none():
    rows = [row("base-float", "float"), row("int4", "qat", 0)]
    assert references(rows, "base-float", None) == {
        "base-float": "base-float", "int4": "base-float",
    }  # fmt: skip
    assert references(rows[1:], None, None) == {"int4": None}


def test_a_named_reference_stands_for_all():
    assert set(references(study(), "base-float", "base-ptq").values()) == {"base-ptq"}
    with pytest.raises(InputError, match="--kl_reference 'control': no such row.*expected one of"):
        references(study(), None, "control")


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (ChildDied("it ended with -9"), GateError, "teacher-forced pass: it ended .* is kept in"),
        (InputError("row x: no"), InputError, "teacher-forced pass: row x: no"),
        (KeyboardInterrupt(), KeyboardInterrupt, "the same command goes on from there"),
    ],
    ids=["memory", "input", "interrupt"],
)
def test_a_pass_that_fails(raised, expected, message, tmp_path, monkeypatch):
    def fails(*arguments):
        raise raised

    monkeypatch.setattr(forced, "in_child", fails)
    with pytest.raises(expected, match=message):
        measure_all_forced([row("a", "float")], [], tmp_path, {"a": "a"}, threads=1, language="fr")
