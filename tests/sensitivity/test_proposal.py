"""The proposed plan: choices as ordered rules, a budget that cannot be met in one line."""

import re

import pytest

from tests.sensitivity.test_mixed_plan import UNITS, unit
from whisper_qat.errors import InputError
from whisper_qat.model.plan.plan import HEAD, TOKEN_TABLE
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.sensitivity.mixed_plan import Proposal
from whisper_qat.sensitivity.parts import Part, table_parts
from whisper_qat.sensitivity.proposal import Budget, choose, facts, rules, table_as_one

INT4, INT8 = BlockScheme(4, 32), BlockScheme(8, 32)
TABLE = re.escape(TOKEN_TABLE)


def test_a_size_budget_counts_what_is_not_chosen():
    made = choose(UNITS, Budget(size=0.6, kl=None), fp32_bytes=1000, rest_bytes=100)
    assert made.fine == ("large", "small")
    assert choose(UNITS, Budget(None, 0.7), fp32_bytes=1000, rest_bytes=100).fine == ("large",)


def test_a_budget_that_cannot_be_met():
    with pytest.raises(InputError, match="--propose: the budget cannot be met .300 bytes with"):
        choose(UNITS, Budget(0.1, None), fp32_bytes=1000, rest_bytes=0)


def test_rules_are_ordered_and_end_with_the_rest():
    made = rules(Proposal(("large",), 0, 0.0), UNITS, (INT4, INT8), (INT4, INT8))
    assert [(rule.pattern, rule.scheme) for rule in made[1:]] == [
        ("large", INT8.name), (TABLE, INT4.name), (".*", INT4.name),
    ]  # fmt: skip
    assert made[0].scheme == "float16" and made[1].why == (
        "large: KL 5.00e-01 when coarse, 0.00e+00 when finer"
    )


def test_a_finer_table_has_one_rule():
    units = [*UNITS, unit(TABLE, 0.3)]
    made = rules(Proposal((TABLE,), 0, 0.0), units, (INT4, INT8), (INT4, INT8))
    assert [rule.scheme for rule in made if rule.pattern == TABLE] == [INT8.name]


def test_the_tables_two_uses_are_one_choice():
    parts = [Part("a", "a", ("a",)), *table_parts()]
    *rest, table = table_as_one(parts)
    assert rest == parts[:1] and table.layers == (TOKEN_TABLE, HEAD)


def test_facts_set_expected_and_measured_side_by_side():
    found = facts(Proposal(("a",), 150, 0.2), {"kl": 0.3, "delta_loss": 0.1}, 1000, 50)
    assert found == {
        "fine": ["a"], "expected_kl": 0.2, "measured_kl": 0.3, "measured_delta_loss": 0.1,
        "bytes": 200, "share_of_fp32": 0.2,
    }  # fmt: skip
