"""Models that start from an earlier one keep its places, and say how far codes moved."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from conftest import quick
from narrows import VAE
from narrows.errors import DataTypeError, ParameterError
from narrows.training.align import _movement

X = load_digits().data
STEPS = {"max_steps": 100, "network": "auto", "objective": "neighbors"}


@pytest.fixture(scope="module")
def first():
    return quick(2, **STEPS).fit(X[:1200])


def test_an_aligned_map_stays_where_a_fresh_one_does_not(first):
    aligned = quick(2, random_state=1, **STEPS).fit(X, align_to=first)
    fresh = quick(2, random_state=1, **STEPS).fit(X)
    Z = first.transform(X)
    width = np.ptp(np.quantile(Z, [0.01, 0.99], axis=0), axis=0).max()
    moved, anew = (
        np.median(np.linalg.norm(ae.transform(X) - Z, axis=1)) for ae in (aligned, fresh)
    )
    assert 0 < moved < 0.15 * width < anew
    assert aligned.movement_.median == pytest.approx(moved / width)
    assert aligned.movement_.n_rows == len(X)
    assert not hasattr(fresh, "movement_")


def test_a_file_aligns_as_its_model_does(first, tmp_path):
    first.save(tmp_path / "first.safetensors")
    codes = [
        quick(2, **{**STEPS, "max_steps": 20}).fit(X[:1200], align_to=there).transform(X[:9])
        for there in (first, tmp_path / "first.safetensors")
    ]
    np.testing.assert_array_equal(*codes)


def test_training_starts_from_the_earlier_model():
    rows = X[:60, 20:30]
    first = quick(2, max_steps=50).fit(rows)
    again = quick(2, max_steps=2, learning_rate=1e-9).fit(rows, align_to=first)
    np.testing.assert_allclose(again.transform(rows), first.transform(rows), atol=1e-4)
    assert again.best_step_ == 2


def test_what_cannot_be_aligned_says_why(first):
    with pytest.raises(ParameterError, match=r"n_components 3 here, 2 there; .*objective"):
        quick(3, network="auto").fit(X, align_to=first)
    with pytest.raises(DataTypeError, match="ndarray"):
        quick(2).fit(X, align_to=X)
    with pytest.raises(ParameterError, match="fit it first"):
        quick(2).fit(X, align_to=quick(2))


def test_columns_classes_and_sizes_must_be_those_of_the_earlier_model(first):
    frame = pd.DataFrame(X[:60, 20:23], columns=["a", "b", "c"])
    named = quick(2, max_steps=2).fit(frame)
    with pytest.raises(ParameterError, match=r"columns \['c', 'b', 'a'\] here"):
        quick(2, max_steps=2).fit(frame[["c", "b", "a"]], align_to=named)
    family = VAE(conditional=True)
    y = np.arange(60) % 3
    classed = quick(2, objective=family, max_steps=2).fit(frame, y)
    with pytest.raises(ParameterError, match=r"classes \[0, 1\] here, \[0, 1, 2\] there"):
        quick(2, objective=family, max_steps=2).fit(frame[y < 2], y[y < 2], align_to=classed)
    with pytest.raises(ParameterError, match="size of the earlier model's codes, 2"):
        quick(0.9, **STEPS).fit(X, align_to=first)


def test_nothing_is_held_out_of_an_aligned_fit(first):
    ae = quick(2, **{**STEPS, "max_steps": 3}).fit(X[:300], align_to=first)
    assert np.isnan(ae.validation_error_)
    assert ae.n_steps_ == ae.best_step_ == 3
    assert not hasattr(ae.partial_fit(X[:10]), "movement_")


def test_movement_is_counted_in_the_width_of_all_codes():
    before = np.stack([np.linspace(0, 100, 1001), np.zeros(1001)], axis=1)
    found = _movement(before, before + np.array([0.0, 4.9]))
    assert found.width == pytest.approx(98)
    assert (found.median, found.far) == pytest.approx((0.05, 0.05))
    assert _movement(np.ones((5, 2)), np.ones((5, 2))).far == 0


def test_ordered_codes_are_compared_as_far_as_both_go():
    short = quick(0.5, ordered=True, max_steps=30).fit(X[:400, 20:40])
    size = short.model_.code_size
    assert short.n_components_ < size
    aligned = quick(size, ordered=True, max_steps=5).fit(X[:400, 20:40], align_to=short)
    assert aligned.movement_.median < 0.1


def test_scaling_must_be_that_of_the_earlier_model(first):
    with pytest.raises(ParameterError, match="scaling 'standard' here, 'auto' there"):
        quick(2, scaling="standard", **STEPS).fit(X, align_to=first)
