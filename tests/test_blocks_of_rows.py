"""Blocks of few rows, of the usual number and of many: each row has the same bits in all."""

import numpy as np
import pytest
import torch

from conftest import quick
from narrows import Conv, Neighbors
from narrows.model.steady import FEW_ROWS, MANY_ROWS, USUAL_ROWS, Heights
from narrows.sources.mnist import load_mnist

X = load_mnist("test", return_X_y=True)[0]


@pytest.mark.parametrize(
    "params",
    [{}, {"objective": Neighbors()}, {"network": Conv(), "sample_shape": (28, 28)}],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_has_the_same_bits_however_many_come_with_it(params, dtype):
    rows = X[:1100].astype(dtype)
    ae = quick(3, max_steps=3, keep="last", **params).fit(X[:1100])
    whole = ae.transform(rows)
    back = ae.inverse_transform(whole)
    for n in (1, FEW_ROWS, FEW_ROWS + 1, USUAL_ROWS + 1, 200, MANY_ROWS + 3):
        np.testing.assert_array_equal(ae.transform(rows[-n:]), whole[-n:])
        np.testing.assert_array_equal(ae.inverse_transform(whole[-n:]), back[-n:])


def drawn(n_rows):
    return torch.randn(n_rows, 5, generator=torch.Generator().manual_seed(0))


def test_few_rows_and_many_go_through_in_blocks_that_suit_them():
    heights = Heights(lambda rows: 2 * rows, drawn)
    found = [heights.next(n) for n in (1, FEW_ROWS, FEW_ROWS + 1, USUAL_ROWS, MANY_ROWS // 4, 9999)]
    assert found == [FEW_ROWS, FEW_ROWS, USUAL_ROWS, USUAL_ROWS, MANY_ROWS, MANY_ROWS]


def test_other_blocks_are_left_alone_where_they_change_a_bit():
    heights = Heights(lambda rows: rows * (1 + len(rows)), drawn)
    assert {heights.next(n) for n in (1, FEW_ROWS, 100, 9999)} == {USUAL_ROWS}


def test_rows_go_one_by_one_where_their_place_matters():
    heights = Heights(lambda rows: rows + torch.arange(len(rows))[:, None], drawn)
    assert {heights.next(n) for n in (1, FEW_ROWS, 100, 9999)} == {1}


def test_wide_rows_go_through_in_fewer():
    def wide(n_rows):
        return torch.ones(n_rows, 1 << 17)

    heights = Heights(lambda rows: rows[:, :2], wide)
    assert heights.next(9999) == 32
    assert heights.next(1) == FEW_ROWS
