"""What follows a training is timed on some rows, so that a budget keeps time for it."""

from types import SimpleNamespace

import numpy as np
import pytest

from narrows.sources.array import ArraySource
from narrows.training import afterwards
from narrows.training.afterwards import CLUSTER_SECONDS, RowsAfterwards, seconds_afterwards


class Slow:
    """A model whose code of a row takes a second, and its decoding two."""

    def __init__(self, clock):
        self.clock = clock

    def encode(self, X):
        self.clock.now += len(X)
        return X[:, :1]

    def decode(self, Z):
        self.clock.now += 2 * len(Z)
        return Z


@pytest.mark.parametrize(
    ("n_rows", "held_out", "curve", "expected"),
    [
        (10, 0, 0, 10 + 2 * 3 * 10),
        (10, 4, 0, 10 + 2 * 3 * 14),
        (10, 0, 50, 10 + 2 * 3 * 10 + 2 * 50),
        (1000, 1000, 0, 300 + 2 * 3 * (50 + 20)),
    ],
)
def test_rows_after_a_training_are_counted_with_their_seconds(
    monkeypatch, n_rows, held_out, curve, expected
):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(afterwards.time, "perf_counter", lambda: clock.now)
    rows = RowsAfterwards(coded=300, summarised=50, judged=20, curve_codes=0)
    source = ArraySource(np.zeros((n_rows, 3)))
    found = seconds_afterwards(Slow(clock), source, rows, held_out, curve)
    assert found == pytest.approx(expected + CLUSTER_SECONDS)


def test_short_budgets_look_at_fewer_rows():
    whole, half, none = (RowsAfterwards.within(seconds) for seconds in (600, 30, 0))
    assert whole == RowsAfterwards() == RowsAfterwards.within(None)
    assert half.coded == whole.coded / 2
    assert none.coded == whole.coded / 10
    assert none.judged == whole.judged / 10
