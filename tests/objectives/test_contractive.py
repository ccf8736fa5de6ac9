"""The contractive autoencoder: its penalty against the Jacobian that torch works out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian

from conftest import quick
from narrows import MLP, Contractive
from narrows.linear.scaling import Scaling
from narrows.networks import Autoencoding, LinearPath, Widths
from narrows.objectives import Batch, Step
from narrows.training.loop import drawn

B, D, K = 5, 12, 4
EXACT = Contractive(weight=2.0, probes=K)


def rows(n=B):
    return torch.randn(n, D, generator=torch.Generator().manual_seed(1))


def network(encoder=None, linear=False):
    generator = torch.Generator().manual_seed(0)
    parts = MLP(hidden=(8,)).build(Widths(D, K, K, D), generator)
    if linear:
        axes_KD = torch.linalg.qr(torch.randn(D, K, generator=generator))[0].T
        back = (axes_KD.T, torch.zeros(D), torch.ones(1))
        path = LinearPath(
            axes_KD, torch.zeros(K), torch.ones(K), *back, torch.ones(K), left_over=1, code_unit=1
        )
        parts = path.around(*parts)
    return Autoencoding(Scaling(np.zeros(1), np.ones(1)), encoder or parts[0], parts[1])


def convolutions():
    layers = nn.Conv2d(1, 3, 3, padding=1), nn.GELU(), nn.Flatten(), nn.Linear(3 * D, K)
    return nn.Sequential(nn.Unflatten(1, (1, 3, 4)), *layers)


def squared_norms(net, x_BD):
    """‖∂z/∂x‖² of each row (B,), one row after the other."""
    found = [jacobian(net.encoder, row[None], create_graph=True).square().sum() for row in x_BD]
    return torch.stack(found)


def penalty(objective, net, x_BD, seed=(0,)):
    noise = drawn(objective, x_BD, K, seed)
    return objective.terms(net, Batch(x_BD), Step(noise))["contraction"]


@pytest.mark.parametrize("make", [network, lambda: network(linear=True), None])
def test_with_as_many_probes_as_numbers_it_is_the_norm_of_the_jacobian(make):
    torch.manual_seed(0)
    net = network(convolutions()) if make is None else make()
    expected = 2.0 * squared_norms(net, rows()) / D
    torch.testing.assert_close(penalty(EXACT, net, rows()), expected)


@pytest.mark.parametrize("probes", [1, 2])
def test_with_fewer_it_is_so_on_average(probes):
    objective, net = Contractive(weight=1.0, probes=probes), network()
    x_BD = rows(1).expand(4_000, -1)
    draws = penalty(objective, net, x_BD)
    exact = squared_norms(net, rows(1)).item() / D
    standard_error = draws.std().item() / len(draws) ** 0.5
    assert draws.std() > 0.05 * exact
    assert abs(draws.mean().item() - exact) < 4 * standard_error


def test_its_gradient_is_that_of_the_norm():
    ours, theirs = network(), network()
    penalty(EXACT, ours, rows()).sum().backward()
    (2.0 * squared_norms(theirs, rows()) / D).sum().backward()
    for one, other in zip(ours.encoder.parameters(), theirs.encoder.parameters(), strict=True):
        if other.grad is not None:
            torch.testing.assert_close(one.grad, other.grad)


def test_in_bfloat16_it_is_nearly_the_same():
    exact = penalty(EXACT, network(), rows())
    rounded = penalty(EXACT, network().to(torch.bfloat16), rows().bfloat16())
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0)


def test_it_is_measured_where_gradients_are_off_and_leaves_rows_alone():
    x_BD = rows()
    noise = drawn(EXACT, x_BD, K, (0,))
    with torch.no_grad():
        net = network()
        found = EXACT.held_out_loss(net, Batch(x_BD), Step(noise), x_BD)
    terms = EXACT.terms(network(), Batch(x_BD), Step(noise))
    assert not found.requires_grad
    assert not x_BD.requires_grad
    torch.testing.assert_close(found, (terms["reconstruction"] + terms["contraction"]).detach())


def test_at_the_start_it_is_one_for_each_number(X):
    objective = Contractive(weight=1.0, probes=2)
    ae = quick(objective=objective, max_steps=1, learning_rate=1e-9, keep="last").fit(X)
    assert ae.history_[0]["contraction"] == pytest.approx(2 / X.shape[1], rel=1e-4)


def fitted_slope(X, **fields):
    objective = Contractive(probes=2, **fields)
    ae = quick(objective=objective, max_steps=300, learning_rate=0.01, keep="last").fit(X)
    x_BD = ae.network_.scaling(torch.tensor(X)).float()
    return squared_norms(ae.network_.float(), x_BD[:50]).mean().item(), ae


def test_training_makes_codes_flatter_and_a_larger_weight_flatter_still(X):
    free, little, much = (fitted_slope(X, weight=weight)[0] for weight in (0.0, 0.1, 1.0))
    assert much < 0.7 * little < 0.7 * 0.7 * free


def test_noise_on_codes_keeps_the_penalty_from_being_escaped_by_small_ones(X):
    escaped, _ = fitted_slope(X, weight=1.0, code_noise=0.0)
    held, _ = fitted_slope(X, weight=1.0, code_noise=0.3)
    assert escaped < 0.5 * held
