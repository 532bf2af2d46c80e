"""The rule of the transcripts gate on made-up rows, and real decoding on a tiny model."""

import pytest

from whisper_qat.infer.decoding.greedy import Decoded
from whisper_qat.infer.decoding.text_decoder import TextDecoder
from whisper_qat.parity import transcripts
from whisper_qat.parity.transcripts import judge, margin_at_fork


def rows(number, *, forked=0, floor=0, wrong=0, floor_wrong=0):
    """`number` transcripts of five words: so many fork, so many of the forked have one error."""
    return [
        {
            "id": str(i), "reference": "un deux trois quatre cinq",
            "torch": "un deux trois quatre cinq",
            "floor": "un deux trois quatre " + ("sept" if i < floor_wrong else "cinq"),
            "onnx": "un deux trois quatre " + ("six" if i < wrong else "cinq"),
            "forked": i < forked, "floor_forked": i < floor, "margin": 0.1 if i < forked else None,
        }
        for i in range(number)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "passed"),
    [
        (rows(100, forked=5), True),
        (rows(100, forked=6), False),
        (rows(100, forked=16, floor=11), True),
        (rows(100, forked=17, floor=11), False),
        (rows(400, forked=6, wrong=6), True),  # 6 of 2,000 words: 0.3 points
        (rows(400, forked=7, wrong=7), False),
        (rows(400, forked=10, wrong=10, floor=4, floor_wrong=4), True),
        (rows(400, forked=11, wrong=11, floor=4, floor_wrong=4), False),
        (rows(99, forked=50), True),
    ],
)
def test_rule(found, passed):
    result = judge(found, speech=True)
    assert result["passed"] is passed
    assert result["enough_transcripts"] is (len(found) >= 100)


def test_what_is_reported():
    result = judge(rows(200, forked=3, floor=2, wrong=1), speech=True)
    assert (result["changed_share"], result["floor_share"]) == (0.015, 0.01)
    assert result["wer"] == {"torch": 0.0, "onnx": 0.001, "floor": 0.0}
    assert result["changed"][0] == {
        "id": "0", "torch": "un deux trois quatre cinq", "onnx": "un deux trois quatre six",
        "margin": 0.1,
    }  # fmt: skip


def test_noise_has_no_word_error_rate():
    assert judge(rows(3), speech=False)["wer"] == {}


def test_speech_without_a_reference_word_has_none():
    silent = [row | {"reference": "..."} for row in rows(100, forked=6)]
    assert judge(silent, speech=True)["wer"] == {}
    assert not judge(silent, speech=True)["passed"]
    spoken = rows(100, wrong=1)
    assert judge(spoken + silent, speech=True)["wer"] == judge(spoken, speech=True)["wer"]


def test_decoding_both_sides(written):
    final, folder, material, rules = written
    found = transcripts.check(final, folder, material, rules, TextDecoder.from_folder(folder))
    assert found["transcripts"] == 3 and 0 <= found["changed_share"] <= 1
    assert len(found["changed"]) == round(3 * found["changed_share"])


def decoded(tokens, margins):
    return Decoded(tokens=tokens, margins=margins, ended=True)


def test_margin_at_the_first_difference():
    a = decoded([1, 2, 3], [0.5, 0.1, 0.7, 0.9])
    assert margin_at_fork(a, decoded([1, 4, 3], [0, 0, 0, 0])) == 0.1
    assert margin_at_fork(a, decoded([1, 2, 3, 4], [0] * 5)) == 0.9
    assert margin_at_fork(a, decoded([1, 2], [0] * 3)) == 0.7
