"""The parity gate on a tiny model: it passes what was written, int8, int4 and float."""

import pytest

from tests.parity.conftest import CHANNEL
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.parity import gate


def run(written):
    lines = []
    return gate.run(*written, lines.append, transcripts_of=2), lines


@pytest.mark.parametrize("written", ["int8", "int4", "int3", *CHANNEL], indirect=True)
def test_passes_what_was_written(written):
    report, lines = run(written)
    assert report["passed"] and report["failed"] == []
    assert {layer["wrong_weight_codes"] for layer in report["arithmetic"]["layers"]} == {0}
    assert {layer["wrong_activation_codes"] for layer in report["arithmetic"]["layers"]} == {0}
    names = {layer["name"] for layer in report["arithmetic"]["layers"]}
    assert names == set(fake_quantized(written[0].model))
    assert report["wiring"]["relative"] < 1e-5
    assert not report["whole_model"]["enough_positions"]
    assert len(lines) == 4 and "too few to judge" in lines[-1]
    assert report["transcripts"]["transcripts"] == 2


@pytest.mark.parametrize("written", ["none"], indirect=True)
def test_a_float_folder_shows_its_wiring(written):
    report, _ = run(written)
    assert report["passed"] and set(report) == {"material", "wiring", "passed", "failed"}
