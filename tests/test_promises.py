"""What narrows promises: PCA is the floor, one sample has one code, one seed one model."""

from __future__ import annotations

import copy
import math
import random

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from conftest import assert_is_pca_of, bits, curved, noise, quick
from narrows import MLP, Autoencoder
from narrows.errors import DataError, NarrowsWarning
from narrows.linear.scaling import Scaling
from narrows.sources.array import ArraySource
from narrows.sources.split import folds, held_out_rows
from narrows.training.batches import ScaledRows
from narrows.training.held_out import scaled_bounds
from narrows.training.make_plan import make_plan

# ---------------------------------------------------------------- one sample, one code

WIDTHS = [
    # features, components, hidden
    (1, 1, (4,)),
    (2, 1, ()),
    (5, 1, (3,)),
    (17, 4, (33, 7)),
    (64, 16, (65,)),
    (300, 3, (128, 1)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_features", "k", "hidden"), WIDTHS)
@pytest.mark.parametrize("init", ["pca", "random"])
def test_a_row_has_the_same_bits_in_any_company(n_features, k, hidden, init, dtype):
    X = noise(150, n_features).astype(dtype)
    ae = quick(k, network=MLP(hidden=hidden), init=init, keep="last", max_steps=3).fit(X)
    order = np.random.default_rng(1).permutation(150)
    for use, rows in ((ae.transform, X), (ae.inverse_transform, ae.transform(X))):
        whole = use(rows)
        assert whole.dtype == dtype
        alone = np.concatenate([use(rows[i : i + 1]) for i in range(0, 150, 7)])
        assert alone.tobytes() == whole[::7].tobytes()
        assert use(rows[order]).tobytes() == whole[order].tobytes()
        for size in (2, 63, 64, 65, 149):
            assert use(rows[5 : 5 + size]).tobytes() == whole[5 : 5 + size].tobytes()


def test_transform_repeats_itself_and_changes_nothing(trained, X):
    before = bits(trained)
    first = trained.transform(X)
    assert first.tobytes() == trained.transform(X).tobytes()
    trained.inverse_transform(first)
    trained.score(X)
    assert bits(trained) == before


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_fit_transform_is_fit_then_transform(dtype):
    X = curved().astype(dtype)
    once, twice = quick().fit_transform(X), quick().fit(X).transform(X)
    assert once.tobytes() == twice.tobytes()
    assert once.dtype == (np.float32 if dtype == np.float32 else np.float64)


def test_codes_and_scores_do_not_depend_on_the_precision_of_training(X):
    ae = quick(precision="bfloat16", keep="last").fit(X)
    assert ae.precision_ == "bfloat16"
    assert ae.network_.encoder.state_dict()["inner.0.weight"].dtype == torch.float32
    assert ae.transform(X[:1]).tobytes() == ae.transform(X)[:1].tobytes()


def test_score_and_errors_fit_their_definitions(trained):
    X_new = curved(seed=1)
    error = X_new - trained.inverse_transform(trained.transform(X_new))
    np.testing.assert_allclose(trained.reconstruction_error(X_new), (error**2).mean(axis=1))
    total = ((X_new - trained.pca_.mean_) ** 2).sum()
    assert trained.score(X_new) == pytest.approx(1 - (error**2).sum() / total, rel=1e-9)


@pytest.mark.parametrize("scaling", ["standard", None, (-1.0, 2.0)])
def test_score_is_in_data_units_for_every_scaling(scaling, X):
    ae = quick(scaling=scaling).fit(X)
    total = ((X - X.mean(axis=0)) ** 2).sum()  # what won, or the start, knows all rows
    expected = 1 - ((X - ae.reconstruct(X)) ** 2).sum() / total
    assert ae.score(X) == pytest.approx(expected, rel=1e-9)


# ---------------------------------------------------------------- one seed, one model


@pytest.mark.parametrize("init", ["pca", "random"])
@pytest.mark.parametrize("split", [0.2, "auto", 0.0])
def test_the_same_seed_gives_the_same_bits(X, init, split):
    def fitted(seed):
        return quick(init=init, validation_fraction=split, keep="last", random_state=seed).fit(X)

    assert bits(fitted(3)) == bits(fitted(3))
    assert bits(fitted(3)) != bits(fitted(4))


def test_max_steps_repeats_what_max_seconds_made(monkeypatch):
    # A machine that slows down may shorten or end a run, and says so; not here.
    monkeypatch.setattr("narrows.training.deadline.LATE_SECONDS", math.inf)
    X = curved(400)
    quick(max_steps=1).fit(X)  # the first fit of a process loads half of torch
    timed = quick(max_steps=None, max_seconds=1.5).fit(X)
    repeated = quick(max_steps=timed.n_steps_).fit(X)
    assert bits(timed) == bits(repeated)
    assert repeated.n_steps_ == timed.n_steps_
    assert repeated.best_step_ == timed.best_step_


def test_max_steps_repeats_max_seconds_when_no_step_was_worth_taking():
    X = curved(60)[:, :1] * np.arange(1, 5)  # of rank one: PCA leaves nothing
    timed = quick(1, max_steps=None, max_seconds=1.0).fit(X)
    assert bits(timed) == bits(quick(1, max_steps=max(timed.n_steps_, 1)).fit(X))
    assert timed.n_steps_ >= 1, "max_steps=n_steps_ must be allowed"


def test_a_budget_of_no_time_still_gives_a_model(X):
    with pytest.warns(NarrowsWarning, match="was over before a network could be trained"):
        ae = quick(max_steps=None, max_seconds=1e-3).fit(X)
    assert np.isfinite(ae.transform(X)).all()


def test_fit_forgets_what_was_fitted_before(X):
    again = quick().fit(noise()).partial_fit(noise()).fit(X)
    assert bits(again) == bits(quick().fit(X))


def test_random_state_none_draws_afresh_and_leaves_the_global_streams(X):
    first, second = (quick(init="random", random_state=None).fit(X) for _ in range(2))
    assert bits(first) != bits(second)


def test_a_shared_random_state_is_drawn_from():
    stream = np.random.RandomState(0)
    first = quick(init="random", random_state=stream, max_steps=2).fit(noise())
    second = quick(init="random", random_state=stream, max_steps=2).fit(noise())
    assert bits(first) != bits(second)


# ---------------------------------------------------------------- nothing outside is touched


class Surroundings:
    """Everything global that a fit could change."""

    def __init__(self):
        self.seen = (
            random.getstate(),
            np.random.get_state()[1].tobytes(),  # noqa: NPY002 - the global stream is what is watched
            torch.get_rng_state().numpy().tobytes(),
            torch.get_num_threads(),
            torch.get_num_interop_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            torch.get_float32_matmul_precision(),
            torch.backends.mkldnn.enabled,
            np.geterr(),
        )


@pytest.mark.parametrize(
    "changes", [{}, {"n_threads": 2}, {"init": "random"}, {"max_seconds": 0.5}]
)
def test_fit_leaves_the_world_as_it_was(X, changes):
    before = Surroundings().seen
    ae = quick(**changes, max_steps=10).fit(X).partial_fit(X)
    ae.inverse_transform(ae.transform(X))
    assert Surroundings().seen == before
    assert ae.n_threads_ == changes.get("n_threads", torch.get_num_threads())


def test_threads_are_restored_after_an_error(X):
    def fail(progress):
        raise RuntimeError("stop here")

    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="stop here"):
        quick(n_threads=2, callbacks=(fail,)).fit(X)
    assert torch.get_num_threads() == before


def test_fit_changes_no_parameter(X):
    ae = quick(sample_shape=[2, 3], bounds=[-50, 50], callbacks=[lambda progress: None], verbose=0)
    values, before = ae.get_params(deep=False), copy.deepcopy(ae.get_params(deep=False))
    del before["callbacks"]
    ae.fit(X)
    after = ae.get_params(deep=False)
    assert all(after[name] is values[name] for name in values)
    assert {name: after[name] for name in before} == before


# ---------------------------------------------------------------- PCA is the floor

START_WINS = {
    "noise": noise(),
    "wide noise": noise(20, 500),
    "low rank": noise(60, 2) @ noise(2, 7, seed=1) + 5,
    "constant column": np.hstack([noise(60, 4), np.full((60, 1), 3.0)]),
}


@pytest.mark.parametrize("split", ["auto", 0.2])
@pytest.mark.parametrize("data", START_WINS)
def test_where_there_is_nothing_to_gain_the_model_is_pca_of_all_rows(data, split):
    X = START_WINS[data]
    ae = quick(2, validation_fraction=split).fit(X)
    assert ae.best_step_ == 0
    assert ae.validation_error_ == ae.pca_validation_error_
    assert_is_pca_of(ae, X)
    expected = PCA(2, svd_solver="full").fit(X)
    np.testing.assert_allclose(ae.pca_.explained_variance_, expected.explained_variance_)


@pytest.mark.parametrize("scaling", [None, "standard", (0.0, 1.0)])
def test_the_start_is_pca_under_every_scaling(scaling):
    X = noise() * np.arange(1, 9)
    ae = quick(3, scaling=scaling).fit(X)
    unit = X.std(axis=0, ddof=1) if scaling == "standard" else np.ones(8)
    assert ae.best_step_ == 0
    pca = PCA(3, svd_solver="full").fit(X / unit)
    X_hat = pca.inverse_transform(pca.transform(X / unit)) * unit
    np.testing.assert_allclose(ae.reconstruct(X), X_hat, atol=1e-8)


NEVER_WORSE = {
    "iris": (load_iris().data, (2,)),
    "wine": (load_wine().data, (2,)),
    "noise": (noise(), (2, 8)),
    "low rank": (noise(80, 3) @ noise(3, 12, seed=1) + 50, (2, 3, 6)),
    "curved": (curved(120), (2,)),
    "wide": (noise(20, 500), (2, 5)),
    "constant columns": (np.hstack([noise(80, 4), np.full((80, 3), 7.0)]), (2, 5)),
    "huge column": (noise(90, 5) * [1, 1, 1e6, 1, 1] + [0, 0, 1e9, 0, 0], (1, 2)),
}


@pytest.mark.filterwarnings("ignore:Columns? .*carr:narrows.errors.NarrowsWarning")
@pytest.mark.parametrize("data", NEVER_WORSE)
def test_at_defaults_never_worse_than_pca_on_rows_that_fit_never_saw(data):
    X, sizes = NEVER_WORSE[data]
    for k in sizes:
        seen, unseen = train_test_split(X, test_size=0.3, random_state=0)
        pca = PCA(min(k, len(seen)), svd_solver="full").fit(seen)
        X_hat = pca.inverse_transform(pca.transform(unseen))
        ae = Autoencoder(k, random_state=0).fit(seen)
        ours, theirs = ae.reconstruction_error(unseen).mean(), ((unseen - X_hat) ** 2).mean()
        if data in ("noise", "low rank", "wide", "huge column"):  # nothing to gain: PCA itself
            assert ae.best_step_ == 0, k
        assert ours <= 1.01 * theirs + 1e-6 * X.var(axis=0).mean(), k


def test_a_curved_sheet_is_learned_better_than_by_pca():
    seen, unseen = curved(300), curved(100, seed=1)
    ae = quick(2, validation_fraction="auto", max_steps=400).fit(seen)
    pca = PCA(2).fit(seen)
    left = ((unseen - pca.inverse_transform(pca.transform(unseen))) ** 2).mean()
    assert ae.reconstruction_error(unseen).mean() < 0.7 * left
    assert ae.validation_error_ < ae.pca_validation_error_
    assert ae.pca_validation_error_ == pytest.approx(left, rel=0.2)
    variance = seen.var(axis=0, ddof=1).mean()
    assert ae.explained_variance_ratio_ == pytest.approx(1 - ae.validation_error_ / variance)


# ---------------------------------------------------------------- held-out rows are not seen


def seed_of(random_state):
    return int(check_random_state(random_state).randint(2**31 - 1))


def errors_of_pca(seen, unseen, k=2):
    pca = PCA(k, svd_solver="full").fit(seen)
    return ((unseen - pca.inverse_transform(pca.transform(unseen))) ** 2).mean(axis=1)


def test_held_out_rows_leave_no_trace_in_the_last_state(X):
    held = held_out_rows(300, 60, seed_of(0))
    changed = X.copy()
    changed[held] = 1000 - 7 * changed[held]
    ae, other = (quick(keep="last").fit(rows) for rows in (X, changed))
    assert bits(ae) == bits(other)
    assert ae.validation_error_ != other.validation_error_
    np.testing.assert_allclose(ae.pca_.mean_, np.delete(X, held, axis=0).mean(axis=0))


@pytest.mark.parametrize("bounds", [None, (0.0, 9.0)])
def test_both_errors_are_measured_on_the_held_out_rows(X, bounds):
    X = X if bounds is None else X.clip(*bounds)
    held = held_out_rows(300, 60, seed_of(0))
    ae = quick(keep="last", bounds=bounds).fit(X)
    # Measured in float32 while training.
    expected = ae.reconstruction_error(X[held]).mean()
    assert ae.validation_error_ == pytest.approx(expected, rel=1e-4)
    seen = np.delete(X, held, axis=0)
    pca = PCA(2, svd_solver="full").fit(seen)
    X_hat = pca.inverse_transform(pca.transform(X[held]))
    X_hat = X_hat if bounds is None else X_hat.clip(*bounds)
    assert ae.pca_validation_error_ == pytest.approx(((X[held] - X_hat) ** 2).mean(), rel=1e-4)


def test_cross_fitting_measures_pca_on_rows_that_it_never_saw(X):
    n_folds = make_plan(Autoencoder().get_params(deep=False), 300, 6, seed=0).split.n_folds
    parts = folds(300, n_folds, seed_of(0))
    expected = [errors_of_pca(np.delete(X, held, axis=0), X[held]) for held in parts]
    ae = quick(validation_fraction="auto").fit(X)
    assert ae.pca_validation_error_ == pytest.approx(np.concatenate(expected).mean(), rel=1e-4)


@pytest.mark.parametrize("split", ["auto", 0.2])
def test_spare_directions_are_zero(split):
    X = noise(60, 2) @ noise(2, 6, seed=1) + 5
    ae = quick(4, validation_fraction=split).fit(X)
    Z = ae.transform(X)
    assert np.abs(Z[:, 2:]).max() < 1e-9 * np.abs(Z).max()
    np.testing.assert_allclose(ae.reconstruct(X), X, rtol=1e-9)


@pytest.mark.parametrize("split", ["auto", 0.2, 0.0])
@pytest.mark.parametrize("n_rows", [2, 3, 4, 5, 9])
def test_a_handful_of_rows(n_rows, split):
    X = noise(n_rows, 4)
    ae = quick(1, validation_fraction=split, max_steps=3).fit(X)
    assert np.isfinite(ae.reconstruct(X)).all()


def test_constant_rows_come_back():
    X = np.tile([1.0, 2.0, 3.0], (30, 1))
    ae = quick(2).fit(X)
    np.testing.assert_array_equal(ae.transform(X), 0)
    np.testing.assert_allclose(ae.reconstruct(X), X)
    assert ae.score(X) == 0.0


def test_a_column_with_nearly_all_the_variance_is_named():
    X = noise() * [1, 1, 1e4, 1, 1, 1, 1, 1]
    with pytest.warns(NarrowsWarning, match=r"Column 2 carries 100 %.*scaling='standard'"):
        quick(max_steps=5).fit(X)
    quick(max_steps=5, scaling="standard").fit(X)  # and no warning


@pytest.mark.parametrize("scaling", ["auto", "standard", None, (-1.0, 1.0)])
def test_one_column_comes_back_under_every_scaling(scaling):
    X = noise(60, 1) * 3 + 5
    ae = quick(1, scaling=scaling).fit(X)
    np.testing.assert_allclose(ae.reconstruct(X), X, atol=1e-5)
    constant = np.full((20, 1), 5.0)
    np.testing.assert_allclose(
        quick(1, scaling=scaling).fit(constant).reconstruct(constant), constant, atol=1e-6
    )


def test_bounds_are_dropped_only_where_outputs_keep_to_them_of_themselves():
    X = np.clip(curved(60), 0.0, 1.0)
    rows = ScaledRows(
        ArraySource(X), Scaling(np.zeros(1), np.ones(1)), torch.float32, torch.device("cpu")
    )
    for activation, bounds, dropped in [
        ("sigmoid", (0.0, 1.0), True),
        ("sigmoid", (0.1, 1.0), False),
        ("tanh", (-1.0, 1.0), True),
        ("tanh", (0.0, 1.0), False),
        ("linear", (0.0, 1.0), False),
    ]:
        found = scaled_bounds(bounds, rows, MLP(output_activation=activation))
        assert (found is None) == dropped
        if found is not None:
            assert [end.unique().tolist() for end in found] == [pytest.approx([b]) for b in bounds]


@pytest.mark.parametrize("unit", [1e-40, 1e-30, 1e30, 1e90])
def test_errors_follow_the_unit_of_the_data(unit):
    X = curved(100)
    expected, found = quick().fit(X), quick().fit(X * unit)
    assert found.validation_error_ == pytest.approx(expected.validation_error_ * unit**2, rel=1e-3)
    assert found.explained_variance_ratio_ == pytest.approx(
        expected.explained_variance_ratio_, rel=1e-3
    )


def test_values_whose_squares_overflow_are_refused():
    with pytest.raises(DataError, match=r"as large as .*e\+200.*divide the data"):
        quick().fit(np.abs(noise()) * 1e200)
