"""The sensitivity report: rows as measured, WER where available, the plan in words."""

from whisper_qat.report.sensitivity import markdown, svg


def row(part, **changes):
    values = {"part": part, "loss": 1.0, "kl": 0.0, "tokens": 50, "bytes_saved": 0,
              "ms_saved": 0.0, "delta_loss": 0.0}  # fmt: skip
    return values | changes


FOUND = {
    "scheme": "block-int4-32-f16", "table_scheme": "block-int8-32-f16", "by": "kind", "clips": 4,
    "tokens": 50, "threads": 1, "fp32_bytes": 1000,
    "rows": [row("float"),
             row("encoder fc1", kl=0.0123, delta_loss=-0.5, bytes_saved=2_500_000, ms_saved=3.14)],
}  # fmt: skip


def test_each_row_is_a_line():
    text = markdown(FOUND)
    assert "| encoder fc1 | −0.5000 | 0.0123 | 2.5 | 3.1 |" in text
    assert "4 clips with 50 tokens" in text and "WER" not in text


def test_wer_where_it_was_measured():
    rows = [{**r, "wer": 0.2 + i / 10, "delta_wer": i / 10} for i, r in enumerate(FOUND["rows"])]
    assert "| 30.00 | +10.00 |" in markdown(FOUND | {"rows": rows})


def test_the_proposal_in_words():
    proposal = {"fine": ["encoder fc1"], "share_of_fp32": 0.2, "measured_kl": 0.01,
            "expected_kl": 0.02, "measured_delta_loss": 0.1}  # fmt: skip
    line = markdown(FOUND | {"proposal": proposal}).splitlines()[-1]
    assert line == (
        "Proposed plan: the finer scheme for encoder fc1. Its size is 20.0 % of float32; its KL is "
        "0.0100 as measured and 0.0200 as expected from the parts; its Δ loss is 0.1000."
    )
    assert "the finer scheme for no part." in markdown(
        FOUND | {"proposal": proposal | {"fine": []}}
    )


def test_the_plot_has_a_bar_for_each_part_and_none_for_float():
    text = svg(FOUND)
    assert "encoder fc1" in text and ">float<" not in text
    assert text == svg(FOUND)
