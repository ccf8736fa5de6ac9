"""Models of every family: what they keep without a gain, seeds, files, few rows, noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_wine

from conftest import bits, curved, noise, quick
from narrows import IWAE, VAE, Autoencoder, load
from narrows.errors import NarrowsWarning, ParameterError
from narrows.model.parts import PARTS

FAMILIES_BY_NAME = list(PARTS["objective"].items())
FAMILIES = [pytest.param(family, id=name) for name, family in FAMILIES_BY_NAME]
each_family = pytest.mark.parametrize("family", FAMILIES)


# ---------------------------------------------------------------- what it keeps

CLASSES = np.arange(360) % 3
CENTRES = 4 * np.eye(3, 8)


def noisy_classes():
    """Normal rows (360, 8) of three classes, which differ by their means alone."""
    return noise(360) + CENTRES[CLASSES]


def draws_rows(ae, X, y):
    drawn = ae.sample(500, random_state=0)
    variance = X.var(axis=0).sum()
    assert np.square(drawn.mean(axis=0) - X.mean(axis=0)).sum() < 0.2 * variance
    assert 0.2 * variance < drawn.var(axis=0).sum() < 2 * variance


def draws_rows_of_a_class(ae, X, y):
    means = np.stack([X[y == label].mean(axis=0) for label in range(3)])
    for label in range(3):
        drawn = ae.sample(300, y=label, random_state=0).mean(axis=0)
        assert np.square(drawn - means).sum(axis=1).argmin() == label
        assert np.square(drawn - means[label]).sum() < 1


def shows_the_plane_of_pca(ae, X, y):
    scores, codes = ae.pca_.transform(X), ae.transform(X)
    scores, codes = scores - scores.mean(axis=0), codes - codes.mean(axis=0)
    _, rest, *_ = np.linalg.lstsq(scores, codes, rcond=None)
    assert (rest < 1e-6 * np.square(codes).sum(axis=0)).all()


def has_discrete_codes(ae, X, y):
    codes = ae.transform(X)
    assert len(np.unique(codes.round(6))) < 0.5 * codes.size
    np.testing.assert_array_equal(ae.inverse_transform(codes), ae.reconstruct(X))


KEPT = {
    "prior": draws_rows,
    "classes": draws_rows_of_a_class,
    "map": shows_the_plane_of_pca,
    "discrete": has_discrete_codes,
}
SMALL = {"vq": {"n_codes": 16, "width": 1}}
KEEPING = [
    *(pytest.param(family(**SMALL.get(name, {})), id=name) for name, family in FAMILIES_BY_NAME),
    *(
        pytest.param(family(conditional=True, prior=prior), id=f"{family.name} of classes, {prior}")
        for family in (VAE, IWAE)
        for prior in ("normal", "flow")
    ),
]


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("objective", KEEPING)
def test_a_model_that_gained_nothing_can_do_what_its_family_is_for(objective, keep):
    """The learning rate is too small to move a weight, so the start is what is returned."""
    X = noisy_classes()
    ae = quick(2, objective=objective, max_steps=1, learning_rate=1e-30, keep=keep)
    ae.fit(X, CLASSES if objective.needs.classes else None)
    for kept in objective.needs.keeps:
        KEPT[kept](ae, X, CLASSES)


def test_a_prior_that_knows_no_class_apart_refuses_to_draw_one(X):
    """As in files of earlier versions, whose start was N(0, 1) for every class."""
    ae = quick(2, objective=VAE(conditional=True), max_steps=1).fit(X, np.arange(len(X)) % 2)
    with torch.no_grad():
        for parameter in ae.network_.extra.prior.parameters():
            parameter.zero_()
    assert np.isfinite(ae.sample(3, random_state=0)).all()
    with pytest.raises(ParameterError, match="one prior for all classes"):
        ae.sample(3, y=1)


# ---------------------------------------------------------------- whole fits


@each_family
def test_the_same_seed_gives_the_same_model(family, X):
    one, same = (quick(objective=family.name, max_steps=12).fit(X) for _ in range(2))
    other = quick(objective=family.name, max_steps=12, keep="last", random_state=1).fit(X)
    assert bits(one) == bits(same)
    assert bits(one) != bits(other)


@pytest.mark.parametrize("init", ["pca", "random"])
@each_family
def test_a_model_survives_its_file(family, init, X, tmp_path):
    ae = quick(objective=family.name, max_steps=12, init=init, keep="last").fit(X)
    ae.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.transform(X), ae.transform(X))
    np.testing.assert_array_equal(again.reconstruct(X), ae.reconstruct(X))
    one, other = (model.sample(5, random_state=0) for model in (ae, again))
    np.testing.assert_array_equal(one, other)
    assert again.objective == family()


@pytest.mark.parametrize("n_rows", [2, 3, 5, 33])
@each_family
def test_few_rows_and_a_last_batch_of_one(family, n_rows):
    X = curved(n_rows)
    ae = quick(objective=family.name, max_steps=8, batch_size=32, keep="last").fit(X)
    assert np.isfinite(ae.transform(X)).all()
    assert np.isfinite(ae.reconstruct(X)).all()


@pytest.mark.filterwarnings("ignore:Columns? .*carr:narrows.errors.NarrowsWarning")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@each_family
def test_noise_and_tables_train_without_nan(family, precision):
    for X in (noise(60), load_wine().data[:60], np.ones((20, 3)), curved(40) * 1e-3):
        ae = Autoencoder(2, objective=family.name, max_steps=15, precision=precision, keep="last")
        ae.set_params(random_state=0, batch_size=32).fit(X)
        assert np.isfinite(ae.transform(X)).all()
        assert np.isfinite(ae.reconstruct(X)).all()
        assert np.isfinite(ae.sample(4, random_state=0)).all()
        assert all(np.isfinite(row["loss"]) for row in ae.history_)


@each_family
def test_a_row_has_one_code_alone_and_in_any_batch(family, X):
    ae = quick(objective=family.name, max_steps=12, keep="last").fit(X)
    Z = ae.transform(X)
    np.testing.assert_array_equal(ae.transform(X[7:8]), Z[7:8])
    np.testing.assert_array_equal(ae.transform(X[::-1]), Z[::-1])
    np.testing.assert_array_equal(ae.inverse_transform(Z[7:8]), ae.inverse_transform(Z)[7:8])


@each_family
def test_a_code_decodes_to_itself_again(family, X):
    """`fit_transform` equals `transform`, and using a model leaves it as it was."""
    ae = quick(objective=family.name, max_steps=12, keep="last")
    Z, before = ae.fit_transform(X), bits(ae)
    np.testing.assert_array_equal(Z, ae.transform(X))
    ae.sample(3)
    ae.inverse_transform(Z)
    assert bits(ae) == before


@each_family
def test_global_state_is_left_alone(family, X):
    torch_state, numpy_state = torch.get_rng_state(), numpy_stream()
    quick(objective=family.name, max_steps=6).fit(X).sample(2, random_state=0)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(numpy_stream(), numpy_state)


def numpy_stream():
    return np.random.get_state()[1].copy()  # noqa: NPY002, it is the legacy stream that is watched


@each_family
def test_clone_and_set_params(family):
    ae = Autoencoder(objective=family())
    assert clone(ae).objective == family()
    for name in family().get_params():
        ae.set_params(**{f"objective__{name}": getattr(family(), name)})
    assert ae.objective == family()


@each_family
def test_training_goes_on_with_partial_fit(family, X):
    ae = quick(objective=family.name)
    ae.partial_fit(X[:150]).partial_fit(X[150:])
    assert np.isfinite(ae.transform(X)).all()
    assert len(ae.history_) == 2


@each_family
def test_a_diverged_run_gives_its_best_state_and_a_way_out(family, X):
    ae = quick(objective=family.name, max_steps=40, learning_rate=1e12, optimizer="adam")
    with pytest.warns(NarrowsWarning, match="learning_rate="):
        ae.set_params(optimizer__epsilon=1e-30).fit(X)
    assert np.isfinite(ae.transform(X)).all()
