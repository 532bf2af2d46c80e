"""Suppressed tokens: always, at the first step, never in the caller's array."""

import numpy as np

from whisper_qat.infer.decoding.timestamps import TimestampRules
from whisper_qat.infer.decoding.token_filters import TokenFilters

LOGITS = np.arange(6, dtype=np.float32)


def suppressed(filters, step):
    return np.flatnonzero(np.isneginf(filters.apply(LOGITS, step, []))).tolist()


def test_begin_suppress_counts_at_the_first_step_only():
    filters = TokenFilters(suppress=(1,), begin_suppress=(3, 5))
    assert suppressed(filters, 0) == [1, 3, 5]
    assert suppressed(filters, 1) == [1]


def test_logits_given_stay_as_they_were():
    TokenFilters(suppress=(0, 1)).apply(LOGITS, 0, [])
    assert LOGITS.tolist() == [0, 1, 2, 3, 4, 5]


def test_null_and_absent_lists_suppress_nothing():
    assert TokenFilters.from_generation({"suppress_tokens": None}) == TokenFilters()


def test_ids_come_from_the_generation_config():
    generation = {"suppress_tokens": [7, 8], "begin_suppress_tokens": [220, 50257]}
    filters = TokenFilters(suppress=(7, 8), begin_suppress=(220, 50257))
    assert TokenFilters.from_generation(generation) == filters


def test_timestamps_see_what_the_filters_leave_and_what_was_said():
    rules = TimestampRules(first=4, end=2)
    filters = TokenFilters(suppress=(1,), timestamps=rules)
    assert suppressed(filters, 0) == [0, 1, 2, 3]  # a time comes first
    after_text = filters.apply(np.array([9, 9, 0, 0, 0, 0], np.float32), 2, [4, 0])
    assert np.flatnonzero(np.isneginf(after_text)).tolist() == [1, 3, 4]
    generation = {"no_timestamps_token_id": 3, "eos_token_id": 2, "suppress_tokens": [1]}
    assert TokenFilters.from_generation(generation, timestamps=True) == filters
    assert TokenFilters.from_generation(generation).timestamps is None
