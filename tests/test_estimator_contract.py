"""scikit-learn's own contract, and the tools that people wrap around an estimator."""

from __future__ import annotations

import io

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from conftest import quick
from narrows import MLP, AdamW, Autoencoder
from narrows.model.parts import PARTS

LET_OFF = {"check_array_api_input"}
"""Skipped by scikit-learn unless SCIPY_ARRAY_API is set; narrows computes on NumPy and torch."""

ITS_OWN_WARNINGS = pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names")
"""The checks hand arrays to what was fitted on frames, and frames to what was fitted on arrays."""


def assert_passes_every_check(ae):
    results = estimator_checks.check_estimator(ae, on_skip=None, on_fail=None)
    failed = {
        result["check_name"]: f"{result['status']}: {result['exception']!r}"
        for result in results
        if result["status"] != "passed" and result["check_name"] not in LET_OFF
    }
    assert failed == {}
    assert len(results) > 40


@ITS_OWN_WARNINGS
@pytest.mark.parametrize("init", ["pca", "random"])
def test_every_check_of_scikit_learn_passes(init):
    """Trained for a few steps, since fifty checks are many."""
    assert_passes_every_check(Autoencoder(init=init, max_steps=4))


UNLIKE = ("neighbors", "vae")
"""Families that differ most from each other; the others are checked by `make test-long`."""
OTHERS = sorted(set(PARTS["objective"]) - {"reconstruction", *UNLIKE})


@ITS_OWN_WARNINGS
@pytest.mark.parametrize(
    "objective", [*UNLIKE, *(pytest.param(name, marks=pytest.mark.long) for name in OTHERS)]
)
def test_every_check_passes_for_each_family(objective):
    few = {"network": MLP(hidden=(16,)), "max_steps": 4, "validation_fraction": 0.1}
    assert_passes_every_check(Autoencoder(objective=objective, **few))


@ITS_OWN_WARNINGS
@pytest.mark.parametrize(
    "name",
    [
        "check_set_output_transform",
        "check_set_output_transform_pandas",
        "check_set_output_transform_polars",
        "check_global_output_transform_pandas",
        "check_global_set_output_transform_polars",
        "check_transformer_get_feature_names_out",
        "check_transformer_get_feature_names_out_pandas",
        "check_dataframe_column_names_consistency",
    ],
)
def test_checks_that_check_estimator_leaves_out(name):
    getattr(estimator_checks, name)("Autoencoder", Autoencoder(max_steps=3))


def test_pipeline_classifies_codes(X):
    y = X[:, 0] > X[:, 0].mean()
    pipeline = make_pipeline(StandardScaler(), quick(3), LogisticRegression())
    assert pipeline.fit(X, y).score(X, y) > 0.9
    assert list(pipeline[:-1].get_feature_names_out()) == [f"autoencoder{i}" for i in range(3)]


def test_clone_takes_parameters_and_nothing_learned(trained):
    copy = clone(trained)
    assert copy.get_params() == trained.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]


@pytest.mark.parametrize("partial", [False, True])
def test_joblib_gives_the_same_model_back(X, partial):
    ae = quick().partial_fit(X) if partial else quick().fit(X)
    ae.transform(X)  # fills what is kept for the next call
    buffer = io.BytesIO()
    joblib.dump(ae, buffer)
    buffer.seek(0)
    again = joblib.load(buffer)
    np.testing.assert_array_equal(again.transform(X), ae.transform(X))
    assert again.history_[-1]["loss"] == ae.history_[-1]["loss"]


def test_grid_search_reaches_parts_and_parameters(X):
    grid = {"network__hidden": [(4,), (8, 4)], "learning_rate": [0.001, 0.003]}
    search = GridSearchCV(Autoencoder(max_steps=3, random_state=0), grid, cv=2).fit(X)
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.network.hidden == search.best_params_["network__hidden"]


def test_parts_can_be_searched_where_they_are_objects():
    ae = Autoencoder(network=MLP(activation="relu"), optimizer=AdamW(beta1=0.8))
    ae.set_params(network__hidden=(5,), optimizer__weight_decay=0.0)
    assert ae.network == MLP(hidden=(5,), activation="relu")
    assert ae.optimizer == AdamW(beta1=0.8, weight_decay=0.0)


def test_setting_a_field_leaves_the_callers_part_alone():
    mlp = MLP(hidden=(7,))
    Autoencoder(network=mlp).set_params(network__hidden=(5,))
    assert mlp.hidden == (7,)


def test_get_params_deep_names_the_fields_of_parts():
    params = Autoencoder(network=MLP(hidden=(7,))).get_params()
    assert params["network__hidden"] == (7,)
    assert params["n_components"] == 2
