"""The flow: invertible, its density sums to one, and it learns shapes that no normal has."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import make_moons

from narrows.objectives.priors import ClassNormals, Flow, Normal


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def stirred(n_components, shares=()):
    """A flow with weights that do something."""
    flow = Flow(n_components, shares, generator=generator())
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator(1)))
    return flow


def moons(n=1500):
    return torch.from_numpy(make_moons(n, noise=0.05, random_state=0)[0])


@pytest.mark.parametrize("n_components", [1, 2, 5])
def test_it_starts_as_its_base(n_components):
    Z = torch.randn(50, n_components, generator=generator())
    flow, base = Flow(n_components, generator=generator()), ClassNormals(n_components)
    torch.testing.assert_close(flow.log_prob(Z).detach(), base.log_prob(Z))


@pytest.mark.parametrize("n_components", [1, 2, 5])
def test_the_log_determinant_is_that_of_the_jacobian(n_components):
    flow = stirred(n_components).double()
    z = torch.randn(n_components, generator=generator(), dtype=torch.float64)

    def into(z):
        for coupling in flow.couplings:
            z = coupling(z)[0]
        return z

    jacobian = torch.autograd.functional.jacobian(into, z)
    expected = flow.base.log_prob(into(z)) + torch.linalg.slogdet(jacobian)[1]
    torch.testing.assert_close(flow.log_prob(z), expected)


def test_a_coupling_can_be_undone():
    flow, z = stirred(5).double(), torch.randn(40, 5, generator=generator(), dtype=torch.float64)
    for coupling in flow.couplings:
        torch.testing.assert_close(coupling.inverse(coupling(z)[0]), z)


def test_every_number_is_moved_by_a_coupling():
    masks = torch.stack([coupling.mask for coupling in Flow(7, generator=generator()).couplings])
    assert (masks.min(dim=0).values == 0).all()
    assert (masks.max(dim=0).values == 1).all()


def test_it_learns_moons_that_a_normal_distribution_cannot(monkeypatch):
    monkeypatch.setattr("narrows.objectives.priors.flow.FIT_STEPS", 500)
    seen, unseen = moons(), torch.from_numpy(make_moons(500, noise=0.05, random_state=1)[0])
    flow = Flow.fit(seen, 0)
    normal = float(Normal.fit(seen, 0).log_prob(unseen).mean())
    assert float(flow.log_prob(unseen.float()).mean()) > normal + 0.8
    distances = torch.cdist(flow.sample(300, generator()).double(), unseen).amin(dim=1)
    assert float(distances.quantile(0.9)) < 0.2


@pytest.mark.parametrize("Z", [torch.zeros(1, 2), torch.ones(2, 2), torch.ones(9, 1)])
def test_codes_without_spread(Z):
    flow = Flow.fit(Z.double(), 0)
    drawn = flow.sample(2000, generator()).double()
    torch.testing.assert_close(drawn.mean(dim=0), Z[0].double(), atol=0.2, rtol=0)


def test_classes_are_those_of_its_base():
    flow = stirred(2, (0.2, 0.3, 0.5))
    with torch.no_grad():
        flow.base.means.copy_(torch.tensor([[0.0, 0], [30, 0], [0, 30]]))
    y = torch.tensor([0, 1, 2, 1])
    drawn = flow.sample(4, generator(), temperature=0.1, y=y)
    assert torch.equal(
        torch.stack([flow.log_prob(drawn, torch.full((4,), c)) for c in range(3)]).argmax(dim=0), y
    )
