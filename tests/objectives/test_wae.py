"""The Wasserstein autoencoder: MMD² against a direct double sum, and what it does to codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from conftest import quick
from narrows import WAE
from narrows.objectives import Batch, Step
from narrows.objectives.shared.standard_normal import (
    KERNEL_SCALES,
    diagnose,
    draw,
    kernel,
    squared_discrepancies,
)

K = 3


def normal(n, seed=0, k=K):
    return torch.randn(n, k, generator=torch.Generator().manual_seed(seed))


def inverse_multiquadratic(a, b):
    squared = sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    widths = [2 * len(a) * scale for scale in KERNEL_SCALES]
    return sum(w / (w + squared) for w in widths) / len(widths)


def test_the_kernel_is_its_formula():
    a, b = normal(4).tolist(), (normal(6, 1) + 1).tolist()
    expected = [[inverse_multiquadratic(x, y) for y in b] for x in a]
    np.testing.assert_allclose(kernel(torch.tensor(a), torch.tensor(b)), expected, rtol=1e-5)
    assert kernel(normal(1), normal(1)).item() == pytest.approx(1)


def test_the_mean_over_rows_is_a_direct_double_sum():
    z, p = normal(7) * 2 + 0.5, normal(7, 1)
    k, total = inverse_multiquadratic, 0.0
    for i in range(7):
        for j in range(7):
            if i != j:
                total += k(z[i].tolist(), z[j].tolist()) + k(p[i].tolist(), p[j].tolist())
                total -= k(z[i].tolist(), p[j].tolist()) + k(z[j].tolist(), p[i].tolist())
    assert squared_discrepancies(z, p).mean().item() == pytest.approx(total / 42, rel=1e-4)


def test_it_is_unbiased():
    found = [squared_discrepancies(normal(16, 2 * s), normal(16, 2 * s + 1)) for s in range(400)]
    means = torch.stack(found).mean(dim=1)
    assert abs(means.mean()) < 3 * means.std() / 20


@pytest.mark.parametrize("wrong", [lambda z: z + 1, lambda z: z / 2, lambda z: z * 2, torch.abs])
def test_it_tells_other_distributions(wrong):
    p = normal(500, 1)
    assert squared_discrepancies(wrong(normal(500)), p).mean() > 0.01
    assert abs(squared_discrepancies(normal(500), p).mean()) < 0.002


def test_a_row_alone_tells_nothing():
    z = normal(1).requires_grad_()
    alone = squared_discrepancies(z, normal(1, 1))
    alone.sum().backward()
    assert alone.tolist() == [0]
    assert z.grad.abs().max() == 0


def test_going_down_it_makes_codes_normal():
    z = 4 * torch.rand(400, 2, generator=torch.Generator().manual_seed(0)) - 1.5
    z.requires_grad_()
    optimizer = torch.optim.Adam([z], 0.05)
    generator = torch.Generator().manual_seed(1)
    for _ in range(300):
        optimizer.zero_grad()
        squared_discrepancies(z, draw(generator, z, 2)).mean().backward()
        optimizer.step()
    np.testing.assert_allclose(z.mean(dim=0).detach(), [0, 0], atol=0.1)
    np.testing.assert_allclose(torch.cov(z.T.detach()), np.eye(2), atol=0.15)


def skewed(n=500):
    """Rows of two numbers that are far from normal, and a little noise: (n, 5)."""
    rng = np.random.default_rng(0)
    return np.hstack([3 * rng.exponential(size=(n, 2)), rng.normal(0, 0.1, (n, 3))])


def distance_from_normal(ae, X):
    z = torch.from_numpy(ae.transform(X)).float()
    return squared_discrepancies(z, normal(len(z), 5, 2)).mean().item()


def test_its_codes_are_nearer_to_normal_than_without_the_term():
    X = skewed()
    plain, wae = (
        quick(objective=WAE(weight=weight), max_steps=200, keep="last", learning_rate=0.005).fit(X)
        for weight in (0.0, 3.0)
    )
    assert distance_from_normal(wae, X) < 0.5 * distance_from_normal(plain, X)


def test_the_best_state_is_chosen_by_both_terms(X):
    ae = quick(objective=WAE(weight=2.0)).fit(X)
    x = ae.network_.scaling(torch.from_numpy(X[:50].copy())).float()
    net, step = ae.network_.float().eval(), Step({"prior": normal(50, 3, 2)})
    z = ae.objective.code(net, x)
    x_hat = ae.objective.reconstruction(net, z)
    expected = (x_hat - x).square().mean(dim=1) + 2 * squared_discrepancies(z, step.noise["prior"])
    found = ae.objective.held_out_loss(net, Batch(x), step, x_hat)
    torch.testing.assert_close(found, expected)


def test_samples_are_decoded_draws_of_the_standard_normal(X):
    ae = quick(objective="wae").fit(X)
    drawn = torch.randn(4, 2, generator=torch.Generator().manual_seed(seed_of(3)))
    expected = ae.inverse_transform(drawn.numpy())
    np.testing.assert_array_equal(ae.sample(4, random_state=3), expected)


def seed_of(random_state):
    return np.random.RandomState(random_state).randint(2**31 - 1)


def test_sizes_far_from_one_are_named_with_a_way_out():
    z = normal(300)
    assert diagnose(z, "objective__weight=10") == []
    assert diagnose(z * torch.tensor([1, 0, 1]), "objective__weight=10") == []
    (sentence,) = diagnose(z / 10, "objective__weight=10")
    assert "about 0.1" in sentence
    assert "objective__weight=10" in sentence
