"""Layers that give zeros are left out of a model that is only PCA, and come back for training."""

import numpy as np
import pytest

from narrows import MLP, VAE, Autoencoder, Neighbors, load


def noise(n_rows=300, n_features=12):
    """Return rows in which nothing can be learned beyond PCA."""
    return np.random.default_rng(0).normal(size=(n_rows, n_features)).astype(np.float32)


def of_noise(**params):
    given = {"n_components": 3, "max_steps": 30, "random_state": 0, **params}
    ae = Autoencoder(**given).fit(noise())
    assert ae.best_step_ == 0
    return ae


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"ordered": True},
        {"scaling": "standard"},
        {"network": MLP(activation="tanh")},
        {"objective": VAE()},
        {"n_components": 2, "objective": Neighbors(), "max_steps": 1},
    ],
    ids=str,
)
def test_a_model_that_is_pca_has_no_hidden_layer(params, tmp_path):
    X, ae = noise(), of_noise(**params)
    assert ae.model_.architecture.hidden == ()
    whole = of_noise(**{**params, "network": MLP(hidden=(32, 16))})
    np.testing.assert_allclose(ae.transform(X), whole.transform(X), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ae.reconstruction_error(X), whole.reconstruction_error(X), rtol=1e-5)
    ae.save(tmp_path / "a.safetensors")
    assert np.array_equal(load(tmp_path / "a.safetensors").transform(X), ae.transform(X))


def test_what_was_asked_for_stays_whole():
    assert of_noise(network=MLP(hidden=(8,))).model_.architecture.hidden == (8,)


@pytest.mark.parametrize("params", [{}, {"ordered": True}], ids=str)
def test_partial_fit_puts_layers_back_and_trains_them(params, tmp_path):
    ae = of_noise(**params)
    ae.save(tmp_path / "a.safetensors")
    for each in (ae, load(tmp_path / "a.safetensors")):
        each.partial_fit(noise())
        model = each.model_
        assert model.architecture.hidden == (128, 64)
        assert list(model.net.encoder.inner.modules())[-1].weight.detach().abs().max() > 0


def test_a_map_starts_from_an_earlier_one_that_was_pca():
    origin = of_noise(n_components=2, objective=Neighbors(), max_steps=1)
    again = Autoencoder(2, objective=Neighbors(), max_steps=3, random_state=0)
    again.fit(noise(), align_to=origin)
    assert again.model_.architecture.hidden != ()
    assert again.movement_.median < 0.1
