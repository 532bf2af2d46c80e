"""The analysis: schemes are switched in place, the proposal is measured as it would be applied."""

import pytest

from tests.export import cases
from tests.ptq.test_calibration import samples
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.checkpoint.info import Info
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.sensitivity.analysis import Analysis
from whisper_qat.sensitivity.proposal import Budget

INT2, INT8 = BlockScheme(2, 32, "float16"), BlockScheme(8, 32, "float16")


@pytest.fixture
def analysis():
    info = Info(quantization_type="none", method="float", fine_tuned=False, audio_context={},
                base_model={})  # fmt: skip
    final = Final(cases.tiny_whisper(), None, info)
    return Analysis(final, samples(), "kind", None, threads=1)


def effect(analysis, scheme):
    return {row["part"]: row for row in analysis.measure(scheme)["rows"]}


def test_a_finer_scheme_does_less(analysis):
    coarse, fine = effect(analysis, INT2), effect(analysis, INT8)
    assert fine["everything"]["kl"] < 0.05 * coarse["everything"]["kl"]
    assert fine["encoder fc1"]["bytes_saved"] < coarse["encoder fc1"]["bytes_saved"]


def test_the_proposal_is_measured_with_its_own_mix(analysis):
    everything = effect(analysis, INT2)["everything"]["kl"]
    size = (analysis.rest_bytes + 1.5 * 0.1 * analysis.fp32_bytes) / analysis.fp32_bytes
    rules, found = analysis.propose(INT2, INT8, Budget(size=max(size, 0.3), kl=None))
    schemes = {layer.scheme for layer in fake_quantized(analysis.model).values()}
    assert schemes == {INT2, INT8}
    assert 0 < found["measured_kl"] < everything
    assert {rule.scheme for rule in rules} == {INT2.name, INT8.name, "float16"}
