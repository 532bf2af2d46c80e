"""Every kind of sentence of the story, on known values."""

from typing import Any

import pytest

from tests.report.known_results import compared, known_results
from tests.report.synthetic import FULL, INT4, quickstart_rows, row
from whisper_qat.report.evaluation.story import story

RATES = {
    "base-float": 0.2037,
    "base-ptq-int8": 0.2068,
    "control": 0.1034,
    "control-ptq-int8": 0.1034,
    "qat-int8": 0.1019,
    "control-ptq-int4": 0.1497,
    "qat-int4": 0.1096,
}
TRAINED: dict[str, Any] = {"fine_tuned": True, "training_seed": 0}
BASE, CONTROL = row("base", "float"), row("control", "float", **TRAINED)
PTQ, QAT = row("ptq", "ptq", **TRAINED, **INT4), row("qat", "qat", **TRAINED, **INT4)


def told(*arguments: Any, **changes: Any) -> list[str]:
    return [s.replace("\u00a0", " ") for s in story(known_results(*arguments, **changes))]


def test_the_quickstart():
    rows = [(record, RATES[record["name"]]) for record in quickstart_rows()]
    effects = [
        compared("QAT effect", "control-ptq-int8", "qat-int8", -0.0015, -0.009, 0.006),
        compared("QAT effect", "control-ptq-int4", "qat-int4", -0.0401, -0.07, -0.01),
    ]
    assert told(rows, *effects) == [
        "The published model (base-float, 30 s): 20.37 % WER, 290.4 MB.",
        "Quantized to int8 without training (base-ptq-int8): 20.68 %, 81.8 MB.",
        "Fine-tuned in float (control, clip + 1 s): 10.34 %, 290.4 MB.",
        "The model fine-tuned in float, quantized to int8 afterwards (control-ptq-int8): "
        "10.34 %, 81.8 MB.",
        "Fine-tuned with int8 simulated (qat-int8): 10.19 %, 81.8 MB, "
        "0.15 points less than quantizing afterwards (may be chance).",
        "The model fine-tuned in float, quantized to int4 afterwards (control-ptq-int4): "
        "14.97 %, 57.3 MB.",
        "Fine-tuned with int4 simulated (qat-int4): 10.96 %, 57.3 MB, "
        "4.01 points less than quantizing afterwards.",
    ]


def test_numbers_do_not_break_from_their_units():
    (sentence,) = story(known_results([(BASE, 0.2)]))
    assert "1\u00a0s" in sentence and "20.00\u00a0% WER" in sentence and "290.4\u00a0MB" in sentence


@pytest.mark.parametrize(
    ("delta", "low", "high", "words"),
    [
        (-0.02, -0.03, -0.01, "2.00 points less than quantizing afterwards."),
        (0.02, 0.01, 0.03, "2.00 points more than quantizing afterwards."),
        (-0.02, -0.04, 0.0, "2.00 points less than quantizing afterwards (may be chance)."),
        (0.00001, -0.01, 0.01, "within 0.01 points of quantizing afterwards."),
        (0.0, 0.0, 0.0, "the same as quantizing afterwards."),
    ],
    ids=["less", "more", "interval up to 0", "rounds to 0", "equal"],
)
def test_difference_from_quantizing_afterwards(delta: float, low: float, high: float, words: str):
    rows = [(PTQ, 0.15), (QAT, 0.13)]
    sentences = told(rows, compared("QAT effect", "ptq", "qat", delta, low, high))
    assert sentences[-1] == f"Fine-tuned with int4 simulated (qat): 13.00 %, 57.3 MB, {words}"


def test_without_ptq_of_the_control_qat_is_compared_with_the_control():
    rows = [(CONTROL, 0.10), (QAT, 0.13)]
    sentences = told(rows, compared("quantization", "control", "qat", 0.03, 0.01, 0.05))
    assert sentences[-1].endswith(": 13.00 %, 57.3 MB, 3.00 points more than in float.")


def test_without_control_qat_is_compared_with_nothing():
    sentences = told([(BASE, 0.2), (QAT, 0.13)], compared("total", "base", "qat", -0.07))
    assert sentences[-1] == "Fine-tuned with int4 simulated (qat): 13.00 %, 57.3 MB."


def test_other_corpora_and_normalisers_are_not_told():
    effect = compared("QAT effect", "ptq", "qat", -0.02)
    others = [effect | {"corpus": "verse"}, effect | {"normalizer": "fr"}]
    assert told([(PTQ, 0.15), (QAT, 0.13)], *others)[-1].endswith("57.3 MB.")


def test_several_ptq_methods_are_named():
    gptq = row("better", "ptq", **TRAINED, **INT4, ptq_method="gptq")
    rounded = PTQ | {"ptq_method": "round-to-nearest"}
    sentences = told(
        [(rounded, 0.15), (gptq, 0.12), (QAT, 0.13)],
        compared("QAT effect", "ptq", "qat", -0.02, -0.03, -0.01),
        compared("QAT effect", "better", "qat", 0.01),
    )
    assert sentences == [
        "The model fine-tuned in float, quantized to int4 afterwards (ptq, clip + 1 s): "
        "15.00 % WER, 57.3 MB.",
        "The model fine-tuned in float, quantized to int4 afterwards (better, gptq): "
        "12.00 %, 57.3 MB.",
        "Fine-tuned with int4 simulated (qat): 13.00 %, 57.3 MB, "
        "2.00 points less than ptq and 1.00 points more than better (may be chance).",
    ]


def test_pooled_seeds_are_one_system():
    rows = [
        (row(f"qat-s{seed}", "qat", fine_tuned=True, training_seed=seed), 0.12) for seed in range(3)
    ]
    assert told(rows) == [
        "Fine-tuned with int8 simulated (qat, 3 seeds, clip + 1 s): 12.00 % WER, 81.8 MB."
    ]


def test_plans_of_one_width_are_told_apart():
    by_row = row("by-row", "qat", **TRAINED, scheme="int8-row")
    blocks = row("blocks", "qat", **TRAINED)
    assert told([(by_row, 0.12), (blocks, 0.11), (QAT, 0.13)]) == [
        "Fine-tuned with int8-row simulated (by-row, clip + 1 s): 12.00 % WER, 81.8 MB.",
        "Fine-tuned with block-int8-32 simulated (blocks): 11.00 %, 81.8 MB.",
        "Fine-tuned with int4 simulated (qat): 13.00 %, 57.3 MB.",
    ]


def test_ptq_of_the_base_alone_names_the_published_model():
    assert told([(row("base-ptq", "ptq", audio_context=FULL), 0.2)]) == [
        "The published model, quantized to int8 without training (base-ptq, 30 s): "
        "20.00 % WER, 81.8 MB."
    ]


def test_unknown_size_and_torch():
    lone = row("checkpoint", "float", model_bytes=None, runtime="torch", audio_context=None)
    assert told([(lone, 0.2)]) == ["The published model (checkpoint, 30 s, PyTorch): 20.00 % WER."]


def test_rows_outside_or_unmeasured_are_not_told():
    effect = compared("QAT effect", "ptq", "qat", -1.0, -2.0, -0.5)
    cost = compared("quantization", "control", "qat", 0.03, 0.01, 0.05)
    rows = [(BASE, None), (CONTROL, 0.10), (PTQ, 1.2), (QAT, 0.13)]
    sentences = told(rows, effect, cost, outside=["ptq"])
    assert [s.split(" (")[0] for s in sentences] == [
        "Fine-tuned in float", "Fine-tuned with int4 simulated",
    ]  # fmt: skip
    assert sentences[1].endswith("3.00 points more than in float.")


def test_nothing_measured():
    assert told([(BASE, None)]) == []
