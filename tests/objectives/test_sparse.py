"""The sparse autoencoder: what its codes hold, and its penalties against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, kl_divergence

from conftest import quick
from narrows import Sparse, load
from narrows.errors import NarrowsWarning, ParameterError
from narrows.linear.pca import fit_pca
from narrows.linear.scaling import Scaling, choose_scaling
from narrows.networks import Autoencoding
from narrows.networks.pca_path import linear_path
from narrows.objectives import Batch, Step
from narrows.objectives.sparse import bernoulli_kl
from narrows.training.loop import drawn

B, K = 200, 12


def network():
    """A network that gives back what it is given, so that its features are its code."""
    return Autoencoding(Scaling(np.zeros(1), np.ones(1)), nn.Identity(), nn.Identity())


def rows():
    return torch.randn(B, K, generator=torch.Generator().manual_seed(0))


def codes_of(objective, a_BK):
    return objective.code(network(), a_BK)


def terms_of(objective, x_BD, noise=None):
    noise = drawn(objective, x_BD, K, (0,)) if noise is None else noise
    return objective.terms(network(), Batch(x_BD), Step(noise))


# ---------------------------------------------------------------- codes


@pytest.mark.parametrize("k", [1, 3, K])
def test_top_k_keeps_exactly_the_k_largest(k):
    a_BK = rows()
    z_BK = codes_of(Sparse("topk", k=k), a_BK)
    largest = np.sort(np.abs(a_BK.numpy()), axis=1)[:, -k]
    expected = np.where(np.abs(a_BK.numpy()) >= largest[:, None], a_BK.numpy(), 0)
    np.testing.assert_array_equal(z_BK.numpy(), expected)
    assert ((z_BK != 0).sum(dim=1) == k).all()


def test_top_k_keeps_exactly_k_of_equal_ones():
    assert ((codes_of(Sparse("topk", k=5), torch.ones(3, K)) != 0).sum(dim=1) == 5).all()


def test_top_k_keeps_a_quarter_unless_told():
    for n, kept in ((1, 1), (2, 1), (12, 3), (13, 4)):
        z_BK = codes_of(Sparse("topk"), rows()[:, :1].expand(-1, n) + 1e-3 * torch.rand(B, n))
        assert ((z_BK != 0).sum(dim=1) == kept).all()


def test_l1_moves_numbers_towards_zero_and_small_ones_onto_it():
    a_BK, z_BK = rows(), codes_of(Sparse("l1"), rows())
    torch.testing.assert_close(z_BK, nn.functional.softshrink(a_BK, 0.1))
    assert torch.equal(z_BK == 0, a_BK.abs() <= 0.1)


def test_kl_has_activities():
    assert torch.equal(codes_of(Sparse("kl"), rows()), torch.sigmoid(rows()))


# ---------------------------------------------------------------- penalties


def test_l1_is_the_sum_of_sizes():
    found = terms_of(Sparse("l1", weight=2.0), rows())["l1"]
    sizes = np.abs(codes_of(Sparse(), rows()).numpy()).sum(axis=1)
    np.testing.assert_allclose(found, 2.0 * sizes / K, rtol=1e-6)


def test_kl_is_that_of_the_mean_activity_over_the_batch_alike_for_all_rows():
    found = terms_of(Sparse("kl", weight=2.0, target=0.2), rows())["kl"]
    mean_K = torch.sigmoid(rows()).mean(dim=0)
    exact = kl_divergence(Bernoulli(torch.tensor(0.2)), Bernoulli(mean_K)).sum()
    torch.testing.assert_close(found, (2.0 * exact / K).expand(B))


def test_kl_is_zero_at_the_target_and_finite_at_the_ends():
    found = bernoulli_kl(0.05, torch.tensor([0.0, 0.05, 1.0]))
    assert found[1] == pytest.approx(0, abs=1e-6)
    assert torch.isfinite(found).all()
    assert (found[[0, 2]] > 0.4).all()


def test_only_kl_couples_rows():
    coupled = [p for p in ("l1", "kl", "topk") if Sparse(p).needs.couples_rows]
    assert coupled == ["kl"]


def test_top_k_has_no_penalty_and_draws_no_noise():
    assert set(terms_of(Sparse("topk"), rows())) == {"reconstruction"}
    assert drawn(Sparse("topk"), rows(), K, (0,)) == {}


def test_noise_on_codes_has_its_deviation():
    noise = drawn(Sparse(), rows(), K, (0,))
    z_BK, a_BD = Sparse(code_noise=0.4)._passed(network(), rows(), noise)
    assert (a_BD - z_BK).std().item() == pytest.approx(0.4, rel=5 / np.sqrt(2 * B * K))


@pytest.mark.parametrize("penalty", ["l1", "kl", "topk"])
def test_the_best_state_is_chosen_by_the_whole_loss(penalty):
    objective = Sparse(penalty)
    noise = drawn(objective, rows(), K, (0,))
    found = objective.held_out_loss(network(), Batch(rows()), Step(noise), rows())
    torch.testing.assert_close(found, sum(terms_of(objective, rows(), noise).values()))


# ---------------------------------------------------------------- fits


def test_kl_starts_as_pca_about_the_middle_of_the_sigmoid():
    """Scores a thousandth as large, for which the sigmoid is straight, come back."""
    data = rows().double().numpy() @ np.diag(np.linspace(1, 3, K)) + 5
    scaling = choose_scaling("auto", data.mean(axis=0), data.var(axis=0), 0, 0)
    path = Sparse("kl").start(linear_path(fit_pca(lambda: iter([data]), K, 0), scaling))
    near_BD = scaling(torch.tensor((data - data.mean(axis=0)) / 1_000 + data.mean(axis=0)))
    z_BK = torch.sigmoid(near_BD @ path.into_weight.T + path.into_bias)
    again_BD = z_BK @ path.back_weight.T + path.back_bias
    torch.testing.assert_close(again_BD, near_BD, rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(z_BK.mean(dim=0), torch.full((K,), 0.5, dtype=torch.float64))


@pytest.mark.parametrize("penalty", ["l1", "kl", "topk"])
def test_codes_may_have_more_numbers_than_rows(X, penalty, tmp_path):
    ae = quick(20, objective=Sparse(penalty), init="random", max_steps=200, keep="last").fit(X)
    assert ae.transform(X).shape == (300, 20)
    assert ae.score(X) > 0.3
    ae.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.transform(X), ae.transform(X))


def test_more_numbers_than_features_need_a_random_start(X):
    with pytest.raises(ParameterError, match="init='random' for an overcomplete code"):
        quick(20, objective="sparse").fit(X)


def test_more_numbers_than_there_are_cannot_be_kept(X):
    with pytest.raises(ParameterError, match=r"`k`=4 of Sparse is more than n_components=3"):
        quick(3, objective=Sparse("topk", k=4)).fit(X)


SWITCHED_OFF = pytest.mark.filterwarnings("ignore:.*numbers of the code are 0 for every row")


def overcomplete(X, **fields):
    ae = quick(20, objective=Sparse(**fields), init="random", max_steps=400, learning_rate=0.01)
    return ae.set_params(keep="last").fit(X)


@SWITCHED_OFF
def test_a_larger_weight_leaves_fewer_numbers_to_a_row(X):
    active = [np.mean(overcomplete(X, weight=w).transform(X) != 0) for w in (0.0, 0.3, 3.0)]
    assert active[2] < 0.7 * active[1] < 0.7 * 0.9 * active[0]


def test_training_brings_activities_to_the_target(X):
    ae = overcomplete(X, penalty="kl", weight=10.0, target=0.1)
    assert 0.05 < ae.transform(X).mean() < 0.2


@SWITCHED_OFF
def test_noise_on_codes_keeps_the_penalty_from_being_escaped_by_small_ones(X):
    escaped, held = (overcomplete(X, weight=1.0, code_noise=s) for s in (0.0, 0.3))
    sizes = [np.abs(ae.transform(X)).max(axis=0).max() for ae in (escaped, held)]
    assert sizes[0] < 0.5 * sizes[1]


def test_numbers_that_a_penalty_has_switched_off_are_named(X):
    with pytest.warns(NarrowsWarning, match=r"are 0 for every row\. Try objective__weight=10"):
        ae = overcomplete(X, weight=30.0)
    assert (ae.transform(X) == 0).all(axis=0).any()
