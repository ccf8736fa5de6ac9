"""A user's own modules and families: copied, started at PCA, and passed again to `load`."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.nn import functional

from conftest import assert_is_pca_of, bits, curved, quick
from narrows import MLP, Autoencoder, Reconstruction, load
from narrows.errors import ModelFileError, NarrowsError, ParameterError
from narrows.networks import Network, Widths
from narrows.networks.own import Own
from narrows.objectives import Objective
from narrows.training.make_plan import make_plan

D, K = 6, 2
INITS = pytest.mark.parametrize("init", ["pca", "random"])


def layers(*modules):
    return nn.Sequential(*modules)


def pair(n_components=K, seed=0):
    """Modules with all that is awkward: statistics, counts, chance."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = layers(
            nn.Linear(D, 16), nn.BatchNorm1d(16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, K)
        )
        decoder = layers(nn.Linear(K, 16), nn.GELU(), nn.Linear(16, D))
    if n_components != K:
        encoder[-1], decoder[0] = nn.Linear(16, n_components), nn.Linear(n_components, 16)
    return encoder, decoder


def plain_pair():
    return layers(nn.Linear(D, 8), nn.Tanh(), nn.Linear(8, K)), nn.Linear(K, D)


def state(modules):
    return copy.deepcopy([module.state_dict() for module in modules])


def same(one, other):
    return all(torch.equal(a[name], b[name]) for a, b in zip(one, other, strict=True) for name in a)


# ---------------------------------------------------------------- learning


@INITS
def test_the_users_modules_stay_as_they_were(init, X):
    own = pair()
    own[0].eval()
    before, was_training = state(own), [module.training for module in own]
    ae = quick(network=own, init=init, keep="last").fit(X)
    ae.partial_fit(X)
    ae.transform(X)
    assert same(state(own), before)
    assert [module.training for module in own] == was_training
    assert ae.network is own
    assert ae.get_params()["network"] is own


@INITS
def test_they_learn(init, X):
    ae = quick(network=pair(), init=init, max_steps=300, learning_rate=0.01).fit(X)
    assert ae.best_step_ > 0
    if init == "pca":
        assert ae.validation_error_ < 0.9 * ae.pca_validation_error_


def test_training_starts_at_pca(X):
    ae = quick(network=pair(), learning_rate=1e-30, validation_fraction=0.0, max_steps=1).fit(X)
    assert_is_pca_of(ae, X, rtol=1e-6)


def test_a_random_start_is_the_users_weights():
    X = curved()
    ae = quick(network=plain_pair(), init="random", scaling=None, learning_rate=1e-30)
    encoder, _ = ae.network
    Z = ae.fit(X).transform(X)
    with torch.no_grad():
        expected = encoder(torch.from_numpy(X).float()).numpy()
    np.testing.assert_allclose(Z, expected, rtol=1e-4, atol=1e-5)


@INITS
def test_the_same_seed_gives_the_same_model_whatever_else_draws(init, X):
    def disturb(progress):
        torch.rand(3)

    one = quick(network=pair(), init=init, keep="last").fit(X)
    torch.rand(7)
    other = quick(network=pair(), init=init, keep="last", callbacks=[disturb]).fit(X)
    assert bits(one) == bits(other)
    assert bits(one) != bits(quick(network=pair(), init=init, keep="last", random_state=1).fit(X))


def test_dropout_is_drawn_anew_at_each_step_and_global_state_is_left_alone(X):
    drawn = []

    class Watched(nn.Dropout):
        def forward(self, x):
            if self.training:
                drawn.append(torch.rand(1).item())
            return super().forward(x)

    encoder, decoder = plain_pair()
    encoder.insert(1, Watched(0.5))
    before = torch.get_rng_state()
    quick(network=(encoder, decoder), max_steps=9, keep="last").fit(X)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(set(drawn)) == len(drawn) >= 9


@pytest.mark.parametrize("n_rows", [2, 3, 5, 65])
def test_batch_normalisation_meets_a_last_batch_of_one(n_rows):
    X = curved(n_rows)
    ae = quick(network=pair(), batch_size=32, validation_fraction=0.0, max_steps=6).fit(X)
    assert np.isfinite(ae.reconstruct(X)).all()


def test_statistics_and_counts_of_batches_are_learned(X):
    ae = quick(network=pair(), keep="last", max_steps=12, batch_size=60).fit(X)
    norm = ae.network_.encoder.inner.module[1]
    assert norm.num_batches_tracked.item() == 12
    assert norm.num_batches_tracked.dtype == torch.int64
    assert norm.running_var.ne(1).all()
    assert not ae.network_.training


def test_bfloat16_only_where_it_is_asked_for(X, monkeypatch):
    monkeypatch.setattr("narrows.training.make_plan.has_bfloat16_products", lambda: True)
    wide = layers(nn.Linear(D, 4096), nn.GELU(), nn.Linear(4096, K)), nn.Linear(K, D)
    params = {"network": wide, "n_components": K, "batch_size": 4096}
    plans = [
        make_plan(Autoencoder(**params, **asked).get_params(deep=False), 5000, D, 0)
        for asked in ({}, {"precision": "bfloat16"})
    ]
    assert [plan.dtype for plan in plans] == [torch.float32, torch.bfloat16]
    ae = quick(network=plain_pair(), precision="bfloat16", keep="last").fit(X)
    assert np.isfinite(ae.transform(X)).all()


def test_modules_in_other_dtypes_and_lazy_ones(X):
    encoder = layers(nn.LazyLinear(9), nn.ReLU(), nn.LazyLinear(K))
    decoder = layers(nn.Linear(K, 9), nn.Tanh(), nn.Linear(9, D)).double()
    ae = quick(network=(encoder, decoder), keep="last").fit(X)
    assert bits(ae) == bits(clone(ae).fit(X))
    assert isinstance(encoder[0], nn.LazyLinear)
    assert decoder[0].weight.dtype == torch.float64


def test_weights_that_two_layers_share_stay_shared(X, tmp_path):
    def tied():
        encoder, decoder = (layers(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8)) for _ in "12")
        decoder[0].weight = encoder[0].weight
        return layers(nn.Linear(D, 8), encoder, nn.Linear(8, K)), layers(
            nn.Linear(K, 8), decoder, nn.Linear(8, D)
        )

    ae = quick(network=tied(), keep="last").fit(X)
    ae.save(tmp_path / "m.safetensors")
    for model in (ae, load(tmp_path / "m.safetensors", network=tied())):
        encoder, decoder = model.network_.encoder.inner, model.network_.decoder.inner
        assert encoder.module[1][0].weight is decoder.module[1][0].weight
    assert len(list(Own(*tied()).build(Widths(D, K, K, D), None))) == 2
    counted = 7 * 8 + 9 * 8 + 9 * 8 + 9 * K + 3 * 8 + 8 + 9 * 8 + 9 * D
    assert Own(*tied()).n_parameters(None) == counted


def test_counts_of_own_modules():
    own = Own(*pair()).resolved(Widths(D, K, K, D), 10)
    assert own.n_parameters(None) == (7 * 16 + 32 + 17 * K) + (3 * 16 + 17 * D)
    assert own.n_products(Widths(D, K, K, D)) == (D * 16 + 16 * K) + (K * 16 + 16 * D)


class Unsteady(nn.Module):
    """Adds up over the whole batch what cancels out but for rounding."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        places = torch.arange(len(x), dtype=x.dtype)[:, None]
        return self.linear(x) * (1 + 1e-6 * places)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_go_one_by_one_where_their_place_in_a_block_would_matter(dtype):
    X = curved(130).astype(dtype)
    own = Unsteady(D, K), layers(nn.Linear(K, D))
    ae = quick(network=own, init="random").fit(X)
    Z = ae.transform(X)
    np.testing.assert_array_equal(ae.transform(X[::-1]), Z[::-1])
    np.testing.assert_array_equal(ae.transform(X[70:71]), Z[70:71])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_convolutions_of_any_kind_keep_their_bits(dtype):
    X = curved(130).astype(dtype)
    encoder = layers(
        nn.Unflatten(1, (1, 3, 2)),
        nn.Conv2d(1, 5, 3, padding=1),
        nn.Flatten(2),
        nn.Conv1d(5, 3, 2),
        nn.ConvTranspose1d(3, 7, 2),
        nn.Flatten(),
        nn.Linear(42, K),
    )
    ae = quick(network=(encoder, nn.Linear(K, D)), keep="last").fit(X)
    Z = ae.transform(X)
    np.testing.assert_array_equal(ae.transform(X[::-1]), Z[::-1])
    np.testing.assert_array_equal(ae.transform(X[70:71]), Z[70:71])


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (nn.Linear(D, K), r"pair \(encoder, decoder\) of torch.nn.Module, got a single module Lin"),
        ((nn.Linear(D, K),), "got a tuple of Linear"),
        ((nn.Linear, nn.Linear), "got a tuple of Linear, Linear"),
        ((nn.Linear(D, K), "mlp"), "got a tuple of Linear, str"),
        ([], "got a list of nothing"),
    ],
)
def test_what_is_no_pair(given, words, X):
    with pytest.raises(ParameterError, match=words):
        quick(network=given).fit(X)


@INITS
@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            pair(3),
            r"encoder in `network` \(Sequential\) returned shape \(2, 3\).*flat rows of shape"
            r" \(2, 6\) into shape \(2, 2\).*n_components",
        ),
        (
            (nn.Linear(D, K), nn.Linear(K, D + 1)),
            r"decoder in `network` \(Linear\) returned shape \(2, 7\).*into shape \(2, 6\)",
        ),
        ((nn.Linear(D - 1, K), nn.Linear(K, D)), r"encoder .* failed with RuntimeError.*\(2, 6\)"),
        ((nn.Conv2d(1, 1, 1), nn.Linear(K, D)), r"encoder .* failed.*nn.Unflatten"),
        ((nn.LSTM(D, K), nn.Linear(K, D)), r"encoder in `network` \(LSTM\) returned a tuple"),
    ],
)
def test_wrong_widths_are_named_before_anything_is_learned(given, words, init, X):
    with pytest.raises(ParameterError, match=words):
        quick(network=given, init=init).fit(X)


class Loose(nn.Module):
    """Weights that no layer holds."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(K, D))

    def forward(self, x):
        return functional.linear(x, self.weight)


@pytest.mark.parametrize(
    ("decoder", "words"),
    [
        (layers(nn.Linear(K, D), nn.Sigmoid()), "decoder in `network` gives 0.5 where.*needs 0"),
        (layers(nn.Linear(K, D), nn.ReLU()), "decoder in `network` could never leave zero.*ReLU"),
        (layers(nn.Linear(K, D), nn.LayerNorm(D), nn.Softplus()), "gives 0.693"),
        (nn.Linear(K, D).requires_grad_(False), "could never leave zero.*frozen"),
    ],
)
def test_ends_that_cannot_start_at_pca_say_so(decoder, words, X):
    given = nn.Linear(D, K), decoder
    with pytest.raises(ParameterError, match=rf"{words}.*init='random'"):
        quick(network=given).fit(X)
    quick(network=given, init="random").fit(X)


def test_modules_without_layers_cannot_start_at_pca(X):
    given = Loose(), nn.Linear(K, D)
    with pytest.raises(ParameterError, match=r"Loose holds no nn.Linear.*init='random'"):
        quick(network=given).fit(X)
    quick(network=given, init="random").fit(X)


def test_a_pair_has_no_fields_to_set():
    with pytest.raises(ParameterError, match="no parameter 'hidden'; it has none"):
        Autoencoder(network=pair()).set_params(network__hidden=(3,))


# ---------------------------------------------------------------- wrapped and kept


def test_clone_pickle_and_grid_search(X):
    ae = quick(network=pair(), keep="last").fit(X)
    again = pickle.loads(pickle.dumps(ae))
    np.testing.assert_array_equal(again.transform(X), ae.transform(X))
    assert bits(clone(ae).fit(X)) == bits(ae)
    search = GridSearchCV(quick(max_steps=3), {"network": ["mlp", pair(), plain_pair()]}, cv=2)
    assert np.isfinite(search.fit(X).cv_results_["mean_test_score"]).all()


@pytest.fixture
def saved(X, tmp_path):
    path = tmp_path / "own.safetensors"
    quick(network=pair(), keep="last").fit(X).save(path)
    return path


@INITS
def test_a_model_is_read_with_modules_of_any_weights(init, X, tmp_path):
    ae, path = quick(network=pair(), init=init, keep="last").fit(X), tmp_path / "m.safetensors"
    ae.save(path)
    own = pair(seed=9)
    before = state(own)
    again = load(path, network=own)
    assert same(state(own), before)
    assert again.network is own
    assert bits(again) == bits(ae)
    for given in (X, X.astype(np.float32)):
        np.testing.assert_array_equal(again.reconstruct(given), ae.reconstruct(given))
    counts = again.network_.state_dict()
    assert any(tensor.dtype == torch.int64 for tensor in counts.values())
    one, other = (model.partial_fit(X).transform(X) for model in (ae, again))
    np.testing.assert_array_equal(one, other)


def test_a_file_holds_no_class_and_asks_for_the_modules(saved):
    assert b"torch.nn" not in saved.read_bytes()
    with pytest.raises(
        ParameterError, match=r"network=\(Sequential, Sequential\).*load\(path, net"
    ):
        load(saved)


@pytest.mark.parametrize("other", [pair(3), plain_pair()])
def test_other_modules_than_those_of_fit_are_refused(saved, other):
    with pytest.raises(ParameterError, match="cannot be read with the `network` given"):
        load(saved, network=other)
    assert not issubclass(ParameterError, ModelFileError)


def test_modules_are_refused_where_the_file_needs_none(model_file):
    with pytest.raises(ParameterError, match=r"the model has 'mlp'.*Leave `network` out"):
        load(model_file, network=pair())
    with pytest.raises(ParameterError, match="the model has 'reconstruction'"):
        load(model_file, objective=Reconstruction())


def test_parameters_set_after_fit_are_asked_for_too(X, tmp_path):
    ae = quick(keep="last").fit(X).set_params(network=pair())
    ae.save(tmp_path / "m.safetensors")
    with pytest.raises(ParameterError, match="user's own"):
        load(tmp_path / "m.safetensors")
    own = pair()
    assert load(tmp_path / "m.safetensors", network=own).network is own


# ---------------------------------------------------------------- a family of one's own


@dataclass(frozen=True)
class Cubes(Reconstruction):
    """The cube of the distance."""

    power: float = 3.0

    def terms(self, net, batch, step):
        error = self.reconstruction(net, self.code(net, batch.x)) - batch.x
        return {"reconstruction": error.abs().pow(self.power).mean(dim=1)}


class Bare(Objective):
    """A family without the decorator."""

    name = "bare"
    units: ClassVar[dict[str, str]] = {}

    def terms(self, net, batch, step):
        return {}


@dataclass(frozen=True)
class Narrow(MLP):
    """An architecture of one's own."""


def test_own_families_and_architectures_are_passed_again(X, tmp_path):
    ae = quick(objective=Cubes(power=2.5), network=Narrow(hidden=(5,)), keep="last").fit(X)
    path = tmp_path / "m.safetensors"
    ae.save(path)
    with pytest.raises(ParameterError, match=r"network=Narrow.*an object of that class"):
        load(path)
    with pytest.raises(ParameterError, match="objective=Cubes"):
        load(path, network=Narrow(hidden=(5,)))
    again = load(path, network=Narrow(hidden=(5,)), objective=Cubes(power=2.5))
    np.testing.assert_array_equal(again.transform(X), ae.transform(X))
    assert again.objective == Cubes(power=2.5)
    with pytest.raises(NarrowsError, match="cannot be read"):
        load(path, network=Narrow(hidden=(4,)), objective=Cubes())


def test_a_family_without_fields_is_told_what_is_missing(X):
    with pytest.raises(ParameterError, match=r"Bare must be a dataclass.*@dataclass"):
        quick(objective=Bare()).fit(X)


@dataclass(frozen=True)
class Dropping(MLP):
    """An architecture whose layers draw at random, and keep statistics."""

    def build(self, widths, generator):
        encoder, decoder = super().build(widths, generator)
        return layers(nn.BatchNorm1d(widths.features), nn.AlphaDropout(0.3), *encoder), decoder

    def n_parameters(self, widths):
        return super().n_parameters(widths) + 2 * widths.features


def test_layers_of_an_own_architecture_draw_from_the_seed(X):
    fits = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        fits.append(quick(network=Dropping(hidden=(5,)), keep="last", max_steps=5).fit(X))
    assert bits(fits[0]) == bits(fits[1])


def test_an_own_architecture_is_not_rounded_unasked():
    class Plain(Network):
        pass

    assert MLP.bfloat16
    assert not Plain.bfloat16


def test_a_pair_is_aligned_to_its_like(X):
    first = quick(network=pair(), max_steps=5).fit(X)
    again = quick(network=pair(seed=1), max_steps=1, learning_rate=1e-12).fit(X, align_to=first)
    np.testing.assert_allclose(again.transform(X), first.transform(X), rtol=1e-2, atol=1e-2)
    other = (layers(nn.Linear(D, 7), nn.GELU(), nn.Linear(7, K)), pair()[1])
    with pytest.raises(ParameterError, match="network"):
        quick(network=other).fit(X, align_to=first)
