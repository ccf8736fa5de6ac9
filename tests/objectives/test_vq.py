"""Vector quantisation: nearest words, running means by hand, revival, slopes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from conftest import curved, noise, quick
from narrows import VQ
from narrows.errors import ParameterError
from narrows.linear.scaling import Scaling
from narrows.networks import Autoencoding, Widths
from narrows.networks.linear_plus import LinearPath
from narrows.objectives import Batch, Step
from narrows.objectives.vq import CodeBooks

G, C, W = 3, 5, 2
K = G * W


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def books(share=1 / C):
    return CodeBooks(torch.randn(G, C, W, generator=generator()), share)


def codes(n=40):
    return torch.randn(n, K, generator=generator(1))


def brute_force(z, words):
    """Return the nearest word of each group, one by one."""
    found = np.empty((len(z), G), dtype=int)
    for row in range(len(z)):
        for group in range(G):
            part = z[row, group::G].numpy()
            gaps = [np.sum((part - word) ** 2) for word in words[group].numpy()]
            found[row, group] = int(np.argmin(gaps))
    return found


# ---------------------------------------------------------------- code books


def test_words_are_the_nearest_of_each_group():
    z, found = codes(), books()
    expected = brute_force(z, found.words)
    np.testing.assert_array_equal(found.nearest(z), expected)
    np.testing.assert_array_equal(found.nearest_at_once(z), expected)


def test_a_code_is_made_up_of_its_words():
    found = books()
    indices = torch.randint(C, (7, G), generator=generator(2))
    q = found.looked_up(indices)
    for group in range(G):
        assert torch.equal(q[:, group::G], found.words[group][indices[:, group]])
    assert torch.equal(found.nearest(q), indices)


def test_words_are_running_means_by_hand():
    found = CodeBooks(torch.tensor([[[0.0], [10.0], [99.0]]]), 1 / 3)
    z = torch.tensor([[1.0], [2.0], [-1.0], [8.0]])
    found.follow(z, found.nearest(z), decay=0.9)
    # Word 0 had a third of the rows and takes three of four; word 1 one; word 2 none.
    shares = [0.9 / 3 + 0.1 * 3 / 4, 0.9 / 3 + 0.1 / 4, 0.9 / 3]
    words = [
        (0.9 / 3 * 0.0 + 0.1 * (1 + 2 - 1) / 4) / shares[0],
        (0.9 / 3 * 10.0 + 0.1 * 8 / 4) / shares[1],
        99.0,
    ]
    np.testing.assert_allclose(found.shares[0], shares, rtol=1e-6)
    np.testing.assert_allclose(found.words[0, :, 0], words, rtol=1e-6)


def test_steady_codes_end_as_the_means_of_their_words():
    found, z = books(), codes()
    indices = found.nearest(z)
    for _ in range(300):
        found.follow(z, indices, decay=0.9)
    for group in range(G):
        for word in range(C):
            own = z[indices[:, group] == word][:, group::G]
            if len(own):
                np.testing.assert_allclose(found.words[group, word], own.mean(dim=0), atol=1e-5)
    expected = [np.bincount(indices[:, g], minlength=C) / len(z) for g in range(G)]
    np.testing.assert_allclose(found.shares, expected, atol=1e-5)


def test_dead_words_are_put_onto_the_first_codes_in_order():
    found, z = books(), codes(6)
    found.shares[1, [0, 3]] = 0.01
    before = found.words.clone()
    order = torch.tensor([[9.0, 4, 9], [9, 1, 9], [9, 5, 9], [9, 6, 9], [9, 0, 9], [9, 8, 9]])
    found.revive(z, order)
    assert torch.equal(found.words[1, 0], z[4, 1::G])
    assert torch.equal(found.words[1, 3], z[1, 1::G])
    live = torch.ones(G, C, dtype=torch.bool)
    live[1, [0, 3]] = False
    assert torch.equal(found.words[live], before[live])
    assert (found.shares == 1 / C).all()


def test_of_more_dead_words_than_rows_as_many_as_rows_are_revived():
    found, z = books(share=0.0), codes(2)
    found.revive(z, torch.rand(2, G, generator=generator()))
    assert (found.shares > 0).sum(dim=1).tolist() == [2] * G


# ---------------------------------------------------------------- terms


class Given(nn.Module):
    """An encoder that gives the same codes whatever the rows."""

    def __init__(self, z):
        super().__init__()
        self.z = nn.Parameter(z)

    def forward(self, x):
        return self.z


def given(z):
    return Autoencoding(Scaling(np.zeros(1), np.ones(1)), Given(z), nn.Identity(), extra=books())


def step(n):
    return Step({"order": torch.rand(n, G, generator=generator())})


def test_gradients_pass_straight_through():
    z, objective = codes(), VQ(n_codes=C, width=W)
    net = given(z.clone()).eval()
    q = net.extra.looked_up(net.extra.nearest(z))
    terms = objective.terms(net, Batch(torch.zeros(len(z), K)), step(len(z)))
    torch.testing.assert_close(terms["reconstruction"], q.square().mean(dim=1))
    torch.testing.assert_close(terms["commitment"], 0.25 * (z - q).square().sum(dim=1) / K)
    (through,) = torch.autograd.grad(terms["reconstruction"].sum(), net.encoder.z)
    torch.testing.assert_close(through, 2 * q / K)
    (held,) = torch.autograd.grad(terms["commitment"].sum(), net.encoder.z)
    torch.testing.assert_close(held, 0.25 * 2 * (z - q) / K)


def test_words_follow_in_place_and_in_training_alone():
    net = given(codes())
    words, before = net.extra.words, net.extra.words.clone()
    objective, batch = VQ(n_codes=C, width=W), Batch(torch.zeros(40, K))
    objective.terms(net.eval(), batch, step(40))
    assert torch.equal(net.extra.words, before)
    objective.terms(net.train(), batch, step(40))
    assert net.extra.words is words
    assert not torch.equal(words, before)


def test_far_words_come_back_to_life():
    net = given(codes())
    net.extra.words[:, 1:] += 100
    objective, batch = VQ(n_codes=C, width=W, decay=0.8), Batch(torch.zeros(40, K))
    assert len(net.extra.nearest(codes()).unique()) == 1
    for _ in range(30):
        objective.terms(net.train(), batch, step(40))
    assert all(len(column.unique()) == C for column in net.extra.nearest(codes()).T)


# ---------------------------------------------------------------- whole models


@pytest.mark.parametrize(
    ("k", "width"), [(1, 1), (2, 2), (3, 3), (5, 5), (6, 3), (8, 4), (10, 5), (32, 4), (37, 1)]
)
def test_auto_widths_divide_the_code(k, width):
    found = VQ().build(Widths(50, k, k, 50), None, generator())
    assert found.words.shape == (k // width, 512, width)


@pytest.mark.parametrize("given_width", [4, 7])
def test_a_width_that_does_not_divide_the_code_is_refused(given_width):
    objective = VQ(width=given_width)
    with pytest.raises(ParameterError, match=r"use 1 or 2 or 3 or 6, or 'auto'"):
        quick(6, objective=objective).fit(noise())


def test_words_start_spread_as_the_scores_of_pca():
    deviations = torch.tensor([9.0, 5, 3, 1, 0.5, 0.1])
    path = LinearPath(*[torch.zeros(1)] * 6, deviations, 0.0, 1.0)
    words = VQ(n_codes=4096, width=W).build(Widths(9, K, K, 9), path, generator()).words
    for group in range(G):
        np.testing.assert_allclose(words[group].std(dim=0), deviations[group::G], rtol=0.05)


def test_without_pca_words_begin_on_codes_of_the_first_batch(X):
    objective = VQ(n_codes=16)
    ae = quick(objective=objective, init="random", max_steps=1, keep="last", schedule="constant")
    ae.fit(X)
    assert (ae.network_.extra.shares > 0).all()
    assert len(np.unique(ae.transform(X), axis=0)) > 8


def test_codes_are_words_and_others_decode_like_the_nearest(X):
    ae = quick(objective=VQ(n_codes=8), max_steps=40, keep="last").fit(X)
    Z = ae.transform(X)
    words = ae.network_.extra.words[0].double().numpy() * float(ae.network_.code_unit)
    gaps = np.abs(Z[:, None] - words).max(axis=2)
    np.testing.assert_allclose(gaps.min(axis=1), 0, atol=1e-9)
    x = ae.network_.scaling(torch.from_numpy(X.copy()))
    indices = ae.objective.indices(ae.network_.double(), x)
    np.testing.assert_array_equal(indices[:, 0], gaps.argmin(axis=1))
    X_hat = ae.inverse_transform(Z)
    np.testing.assert_array_equal(ae.inverse_transform(Z + 1e-3), X_hat)


def test_more_words_lose_less():
    X = curved(600)
    errors = [
        quick(objective=VQ(n_codes=n), max_steps=200).fit(X).validation_error_ for n in (4, 32, 256)
    ]
    assert errors[0] > 1.5 * errors[1]
    assert errors[1] > 1.1 * errors[2]
