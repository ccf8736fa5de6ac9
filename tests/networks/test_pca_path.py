"""PCA as a linear path and as a network, in the units of a scaling."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from conftest import noise
from narrows.linear.pca import fit_pca
from narrows.linear.scaling import choose_scaling
from narrows.networks.pca_path import linear_path, pca_network, principal_axes

X = noise(80, 6) * [1, 2, 3, 4, 5, 6]


def blocks():
    yield X


def scaled(scaling):
    pca = fit_pca(blocks, 3, 0)
    return pca, choose_scaling(scaling, pca.mean_, pca.variances_, X.min(), X.max())


@pytest.mark.parametrize("scaling", ["auto", None, (0.0, 1.0)])
def test_pca_as_a_network_is_scikit_learn_s(scaling):
    pca, given = scaled(scaling)
    net = pca_network(pca, given)
    x = given(torch.from_numpy(X))
    x_hat = given.inverse(net.decoder(net.encoder(x))).detach().numpy()
    theirs = PCA(3).fit(X)
    np.testing.assert_allclose(x_hat, theirs.inverse_transform(theirs.transform(X)), rtol=1e-9)
    codes = (net.encoder(x) * net.code_unit).detach().numpy()
    np.testing.assert_allclose(np.abs(codes), np.abs(theirs.transform(X)), atol=1e-9)


def test_deviations_and_what_is_left_over_are_those_of_the_scores():
    pca, given = scaled("auto")
    path = linear_path(pca, given)
    unit = float(given.divisor)
    np.testing.assert_allclose(path.deviations * unit, PCA(3).fit(X).explained_variance_ ** 0.5)
    theirs = PCA(3).fit(X)
    error = np.square(X - theirs.inverse_transform(theirs.transform(X))).mean()
    assert path.left_over * unit == pytest.approx(np.sqrt(error * 80 / 79), rel=0.01)


def test_the_first_axis_has_deviation_1():
    pca, given = scaled("auto")
    axes = principal_axes(pca, given)
    scores = given(torch.from_numpy(X)) @ axes.weight.T + axes.bias
    assert scores[:, 0].std(unbiased=True) == pytest.approx(1.0)
