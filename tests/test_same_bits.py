"""The number of threads changes no bit of a training on the processor.

So threads can be chosen while a run goes on, and `max_steps` repeats a run on a busier machine. It
holds for the products of MKL, with which torch comes on x86.
"""

import numpy as np
import pytest
import torch

from narrows import VAE, Autoencoder
from narrows.model.parts import PARTS
from narrows.sources.mnist import load_mnist

pytestmark = pytest.mark.skipif(
    not torch.backends.mkl.is_available(), reason="only products of MKL are known to be the same"
)
CASES = [
    *({"objective": name} for name in PARTS["objective"]),
    {"objective": VAE(likelihood="logistic", prior="flow")},
    {"ordered": True},
    {"network": "conv", "sample_shape": (28, 28)},
    {"scaling": "standard"},
]


@pytest.mark.parametrize("params", CASES, ids=str)
def test_one_thread_and_two_give_the_same_bits(params):
    X = load_mnist("test", return_X_y=True)[0][:1_100]

    def fitted(n_threads):
        given = {"max_steps": 12, "learning_rate": 0.01, "keep": "last", "random_state": 0}
        return Autoencoder(8, n_threads=n_threads, **given, **params).fit(X)

    one, two = fitted(1), fitted(2)
    weights = zip(one.network_.parameters(), two.network_.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in weights)
    np.testing.assert_array_equal(one.pca_.components_, two.pca_.components_)
    assert one.validation_error_ == two.validation_error_


@pytest.mark.parametrize("shape", [(300, 900), (900, 300), (700, 5_000)])
def test_pca_has_the_same_bits_with_any_number_of_threads(shape):
    from narrows.common.threads import compute_threads
    from narrows.linear.pca import fit_pca

    X = np.random.default_rng(0).normal(size=shape) * np.linspace(1, 3, shape[1])

    def components(n):
        with compute_threads(n):
            return fit_pca(lambda: iter([X[:200], X[200:]]), 5, 0).components_

    np.testing.assert_array_equal(components(1), components(2))
