"""A QAT model without changed codes fails, but its report is kept."""

import pytest

from tests.report.synthetic import codes
from whisper_qat.errors import GateError
from whisper_qat.report.evaluation.gates import check_gates, codes_gates


def test_changed_codes_pass():
    gates = codes_gates(codes(1))
    assert [gate["passed"] for gate in gates] == [True, True]
    check_gates({"gates": gates}, "report.html")


def test_no_changed_code_fails():
    gates = codes_gates(codes(0))
    message = (
        r"qat-int8 compared with control-ptq-int8: 0 of 71,000,000 .* "
        r"\(the report was still written: report\.html\)"
    )
    with pytest.raises(GateError, match=message):
        check_gates({"gates": gates}, "report.html")


def test_nothing_compared_is_no_failure():
    check_gates({"gates": codes_gates([])}, "report.html")
