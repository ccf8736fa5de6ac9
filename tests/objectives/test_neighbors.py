"""Maps: the loss against its closed form, the weight, and maps of small sets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from conftest import quick
from narrows import MLP, Autoencoder, Neighbors, load
from narrows.linear.scaling import Scaling
from narrows.networks import Autoencoding
from narrows.objectives import Batch, Step
from narrows.objectives.neighbors import GROUP, contrast, cost_of_finding


@pytest.mark.parametrize("k", [2, 9])
def test_the_loss_is_that_of_the_docstring(k):
    generator = torch.Generator().manual_seed(0)
    z, *near = torch.randn(3, 20, k, generator=generator, dtype=torch.float64)
    found = contrast(z, torch.stack(near))
    for row in range(20):
        expected = 0.0
        for others in near:
            q = 1 / (1 + (z[:, None] - others[None]).square().sum(dim=2))
            there, back = q[row, row] / q[row].sum(), q[row, row] / q[:, row].sum()
            expected -= (there.log() + back.log()).item() / 2 / len(near)
        assert found[row].item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("n_rows", "n_features", "n_near"), [(100, 4, 15), (1_500, 60, 15), (30_000, 60, 4)]
)
def test_held_out_rows_are_judged_by_as_many_neighbours_as_time_allows(
    monkeypatch, n_rows, n_features, n_near
):
    seen, loss = [], Neighbors.held_out_loss

    def watched(self, net, batch, step, x_hat):
        seen.append(batch.near.shape)
        return loss(self, net, batch, step, x_hat)

    monkeypatch.setattr(Neighbors, "held_out_loss", watched)
    X = np.random.default_rng(0).normal(size=(n_rows, n_features)).astype(np.float32)
    quick(objective="neighbors", validation_fraction="auto", max_steps=1).fit(X)
    assert {shape[1] for shape in seen} == {n_near}


def test_held_out_rows_pay_for_finding_their_neighbours_among_others():
    generator = torch.Generator().manual_seed(0)
    z, *near = torch.randn(3, 20, 2, generator=generator, dtype=torch.float64)
    others = torch.randn(9, 2, generator=generator, dtype=torch.float64)
    found = cost_of_finding(z, torch.stack(near), others)

    def q(a, b):
        return 1 / (1 + (a - b).square().sum(dim=-1))

    for row in range(20):
        rest = q(z[row], others).sum()
        costs = [-(q(z[row], n[row]) / (q(z[row], n[row]) + rest)).log().item() for n in near]
        assert found[row].item() == pytest.approx(sum(costs) / 2, rel=1e-9)


def test_its_derivatives_are_those_of_differences():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(7, 2, generator=generator, dtype=torch.float64).requires_grad_()
    near = torch.randn(2, 7, 2, generator=generator, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(contrast, (z, near))


def test_rows_are_compared_within_their_group():
    generator = torch.Generator().manual_seed(0)
    z, near = torch.randn(2, 1, GROUP + 30, 2, generator=generator)
    found = contrast(z[0], near)
    torch.testing.assert_close(found[:GROUP], contrast(z[0, :GROUP], near[:, :GROUP]))
    torch.testing.assert_close(found[GROUP:], contrast(z[0, GROUP:], near[:, GROUP:]))


AS_THEY_ARE = Step({"order": torch.arange(12.0), "moved": torch.zeros(12, 4, 5)})


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_the_weight_says_what_the_code_hears(weight):
    """The decoder learns the same at any weight; the encoder hears its part."""

    def gradients(weight):
        torch.manual_seed(0)
        net = Autoencoding(Scaling(np.zeros(1), np.ones(1)), nn.Linear(5, 2), nn.Linear(2, 5))
        x, near = torch.randn(12, 5), torch.randn(12, 3, 5)
        terms = Neighbors(weight=weight).terms(net, Batch(x, near=near), AS_THEY_ARE)
        sum(term.sum() for term in terms.values()).backward()
        return net.encoder.weight.grad, net.decoder.weight.grad

    encoder, decoder = gradients(weight)
    alone, same = gradients(0.0)
    both, _ = gradients(1.0)
    torch.testing.assert_close(decoder, same)
    torch.testing.assert_close(encoder, weight * both + (1 - weight) * alone)


@pytest.mark.parametrize(("size", "weight"), [(2, 0.6), (15, 0.6), (16, 0.8)])
def test_wide_codes_hear_less_of_the_error(size, weight):
    torch.manual_seed(0)
    net = Autoencoding(Scaling(np.zeros(1), np.ones(1)), nn.Linear(5, size), nn.Linear(size, 5))
    batch = Batch(torch.randn(12, 5), near=torch.randn(12, 3, 5))
    found, expected = (
        family.terms(net, batch, AS_THEY_ARE) for family in (Neighbors(), Neighbors(weight=weight))
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_wide_codes_are_learned_more_slowly():
    rates = [Neighbors().usual(size).rates for size in (2, 15, 16)]
    assert rates[0] == rates[1]
    assert all(wide < narrow for wide, narrow in zip(rates[2], rates[0], strict=True))


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def digit_map(digits):
    X, _ = digits
    ae = Autoencoder(
        2, objective="neighbors", max_steps=800, validation_fraction=0.1, random_state=0
    )
    return ae.fit(X[::2])


def test_a_map_keeps_kinds_apart_and_comes_back(digit_map, digits):
    X, y = digits
    Z, Z_test = digit_map.transform(X[::2]), digit_map.transform(X[1::2])
    accuracy = KNeighborsClassifier(10).fit(Z, y[::2]).score(Z_test, y[1::2])
    pca = digit_map.pca_
    scores, scores_test = pca.transform(X[::2]), pca.transform(X[1::2])
    beside = KNeighborsClassifier(10).fit(scores, y[::2]).score(scores_test, y[1::2])
    assert accuracy > beside + 0.2
    error = digit_map.reconstruction_error(X[1::2]).mean()
    assert error < 0.8 * np.square(pca.inverse_transform(scores_test) - X[1::2]).mean()


def test_a_map_is_read_back_as_it_was(digit_map, digits, tmp_path):
    X, _ = digits
    digit_map.save(tmp_path / "map.safetensors")
    again = load(tmp_path / "map.safetensors")
    Z = digit_map.transform(X)
    np.testing.assert_array_equal(again.transform(X), Z)
    np.testing.assert_array_equal(again.inverse_transform(Z), digit_map.inverse_transform(Z))


def test_the_same_seed_draws_the_same_map(digits):
    X, _ = digits
    maps = [
        quick(2, objective="neighbors", max_steps=30).fit(X[:300]).transform(X[:300])
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*maps)


def test_wide_rows_are_read_by_their_principal_components(digits):
    X, _ = digits
    deep = quick(2, objective=Neighbors(n_neighbors=5), network=MLP(hidden=(8,)), max_steps=20)
    deep.fit(X[:300])
    assert deep.network_.encoder.inner.inner[0].in_features == 50
    narrow = quick(2, objective="neighbors", network=MLP(hidden=(8,)), max_steps=20)
    assert narrow.fit(X[:300, 10:40]).network_.encoder.inner[0].in_features == 30


NOISE = np.random.default_rng(0)
SMALL = {
    "two rows": np.arange(6.0).reshape(2, 3) ** 2,
    "fewer rows than neighbours": NOISE.normal(size=(9, 4)),
    "duplicates": np.repeat(NOISE.normal(size=(3, 4)), 20, axis=0),
    "constant columns": np.hstack([NOISE.normal(size=(60, 3)), np.ones((60, 2))]),
    "wide": NOISE.normal(size=(12, 300)),
}


@pytest.mark.parametrize("X", SMALL.values(), ids=SMALL)
def test_small_and_strange_sets(X):
    ae = quick(1, objective="neighbors", max_steps=15, keep="last").fit(X)
    Z = ae.transform(X)
    assert np.isfinite(Z).all()
    assert np.isfinite(ae.inverse_transform(Z)).all()


def test_partial_fit_finds_neighbours_among_its_own_rows(digits):
    X, _ = digits
    ae = quick(2, objective="neighbors").partial_fit(X[:200])
    before = ae.transform(X[:5])
    ae.partial_fit(X[200:230]).partial_fit(X[:1])
    assert not np.array_equal(before, ae.transform(X[:5]))


def test_a_path_that_was_left_out_stays_left_out(digit_map, digits, tmp_path):
    """Going on from a file trains what going on in memory does."""
    X, _ = digits
    digit_map.save(tmp_path / "map.safetensors")
    again = load(tmp_path / "map.safetensors")
    assert not again.network_.decoder.weight.requires_grad
    again.partial_fit(X[:200])
    assert not again.network_.decoder.weight.any()
