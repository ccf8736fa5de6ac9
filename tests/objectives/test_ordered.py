"""Ordered codes: every prefix decodes, PCA stands beside each, a fraction finds the size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from torch import nn

from conftest import noise, quick
from narrows import MLP, Autoencoder, Conv, Denoising, Reconstruction, load
from narrows.common.seeds import seed_of
from narrows.errors import DataError, ModelFileError, NarrowsWarning, ParameterError
from narrows.linear.pca import components_needed, fit_pca
from narrows.linear.scaling import choose_scaling
from narrows.model.size_curve import SizeCurve, lengths_to_measure, size_curve
from narrows.networks.pca_path import linear_path
from narrows.networks.prefixes import first_numbers
from narrows.objectives import Batch, Step
from narrows.objectives.ordered import (
    FALL,
    LENGTHS_PER_ROW,
    SHARE_WHOLE,
    Ordered,
    left_over_by_length,
)
from narrows.sources.array import ArraySource
from narrows.training import start as starting
from narrows.training.make_plan import make_plan
from narrows.training.start import start


@pytest.fixture(scope="module")
def digits():
    return load_digits().data.astype(np.float32)


@pytest.fixture(scope="module")
def ordered(digits):
    return quick(8, ordered=True, max_steps=300).fit(digits)


# ---------------------------------------------------------------------- start and loss


def test_what_pca_leaves_over_at_each_length(digits):
    """Against scikit-learn's explained variances."""
    pca = fit_pca(ArraySource(digits).blocks, 10, 0)
    path = linear_path(pca, choose_scaling(None, pca.mean_, pca.variances_, 0.0, 0.0))
    theirs = PCA(64).fit(digits.astype(np.float64)).explained_variance_
    expected = [theirs[length:].sum() / 64 for length in range(1, 11)]
    np.testing.assert_allclose(left_over_by_length(path, 10).square(), expected, rtol=1e-9)


@pytest.mark.parametrize("objective", ["reconstruction", Denoising(noise="masking")])
@pytest.mark.parametrize("network", [MLP(hidden=(16,)), Conv(), "own"])
def test_training_starts_at_pca_at_every_length(digits, objective, network):
    if network == "own":
        network = (nn.Sequential(nn.Linear(64, 9), nn.Tanh(), nn.Linear(9, 5)), nn.Linear(5, 64))
    ae = Autoencoder(5, ordered=True, objective=objective, network=network, sample_shape=(8, 8))
    params = ae.get_params(deep=False)
    plan = make_plan(params, len(digits), 64, 0, sample_shape=(8, 8))
    net, pca = start(ArraySource(digits), params, plan)
    x = net.scaling(torch.from_numpy(digits[:50]).double())
    z = net.double().encoder(x)
    for length in range(1, 6):
        expected = pca.first(length).inverse_transform(pca.first(length).transform(digits[:50]))
        x_hat = net.scaling.inverse(
            net.decoder(z * first_numbers(torch.tensor([length]), 5, z.dtype))
        )
        np.testing.assert_allclose(x_hat.detach().numpy(), expected, atol=2e-5)


def test_terms_are_errors_of_prefixes_in_parts_of_pca_s(digits):
    ae = Autoencoder(5, ordered=True, scaling=None, network=MLP(hidden=(16,)))
    params = ae.get_params(deep=False)
    plan = make_plan(params, len(digits), 64, 0)
    net, pca = start(ArraySource(digits), params, plan)
    x = torch.from_numpy(digits[:40]).double()
    lengths = torch.arange(80).reshape(40, 2) % 5 + 1
    step = Step({"lengths": lengths})
    (term,) = plan.loss.terms(net.double(), Batch(x), step).values()
    left = [PCA(64).fit(digits).explained_variance_[n:].mean() * (64 - n) / 64 for n in range(1, 6)]
    for row in range(40):
        expected = 0.0
        for length in lengths[row].tolist():
            part = pca.first(length)
            x_hat = part.inverse_transform(part.transform(digits[row : row + 1]))
            expected += np.square(x_hat - digits[row]).mean() / left[length - 1] / LENGTHS_PER_ROW
        assert term[row].item() == pytest.approx(expected, rel=1e-3)


def test_short_lengths_are_drawn_more_often_and_whole_codes_most():
    objective = Ordered(Reconstruction())
    x = torch.zeros(20_000, 3)
    lengths = objective.draw(torch.Generator().manual_seed(0), x, 10)["lengths"]
    assert lengths.shape == (20_000, LENGTHS_PER_ROW)
    counts = torch.bincount(lengths.reshape(-1), minlength=11)[1:].double()
    expected = torch.arange(1, 11).double() ** -FALL
    # Spread evenly over the batch, counts are within one of what is expected, for each column.
    wanted = (1 - SHARE_WHOLE) * expected / expected.sum() * lengths.numel()
    wanted[-1] += SHARE_WHOLE * lengths.numel()
    assert (counts - wanted).abs().max() <= 2 * LENGTHS_PER_ROW


def test_only_families_with_plain_codes_can_be_ordered(X):
    for objective in ("vae", "vq", Reconstruction(error="bernoulli")):
        with pytest.raises(ParameterError, match="cannot train ordered codes"):
            Autoencoder(2, ordered=True, objective=objective, scaling=(0, 1)).fit(X)


# ---------------------------------------------------------------------- models


def test_every_prefix_beats_pca_of_its_size(ordered, digits):
    """On the rows themselves, where a longer training would only widen the gap."""
    codes = ordered.transform(digits)
    for length in range(1, 9):
        found = ordered.inverse_transform(codes[:, :length])
        ours = np.square(found - digits).mean()
        part = ordered.pca_.first(length)
        pca = part.inverse_transform(part.transform(digits)).clip(0, 16)
        assert ours < np.square(pca - digits).mean()


def test_a_prefix_is_the_code_with_zeros(ordered, digits):
    codes = ordered.transform(digits[:9])
    cut = codes.copy()
    cut[:, 3:] = 0
    np.testing.assert_array_equal(
        ordered.inverse_transform(codes[:, :3]), ordered.inverse_transform(cut)
    )
    assert not np.array_equal(ordered.inverse_transform(cut), ordered.inverse_transform(codes))


def test_other_models_want_whole_codes_and_no_code_is_too_long(ordered, trained, digits):
    codes = ordered.transform(digits[:3])
    with pytest.raises(DataError, match="9 columns, but a code of this model has 8"):
        ordered.inverse_transform(np.hstack([codes, codes[:, :1]]))
    with pytest.raises(DataError, match="ordered=True may be cut short"):
        trained.inverse_transform(np.zeros((3, trained.n_components_ - 1)))


def test_the_curve_is_measured_on_rows_held_out_and_pca_s_is_pca_s(digits):
    """One held-out part, whose curve can be measured again from outside."""
    from narrows.sources.split import held_out_rows

    ae = quick(6, ordered=True, max_steps=50, validation_fraction=0.2).fit(digits)
    seed = seed_of(ae.random_state)
    held = held_out_rows(len(digits), int(np.ceil(0.2 * len(digits))), seed)
    seen = np.setdiff1d(np.arange(len(digits)), held)
    theirs = PCA(6).fit(digits[seen].astype(np.float64))
    for place, length in enumerate(ae.size_curve_.n_components):
        scores = theirs.transform(digits[held])
        scores[:, length:] = 0
        x_hat = theirs.inverse_transform(scores)
        error = np.square((x_hat if ae.bounds_ is None else x_hat.clip(*ae.bounds_)) - digits[held])
        assert ae.size_curve_.pca_error[place] == pytest.approx(error.mean(), rel=1e-4)
        variance = np.square(digits[held] - theirs.mean_).mean()
        explained = 1 - error.mean() / variance
        assert ae.size_curve_.pca_explained[place] == pytest.approx(explained, abs=1e-4)


def test_the_curve_ends_with_the_validation_error(ordered):
    curve = ordered.size_curve_
    assert curve.n_components.tolist() == list(range(1, 9))
    assert curve.error[-1] == pytest.approx(ordered.validation_error_, rel=1e-4)
    assert curve.pca_error[-1] == pytest.approx(ordered.pca_validation_error_, rel=1e-4)
    assert (np.diff(curve.pca_error) < 0).all()


@pytest.mark.filterwarnings("ignore:Columns? .*carr:narrows.errors.NarrowsWarning")
@pytest.mark.parametrize("data", [load_iris, load_wine, load_breast_cancer, load_digits])
def test_a_fraction_never_needs_more_than_pca(data):
    X = data().data
    ae = quick(0.95, max_steps=300).fit(X)
    needed = PCA(0.95).fit(X).n_components_
    assert ae.n_components_ <= needed
    assert ae.transform(X).shape == (len(X), ae.n_components_)
    place = ae.n_components_ - 1
    assert ae.size_curve_.explained[place] >= 0.95
    assert ae.pca_.n_components_ == ae.n_components_
    assert ae.validation_error_ == ae.size_curve_.error[place]


def test_a_model_for_a_fraction_is_read_back_as_it_was(digits, tmp_path):
    ae = quick(0.7, max_steps=100).fit(digits)
    ae.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    codes = ae.transform(digits)
    np.testing.assert_array_equal(codes, again.transform(digits))
    for length in (1, ae.n_components_):
        np.testing.assert_array_equal(
            ae.inverse_transform(codes[:, :length]), again.inverse_transform(codes[:, :length])
        )
    for name, values in vars(ae.size_curve_).items():
        np.testing.assert_array_equal(values, getattr(again.size_curve_, name))
    assert again.n_components == 0.7
    assert again.n_components_ == ae.n_components_ < ae.model_.code_size
    again.partial_fit(digits)
    assert again.n_components_ == ae.n_components_
    assert not hasattr(again, "size_curve_")


def test_partial_fit_trains_prefixes_too(digits):
    ae = quick(4, ordered=True)
    for _ in range(8):
        ae.partial_fit(digits)
    codes = ae.transform(digits)
    for length in (1, 2, 4):
        part = ae.pca_.first(length)
        pca = part.inverse_transform(part.transform(digits))
        ours = ae.inverse_transform(codes[:, :length])
        assert np.square(ours - digits).mean() < np.square(pca - digits).mean()


def test_a_fraction_needs_rows_to_be_judged_by(digits):
    with pytest.raises(ParameterError, match="partial_fit holds none out"):
        quick(0.9).partial_fit(digits)
    with pytest.raises(ParameterError, match="validation_fraction=0 leaves none"):
        quick(0.9, validation_fraction=0.0).fit(digits)
    with pytest.raises(ParameterError, match="n_components"):
        quick(1.5).fit(digits)


def test_too_little_to_explain_is_said():
    noise = np.random.default_rng(0).standard_normal((30, 200))
    with pytest.warns(NarrowsWarning, match="less than the 0.9 asked for"):
        ae = quick(0.9, max_steps=20).fit(noise)
    assert ae.n_components_ == ae.size_curve_.n_components[-1]


RISING = np.arange(40.0)[:, None]
STRANGE = [np.ones((40, 3)), RISING, np.repeat(RISING, 3, axis=1)]


@pytest.mark.parametrize("X", STRANGE)
def test_strange_data(X):
    ae = quick(0.95, max_steps=20).fit(X)
    assert np.isfinite(ae.inverse_transform(ae.transform(X))).all()


def test_without_the_start_at_pca(digits):
    ae = quick(70, ordered=True, init="random", max_steps=30).fit(digits)
    assert ae.size_curve_.n_components[-1] == 70
    assert np.isfinite(ae.size_curve_.error).all()


def test_denoising_in_order(digits):
    ae = quick(6, ordered=True, objective="denoising", max_steps=100).fit(digits)
    codes = ae.transform(digits)
    errors = [np.square(ae.inverse_transform(codes[:, :n]) - digits).mean() for n in (1, 3, 6)]
    assert errors[0] > errors[1] > errors[2]


def test_a_grid_search_takes_it(digits):
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(quick(2, max_steps=5), {"ordered": [False, True]}, cv=2)
    assert np.isfinite(search.fit(digits[:200]).best_score_)


# ---------------------------------------------------------------------- curves


def test_every_length_up_to_128_and_then_steps_of_2_percent():
    assert lengths_to_measure(5) == (1, 2, 3, 4, 5)
    found = lengths_to_measure(1000)
    assert found[:128] == tuple(range(1, 129))
    assert found[-1] == 1000
    assert max(after / before for before, after in pairwise(found[127:])) < 1.03


def test_the_smallest_length_that_explains_a_fraction():
    errors, pca = np.array([40.0, 20.0, 10.0, 1.0]), np.array([40.0, 30.0, 20.0, 10.0])
    curve = size_curve(3, errors, pca)
    assert curve.explained.tolist() == [0.5, 0.75, 0.975]
    assert curve.smallest(0.75) == 2
    assert curve.smallest(0.75, pca=True) == 3
    assert curve.smallest(0.99) is None
    assert curve.error.tolist() == [20.0, 10.0, 1.0]


@pytest.mark.parametrize("fraction", [0.5, 0.9, 0.999])
@pytest.mark.parametrize("n_rows", [1797, 40])
def test_pca_s_number_is_scikit_learn_s(fraction, n_rows, digits):
    rows = digits[:n_rows].astype(np.float64)
    needed = components_needed(ArraySource(rows).blocks, fraction, 0)
    assert needed == PCA(fraction, svd_solver="full").fit(rows).n_components_


def test_the_code_size_is_looked_up_on_some_of_many_rows(monkeypatch):
    rows = noise(4 * starting.MOST_LOOKED_AT, 6).astype(np.float32)
    looked_at = []

    def watched(blocks, *given):
        looked_at.append(sum(map(len, blocks())))
        return components_needed(blocks, *given)

    monkeypatch.setattr(starting, "components_needed", watched)
    given = {"n_components": 0.7, "scaling": "auto"}
    found, explained = starting.with_code_size(given, ArraySource(rows), seed=0)
    assert looked_at == [starting.MOST_LOOKED_AT]
    assert explained == 0.7
    assert found["n_components"] >= components_needed(ArraySource(rows).blocks, 0.7, 0)


def test_a_damaged_curve_is_refused(ordered, tmp_path):
    curve = ordered.size_curve_
    short = SizeCurve(curve.n_components[:2], *(getattr(curve, n) for n in list(vars(curve))[1:]))
    ordered.model_.changed(size_curve=short).save(tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match="size curve"):
        load(tmp_path / "m.safetensors")
