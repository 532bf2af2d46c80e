"""Rows alone: a row whose codes depend on its neighbours is seen, one on its own is not."""

import numpy as np

from whisper_qat.parity.codes.rows_alone import ALONE, count_moved

ROWS = np.arange(20.0)[:, None] * np.ones(3)


def test_rows_that_stay_are_not_counted():
    assert count_moved(len(ROWS), lambda part: ROWS[part]) == 0


def test_rows_that_move_are_counted_by_code():
    assert count_moved(len(ROWS), lambda part: ROWS[part] / ROWS[part].max(initial=1)) > 0


def test_of_many_rows_a_few_come_alone():
    asked = []
    count_moved(100, lambda part: asked.append(part) or np.zeros((part.stop - part.start, 1)))
    assert ALONE <= len(asked) - 1 <= 17 and {s.stop - s.start for s in asked[1:]} == {1}
