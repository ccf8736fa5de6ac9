"""Data of any size: codes, round trips and samples follow the unit, or the data are refused."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import curved, quick
from narrows.errors import DataError, ParameterError

X = curved(150)
SIZES = [1e-99, 1e-46, 1e-38, 1e-20, 1e20, 1e38, 1e60, 1e97]


def signless(Z):
    return np.abs(Z.astype(np.float64))


@pytest.mark.parametrize("scaling", ["auto", "standard", (0, 1)])
@pytest.mark.parametrize("size", SIZES)
def test_everything_follows_the_unit(size, scaling):
    """Against the same data of size one."""
    given = {"max_steps": 1, "scaling": scaling, "init": "pca"}
    one, ae = quick(**given).fit(X), quick(**given).fit(X * size)
    unit = 1.0 if scaling == "standard" else size
    np.testing.assert_allclose(
        signless(ae.transform(X * size)) / unit, signless(one.transform(X)), rtol=1e-5, atol=1e-6
    )
    back = ae.inverse_transform(ae.transform(X * size)) / size
    np.testing.assert_allclose(back, one.inverse_transform(one.transform(X)), rtol=1e-5, atol=1e-5)
    assert ae.score(X * size) == pytest.approx(one.score(X), rel=1e-6)
    drawn = ae.sample(400, random_state=0).astype(np.float64) / size
    np.testing.assert_allclose(drawn.mean(axis=0), X.mean(axis=0), atol=2)
    np.testing.assert_allclose(drawn.std(axis=0), back.std(axis=0), rtol=0.2, atol=0.2)
    lattice = ae.inverse_transform(ae.model_.lattice(3)).astype(np.float64) / size
    assert 0.1 < np.ptp(lattice) < 100


@pytest.mark.parametrize("size", [1e-46, 1e-20, 1e20, 1e60])
def test_unscaled_data_that_float32_cannot_square_are_refused(size):
    with pytest.raises(ParameterError, match=r"scaling=None leaves.*Use scaling='auto'"):
        quick(scaling=None).fit(X * size)


@pytest.mark.parametrize("size", [1e-44, 1e-40, 1e-37, 1e-30, 1e28])
def test_everything_follows_the_unit_in_float32(size):
    given = (X * size).astype(np.float32)
    ae = quick(max_steps=1).fit(given)
    back = ae.inverse_transform(ae.transform(given)).astype(np.float64) / size
    one = quick(max_steps=1).fit(X)
    step = float(np.finfo(np.float32).smallest_subnormal) / size  # all that these can tell apart
    np.testing.assert_allclose(
        back, one.inverse_transform(one.transform(X)), rtol=1e-3, atol=3 * step + 1e-4
    )
    drawn = ae.sample(400, random_state=0).astype(np.float64) / size
    np.testing.assert_allclose(drawn.std(axis=0), back.std(axis=0), rtol=0.2, atol=0.2 + 3 * step)


@pytest.mark.parametrize("size", [1e-300, 1e-150, 1e-103])
def test_data_whose_squares_vanish_are_refused(size):
    with pytest.raises(DataError, match=r"differ by .*e-.* or less.*Multiply the data"):
        quick().fit(X * size)


@pytest.mark.parametrize("value", [0.0, 1e-300, 1e99])
def test_constant_data_of_any_size_are_taken(value):
    constant = np.full((40, 3), value)
    ae = quick(max_steps=5).fit(constant)
    np.testing.assert_allclose(ae.reconstruct(constant), constant, rtol=1e-5, atol=1e-4)
    assert np.isfinite(ae.sample(3, random_state=0)).all()
