"""Cells are cut and laid out again exactly; pictures too large for one PCA are shared out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from narrows.errors import ParameterError
from narrows.linear import patches
from narrows.linear.patches import Cells, cells_for_pca

CUTS = [
    Cells(6, 6, 1, 2, 3),
    Cells(7, 5, 3, 2, 2),
    Cells(1, 6, 2, 1, 4),
    Cells(5, 5, 8, 5, 5),
    Cells(9, 12, 3, 1, 1),
]


def pictures(cut, n_rows=3):
    shape = (n_rows, cut.height, cut.width, cut.channels)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cut", CUTS)
def test_there_and_back(cut):
    x = pictures(cut)
    found = cut.gather(x)
    assert found.shape == (3, cut.rows, cut.columns, cut.size)
    assert torch.equal(cut.spread(found), x)
    assert torch.equal(cut.gather(x.flatten(1)), found)


@pytest.mark.parametrize("cut", CUTS)
def test_a_cell_is_a_part_of_the_picture_filled_up_with_zeros(cut):
    x = pictures(cut).numpy()
    found = cut.gather(torch.from_numpy(x)).numpy()
    for row in range(cut.rows):
        for column in range(cut.columns):
            part = x[:, row * cut.high :, column * cut.wide :][:, : cut.high, : cut.wide]
            expected = np.zeros((3, cut.high, cut.wide, cut.channels), np.float32)
            expected[:, : part.shape[1], : part.shape[2]] = part
            np.testing.assert_array_equal(found[:, row, column], expected.reshape(3, -1))


def test_small_pictures_and_other_rows_are_not_cut():
    assert cells_for_pca((28, 28), 784) is None
    assert cells_for_pca((256, 256, 3), 64) is None
    assert cells_for_pca((3_000_000,), 64) is None


@pytest.mark.parametrize("shape", [(1024, 1024, 3), (1000, 3000), (4000, 500, 3)])
@pytest.mark.parametrize("n_components", [32, 60, 96, 128])
def test_large_pictures_are_cut_into_few_cells_with_equal_shares(shape, n_components):
    cut = cells_for_pca(shape, n_components)
    assert n_components % cut.n_cells == 0
    assert cut.size * n_components // cut.n_cells <= patches.LARGEST_PATH
    assert cut.rows * cut.high >= shape[0]
    assert cut.columns * cut.wide >= shape[1]
    fewer = [n for n in range(1, cut.n_cells) if n_components % n == 0]
    size = math.prod(shape)
    # A little less than what is allowed may be left once cells are filled up.
    assert all(1.01 * size / n * n_components / n > patches.LARGEST_PATH for n in fewer)


def test_cells_are_nearly_square():
    assert cells_for_pca((1024, 1024, 3), 100)[3:] == (2, 2)
    assert cells_for_pca((1024, 4096), 64)[3:] == (1, 4)


def test_a_code_that_cannot_be_shared_out_is_told_its_neighbours():
    with pytest.raises(
        ParameterError, match=r"`n_components`=101.*Ask for 100 or 102 comp.*smaller"
    ):
        cells_for_pca((1024, 1024, 3), 101)
    for near in (100, 102):
        assert cells_for_pca((1024, 1024, 3), near) is not None
