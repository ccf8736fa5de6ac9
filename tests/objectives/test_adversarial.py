"""The adversarial autoencoder: its phases, its terms against formulas, what it does to codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from conftest import noise, quick
from narrows import Adversarial
from narrows.common.optimizers import Adam
from narrows.linear.scaling import Scaling
from narrows.networks import MLP, Autoencoding, Widths
from narrows.objectives import Batch, Step
from narrows.objectives.adversarial import Adversary
from narrows.objectives.priors import ClassNormals
from narrows.objectives.shared.standard_normal import squared_discrepancies
from narrows.training.loop import StepRule, start_training, train
from narrows.training.pace import Pace

B, D, K = 20, 5, 2


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(objective):
    widths = Widths(D, K, K, D)
    parts = MLP(hidden=(6,)).resolved(widths, 100).build(widths, generator())
    extra = objective.build(widths, None, generator(1))
    return Autoencoding(Scaling(np.zeros(1), np.ones(1)), *parts, extra=extra)


def rows():
    return torch.randn(B, D, generator=generator(2))


# ---------------------------------------------------------------- terms


def with_linear_critic(weight):
    critic = nn.Linear(K, 1, bias=False)
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([weight]))
    net = network(Adversarial())
    net.extra = Adversary(critic, ClassNormals(K))
    return net


def test_the_terms_are_their_formulas():
    net, objective = with_linear_critic([0.5, -2.0]), Adversarial(weight=0.3, penalty=4.0)
    prior = torch.randn(B, K, generator=generator(3))
    z = net.encoder(rows())
    of_codes, of_draws = (torch.sigmoid(c @ torch.tensor([0.5, -2.0])) for c in (z, prior))
    main = objective.terms(net, Batch(rows()), Step({"prior": prior}))
    torch.testing.assert_close(main["adversarial"], -0.3 * of_codes.log())
    x_hat = net.decoder(z)
    torch.testing.assert_close(main["reconstruction"], (x_hat - rows()).square().mean(dim=1))
    critic = objective.terms(net, Batch(rows()), Step({"prior": prior}, phase="critic"))
    torch.testing.assert_close(critic["critic"], -of_draws.log() - (1 - of_codes).log())
    torch.testing.assert_close(critic["penalty"], torch.full((B,), 0.5 * 4.0 * (0.25 + 4.0)))


def moved_by(step, net):
    """Which parts of a network a step changes."""
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    step()
    after = net.state_dict()
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_each_phase_moves_its_own_part_alone(dtype):
    objective = Adversarial()
    state = start_training(network(objective), Adam(), "constant")
    step, moved = state.optimizer.step, []
    state.optimizer.step = lambda: moved.append(moved_by(step, state.net))
    rule = StepRule(objective, None, dtype, 0.01, n_components=K)
    train(state, lambda epoch: iter([Batch(rows().to(dtype))]), rule, Pace("constant", until=3))
    assert moved == [{"encoder", "decoder"}, {"extra"}] * 3


def test_the_history_keeps_the_critic_apart_from_the_loss(X):
    ae = quick(objective="adversarial").fit(X)
    last = ae.history_[-1]
    assert last["loss"] == pytest.approx(last["reconstruction"] + last["adversarial"])
    assert last["critic"] > 0
    assert last["penalty"] >= 0


# ---------------------------------------------------------------- whole models


def skewed(n=500):
    """Rows of two numbers that are far from normal, and a little noise: (n, 5)."""
    rng = np.random.default_rng(0)
    return np.hstack([3 * rng.exponential(size=(n, 2)), rng.normal(0, 0.1, (n, 3))])


def distance_from_normal(ae, X):
    z = torch.from_numpy(ae.transform(X)).float()
    draws = torch.randn(len(z), K, generator=generator(5))
    return squared_discrepancies(z, draws).mean().item()


def test_its_codes_are_nearer_to_normal_than_without_the_critic():
    X = skewed()
    plain, adversarial = (
        quick(objective=Adversarial(weight=weight), max_steps=300, keep="last", learning_rate=0.005)
        for weight in (0.0, 1.0)
    )
    near, far = (distance_from_normal(ae.fit(X), X) for ae in (adversarial, plain))
    assert near < 0.5 * far


@pytest.mark.parametrize("seed", range(5))
def test_codes_of_noise_keep_their_spread(seed):
    X = noise(200, seed=seed)
    ae = quick(objective="adversarial", max_steps=200, keep="last", random_state=seed).fit(X)
    deviations = ae.transform(X).std(axis=0)
    assert ((deviations > 0.5) & (deviations < 2)).all()


def test_the_best_state_is_chosen_without_the_critic(X):
    ae = quick(objective="adversarial").fit(X)
    x = ae.network_.scaling(torch.from_numpy(X[:50].copy())).float()
    net, step = (
        ae.network_.float().eval(),
        Step({"prior": torch.randn(50, K, generator=generator())}),
    )
    z = Adversarial().code(net, x)
    x_hat = Adversarial().reconstruction(net, z)
    expected = (x_hat - x).square().mean(dim=1) + squared_discrepancies(z, step.noise["prior"])
    found = Adversarial().held_out_loss(net, Batch(x), step, x_hat)
    torch.testing.assert_close(found, expected)
