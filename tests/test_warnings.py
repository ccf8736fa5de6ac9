"""Warnings point to the line of the program that called narrows, not into narrows."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path

import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import narrows
from conftest import quick
from narrows import evaluate
from narrows.common.warn import warn
from narrows.errors import NarrowsWarning
from narrows.sources.open import read_table

SOURCE = Path(narrows.__file__).parent


@pytest.fixture
def dominated(rng):
    """Rows whose first column has nearly all the variance."""
    X = rng.normal(size=(60, 4))
    X[:, 0] *= 1e4
    return X


def fit(X):
    quick(1, max_steps=3).fit(X)


def fit_transform(X):
    quick(1, max_steps=3).fit_transform(X)


def fit_in_a_pipeline(X):
    make_pipeline(FunctionTransformer(), quick(1, max_steps=3)).fit(X)


def fit_in_a_grid_search(X):
    GridSearchCV(quick(1, max_steps=3), {"max_steps": [3]}, cv=2).fit(X)


def diverge(X):
    quick(1, max_steps=8, learning_rate=1e30, init="random").fit(X)


def evaluate_training_rows(X):
    ae = quick(1, max_steps=3, scaling="standard").fit(X)
    evaluate(ae, X[1:], X_train=X)


@pytest.mark.parametrize(
    "use",
    [
        fit,
        fit_transform,
        fit_in_a_pipeline,
        fit_in_a_grid_search,
        diverge,
        evaluate_training_rows,
    ],
)
def test_a_warning_names_the_file_of_the_caller(use, dominated):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use(dominated)
    ours = [one for one in caught if issubclass(one.category, NarrowsWarning)]
    assert ours
    assert {one.filename for one in ours} == {__file__}
    first = use.__code__.co_firstlineno
    assert {one.lineno for one in ours} <= {first + 1, first + 2}


def test_a_warning_about_a_file_names_the_caller(tmp_path):
    (tmp_path / "t.csv").write_text("x,1,2\ny,3,4\n")
    with pytest.warns(NarrowsWarning, match="taken for names of columns") as caught:
        read_table(str(tmp_path / "t.csv"))
    assert caught[0].filename == __file__


def test_a_warning_in_a_thread_of_its_own_is_heard():
    with pytest.warns(NarrowsWarning, match="heard") as caught:
        thread = threading.Thread(target=warn, args=("heard",))
        thread.start()
        thread.join()
    assert Path(caught[0].filename).name == "threading.py"


def test_every_warning_of_the_package_goes_by_the_same_way():
    speakers = [
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if "warnings.warn(" in path.read_text("utf-8") or "stacklevel" in path.read_text("utf-8")
    ]
    assert speakers == ["common/warn.py"]
