"""Errors are reported in the units in which a model was trained and judged."""

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from conftest import curved, quick
from narrows import Autoencoder, evaluate
from narrows.errors import NarrowsWarning
from narrows.sources.inputs import dominant_columns


def far_apart(seed=0):
    """A curved sheet whose third column is ten thousand times as large as the others."""
    return curved(300, seed=seed) * [1, 1, 1e4, 1, 1, 1]


@pytest.fixture(scope="module")
def standard():
    return quick(scaling="standard", max_steps=300).fit(far_apart())


def test_with_a_scale_for_each_column_errors_are_in_deviations(standard):
    X = far_apart(seed=1)
    mean, deviations = far_apart().mean(axis=0), far_apart().std(axis=0, ddof=1)
    theirs = np.square((X - standard.reconstruct(X)) / deviations)
    np.testing.assert_allclose(standard.model_.errors(X), theirs.mean(axis=1), rtol=1e-6)
    assert standard.model_.error_unit == "squared standard deviations of each column"
    assert standard.model_.variance(X, reported=True) == pytest.approx(
        np.square((X - mean) / deviations).mean(), rel=1e-6
    )
    # About what was held out, and not a hundred million times as much.
    assert standard.validation_error_ == pytest.approx(theirs.mean(), rel=0.5)
    assert standard.explained_variance_ratio_ == pytest.approx(1 - standard.validation_error_)


def test_pca_s_error_is_in_the_same_unit(standard):
    rows = StandardScaler().fit_transform(far_apart())
    pca = PCA(2).fit(rows)
    theirs = np.square(rows - pca.inverse_transform(pca.transform(rows))).mean()
    assert standard.pca_validation_error_ == pytest.approx(theirs, rel=0.3)
    report = evaluate(standard, far_apart(seed=1))
    assert report.error == pytest.approx(standard.model_.errors(far_apart(seed=1)).mean())
    assert report.pca_error == pytest.approx(theirs, rel=0.3)


def test_elsewhere_errors_are_in_data_units():
    ae = quick().fit(curved())
    np.testing.assert_array_equal(ae.model_.errors(curved()), ae.reconstruction_error(curved()))
    assert ae.model_.error_unit == "squared data units"


def test_few_columns_with_nearly_all_the_variance_are_named():
    wine = load_wine(as_frame=True).data
    with pytest.warns(NarrowsWarning, match=r"Column 12 \('proline'\) carries 99\.7.*standard"):
        quick(max_steps=2).fit(wine)
    variances = np.r_[100.0, 90.0, np.ones(28) / 10]
    assert "Columns 0, 1 carry" in dominant_columns(variances)[0]
    assert dominant_columns(np.r_[91.0, np.ones(9)]) and not dominant_columns(
        np.r_[80.0, np.ones(9)]
    )
    assert dominant_columns(np.ones(30)) == []
    assert dominant_columns(np.array([1.0, 0.0, 0.0])) == []  # the others do not vary at all
    assert dominant_columns(np.array([3.0])) == []


def test_where_it_changes_nothing_nothing_is_said(recwarn):
    quick(max_steps=2, scaling="standard").fit(load_wine().data)
    pictures = np.zeros((60, 8, 8), dtype=np.uint8)
    pictures[:, 3, 3] = np.arange(60)
    pictures[:, 3, 4] = np.arange(60) // 40
    Autoencoder(1, max_steps=2, random_state=0).fit(pictures)
    assert not [warned for warned in recwarn if "carr" in str(warned.message)]
