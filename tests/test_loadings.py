"""Local loadings: finite differences, PCA's components, shapes, any batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from conftest import quick
from narrows import Autoencoder, Conv
from narrows.errors import DataError


@pytest.fixture(scope="module")
def digits():
    return load_digits().images / 16


def finite_differences(ae, Z, step):
    slopes = []
    for number in range(Z.shape[1]):
        shift = np.zeros_like(Z)
        shift[:, number] = step
        slopes.append(
            (ae.inverse_transform(Z + shift) - ae.inverse_transform(Z - shift)) / 2 / step
        )
    return np.stack(slopes, axis=-1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"objective": "neighbors"},
        {"objective": "vae"},
        {"ordered": True, "n_components": 4},
        {"scaling": "standard", "objective": "denoising"},
    ],
)
def test_they_are_finite_differences(X, changes):
    ae = quick(**{"n_components": 2, "max_steps": 200, "keep": "last", **changes}).fit(X)
    Z = ae.transform(X[:40])
    found = ae.loadings(Z)
    expected = finite_differences(ae, Z, 1e-5)
    assert found.shape == (40, X.shape[1], Z.shape[1])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6 * scale)
    assert np.ptp(found, axis=0).max() > 1e-3 * scale  # they are local


def test_of_a_shorter_code_they_are_those_of_what_it_decodes_to(X):
    ae = quick(4, ordered=True, max_steps=100).fit(X)
    Z = ae.transform(X[:20])[:, :2]
    np.testing.assert_allclose(
        ae.loadings(Z), finite_differences(ae, Z, 1e-5), rtol=1e-3, atol=1e-6
    )


def test_at_the_start_they_are_pca_s_components(X):
    ae = quick(3, max_steps=1, learning_rate=1e-30, keep="last").fit(X)
    found = ae.loadings(ae.transform(X[:5]))
    for slopes in found:
        np.testing.assert_allclose(slopes, ae.pca_.components_.T, atol=1e-5)


@pytest.mark.parametrize("network", ["auto", Conv()])
def test_of_pictures_they_have_the_shape_of_pictures(digits, network):
    ae = quick(2, network=network, max_steps=40).fit(digits)
    Z = ae.transform(digits[:7])
    found = ae.loadings(Z)
    assert found.shape == (7, 8, 8, 2)
    outside = (ae.inverse_transform(Z) <= 0) | (ae.inverse_transform(Z) >= 1)
    assert outside.any()
    assert not found[outside].any()


def test_a_row_alone_gives_the_same_bits(digits):
    ae = quick(3, max_steps=40).fit(digits)
    Z = ae.transform(digits[:100])
    whole = ae.loadings(Z)
    np.testing.assert_array_equal(whole[71:72], ae.loadings(Z[71:72]))
    assert ae.loadings(Z.astype(np.float32)).dtype == np.float32


def test_own_modules_have_loadings_too(X):
    D = X.shape[1]
    pair = (
        torch.nn.Sequential(torch.nn.Linear(D, 8), torch.nn.SiLU(), torch.nn.Linear(8, 2)),
        torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.SiLU(), torch.nn.Linear(8, D)),
    )
    ae = Autoencoder(2, network=pair, max_steps=60, random_state=0).fit(X)
    Z = ae.transform(X[:9])
    np.testing.assert_allclose(
        ae.loadings(Z), finite_differences(ae, Z, 1e-5), rtol=1e-3, atol=1e-6
    )


def test_wrong_codes_are_refused(trained):
    with pytest.raises(DataError, match="Z has 5 columns"):
        trained.loadings(np.zeros((2, 5)))
