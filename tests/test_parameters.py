"""Parameters of the estimator and of its parts: what is refused, in which words, and grids."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from conftest import quick
from narrows import FSQ, MLP, Adam, Autoencoder, Reconstruction, load
from narrows.errors import ParameterError

TABLE = np.random.default_rng(0).integers(0, 2, size=(40, 6))
"""Zeros and ones: every dtype holds them exactly."""


def fitted(X):
    return quick(max_steps=5, bounds=None).fit(X)


BAD = [
    ("n_components", 0, "integer ≥ 1"),
    ("n_components", 2.5, "integer ≥ 1"),
    ("n_components", True, "integer ≥ 1"),
    ("init", "pcaa", "Did you mean 'pca'"),
    ("sample_shape", (28, 0), "integers ≥ 1"),
    ("scaling", "standart", "Did you mean 'standard'"),
    ("scaling", (1, 0), "low < high"),
    ("bounds", (0, np.nan), "low < high"),
    ("max_epochs", 0, "integer ≥ 1"),
    ("max_epochs", "all", "'auto'"),
    ("max_steps", 0, "integer ≥ 1"),
    ("max_seconds", 0, "number > 0"),
    ("max_seconds", float("inf"), "number > 0"),
    ("patience", 0, "integer ≥ 1"),
    ("validation_fraction", 1.0, "number ≥ 0 and < 1"),
    ("keep", "lats", "Did you mean 'last'"),
    ("batch_size", 0, "integer ≥ 1"),
    ("learning_rate", -0.1, "number > 0"),
    ("learning_rate", "fast", "'auto'"),
    ("schedule", "cosin", "Did you mean 'cosine'"),
    ("precision", "float16", "'bfloat16'"),
    ("n_threads", 0, "integer ≥ 1"),
    ("device", 3, "'cpu'"),
    ("device", "tpu:banana", "'cpu'"),
    ("callbacks", 3, "callables"),
    ("callbacks", ("print",), "callables"),
    ("random_state", -1, "integer ≥ 0"),
    ("random_state", 2**32, "≤ 4294967295"),
    ("verbose", -1, "integer ≥ 0"),
    ("network", "mpl", "Did you mean 'mlp'"),
    ("network", 3, "MLP"),
    ("network", MLP(hidden=(0,)), "hidden.*integers ≥ 1"),
    ("network", MLP(activation="geluu"), "Did you mean 'gelu'"),
    ("objective", "reconstuction", "Did you mean 'reconstruction'"),
    ("objective", MLP(), "Reconstruction"),
    ("optimizer", "adamv", "Did you mean 'adam"),
    ("optimizer", Adam(beta1=1.0), "beta1.*< 1"),
]


@pytest.mark.parametrize(("name", "value", "words"), BAD)
def test_a_bad_parameter_is_named_with_what_is_allowed(name, value, words):
    ae = Autoencoder(**{name: value})  # constructors only remember
    with pytest.raises(ParameterError, match=words) as caught:
        ae.fit(TABLE)
    assert isinstance(caught.value, ValueError)
    assert f"`{name}`" in str(caught.value) or re.search("of (MLP|Adam) must", str(caught.value))
    assert not hasattr(ae, "network_")


FROM_GRIDS = {
    "n_components": np.int64(2),
    "ordered": np.False_,
    "keep": np.str_("last"),
    "sample_shape": np.array([2, 3]),
    "scaling": np.array([0.0, 1.0]),
    "bounds": np.array([0, 1]),
    "max_steps": np.int32(5),
    "learning_rate": np.float32(1e-3),
    "validation_fraction": np.float64(0.2),
    "n_threads": np.int64(1),
    "random_state": np.int64(0),
    "verbose": True,
    "network": MLP(hidden=np.array([8, 4]), skip=np.True_, activation=np.str_("relu")),
}


def test_parameters_of_numpy_types_work_as_pythons_own_do(tmp_path):
    plain = Autoencoder(
        2,
        keep="last",
        sample_shape=(2, 3),
        scaling=(0.0, 1.0),
        bounds=(0, 1),
        max_steps=5,
        learning_rate=float(np.float32(1e-3)),
        validation_fraction=0.2,
        n_threads=1,
        random_state=0,
        network=MLP(hidden=(8, 4), skip=True, activation="relu"),
    ).fit(TABLE)
    ae = Autoencoder(**FROM_GRIDS)
    clone(ae).fit(TABLE)
    np.testing.assert_array_equal(ae.fit(TABLE).transform(TABLE), plain.transform(TABLE))
    ae.partial_fit(TABLE)
    ae.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.transform(TABLE), ae.transform(TABLE))
    assert again.network == plain.network
    assert (again.bounds, again.scaling, again.verbose) == ((0, 1), (0.0, 1.0), True)
    again.fit(TABLE)


def test_a_grid_search_over_arrays(tmp_path):
    grid = {
        "bounds": [np.array([0, 1]), np.array([0, 2])],
        "network__hidden": [np.array([8]), np.array([6])],
        "n_components": np.array([1, 2]),
        "network__skip": np.array([False]),
    }
    search = GridSearchCV(quick(max_steps=3), grid, cv=2, error_score="raise").fit(TABLE)
    search.best_estimator_.save(tmp_path / "best.safetensors")
    found = load(tmp_path / "best.safetensors")
    np.testing.assert_array_equal(found.transform(TABLE), search.transform(TABLE))


def test_levels_from_a_grid():
    assert quick(objective=FSQ(levels=np.array([8, 5])), max_steps=3).fit(TABLE)


def test_all_bad_parameters_are_reported_at_once():
    with pytest.raises(ParameterError) as caught:
        Autoencoder(0, keep="lats", patience=0).fit(TABLE)
    assert all(name in str(caught.value) for name in ("n_components", "keep", "patience"))


def test_bad_parts_are_reported_beside_bad_parameters():
    with pytest.raises(ParameterError) as caught:
        Autoencoder(0, network="mpl", optimizer=Adam(beta1=2.0)).fit(TABLE)
    assert all(name in str(caught.value) for name in ("n_components", "network", "beta1"))


def test_an_unknown_field_of_a_part_names_the_nearest():
    with pytest.raises(
        ParameterError, match=r"MLP has no parameter 'hiden'.*Did you mean 'hidden'"
    ):
        Autoencoder().set_params(network__hiden=(3,))
    with pytest.raises(ParameterError, match=r"no part 'netwrk'.*network"):
        Autoencoder().set_params(netwrk__hidden=(3,))
    with pytest.raises(ValueError, match="Invalid parameter 'n_component'"):
        Autoencoder().set_params(n_component=3)


def test_an_activated_code_needs_a_random_start():
    network = MLP(hidden=(4,), code_activation="tanh")
    with pytest.raises(ParameterError, match=r"code_activation.*init='random'"):
        quick(network=network).fit(TABLE)
    codes = quick(network=network, init="random", objective=Reconstruction()).fit_transform(TABLE)
    assert np.abs(codes).max() <= 1


def test_bad_parameters_leave_a_fitted_model_as_it_was():
    ae = fitted(TABLE)
    before = ae.transform(TABLE)
    with pytest.raises(ParameterError):
        ae.set_params(keep="lats").fit(TABLE)
    np.testing.assert_array_equal(ae.transform(TABLE), before)
