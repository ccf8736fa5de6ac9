"""Networks trained as one compute what each computes alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from conftest import curved, quick
from narrows import MLP, Autoencoder
from narrows.linear.scaling import Scaling
from narrows.networks import Autoencoding, LinearPlus, Widths
from narrows.networks.side_by_side import hand_back, side_by_side
from narrows.objectives import Reconstruction
from narrows.sources.array import ArraySource
from narrows.training.batches import RowsSideBySide, ScaledRows
from narrows.training.make_plan import make_plan


def network(seed, hidden=(7, 5), n_features=4, n_components=2):
    generator = torch.Generator().manual_seed(seed)
    widths = Widths(n_features, n_components, n_components, n_features)
    encoder, decoder = MLP(hidden, weight_init="torch", skip=False).build(widths, generator)
    one = torch.ones(1)
    there = LinearPlus(encoder, torch.randn(2, 4), torch.randn(2), one, torch.rand(2))
    back = LinearPlus(decoder, torch.randn(4, 2), torch.randn(4), torch.rand(2) + 1, one * 0.3)
    for part in (there, back):  # the last layers would be silent otherwise
        for parameter in part.inner.parameters():
            torch.nn.init.normal_(parameter, generator=generator)
    return Autoencoding(Scaling([0.0], [1.0]), there, back)


@pytest.mark.parametrize("hidden", [(), (7,), (7, 5)])
def test_outputs_and_derivatives_are_those_of_each_network(hidden):
    nets = [network(seed, hidden) for seed in range(3)]
    whole = side_by_side(nets)
    x = torch.randn(3, 6, 4)
    together = whole.decoder(whole.encoder(x.transpose(0, 1).reshape(-1, 4)))
    together.square().sum().backward()
    for place, net in enumerate(nets):
        alone = net.decoder(net.encoder(x[place]))
        torch.testing.assert_close(together[place::3], alone, rtol=1e-4, atol=1e-5)
        alone.square().sum().backward()
        for name, parameter in net.named_parameters():
            found = whole.get_parameter(name).grad[place].reshape(parameter.shape)
            torch.testing.assert_close(found, parameter.grad, rtol=1e-3, atol=1e-4)


def test_what_was_learned_is_handed_back():
    nets = [network(seed) for seed in range(3)]
    whole = side_by_side(nets)
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.mul_(2)
    expected = [[2 * p.detach() for p in net.parameters()] for net in nets]
    hand_back(whole, nets)
    for net, parameters in zip(nets, expected, strict=True):
        torch.testing.assert_close(list(net.parameters()), parameters)


@pytest.mark.parametrize(("sizes", "batch_size"), [((5, 5, 6), 4), ((8, 9), 8), ((3, 2), 1)])
def test_each_network_sees_each_of_its_rows_once_in_a_pass(sizes, batch_size):
    def part(place, size):
        rows = 10.0 * place + np.arange(1, size + 1)[:, None]
        scaling = Scaling([0.0], [1.0])
        return ScaledRows(ArraySource(rows), scaling, torch.float32, torch.device("cpu"))

    rows = RowsSideBySide([part(place, size) for place, size in enumerate(sizes)], batch_size)
    batches = list(rows.batches(seed=0, epoch=3))
    assert len(batches) == -(-max(sizes) // batch_size)
    for place, size in enumerate(sizes):
        seen = torch.cat([batch.x[place :: len(sizes), 0] for batch in batches])
        counted = torch.cat([batch.shares[place :: len(sizes)] for batch in batches]) > 0
        assert sorted(seen[counted].tolist()) == [10 * place + n for n in range(1, size + 1)]
        assert not seen[~counted].any()
    for batch in batches:
        assert len(batch.x) == rows.size * len(sizes) <= batch_size * len(sizes)
        shares = batch.shares.reshape(-1, len(sizes)).sum(dim=0)
        assert all(share in (0, pytest.approx(1)) for share in shares.tolist())
    others = list(rows.batches(seed=0, epoch=4))
    assert any(not torch.equal(a.x, b.x) for a, b in zip(batches, others, strict=True)) or (
        batch_size == 1
    )


def test_small_networks_of_layers_alone_are_trained_side_by_side():
    def planned(n_rows=300, n_features=6, **changes):
        params = Autoencoder(**{"n_components": 2, **changes}).get_params(deep=False)
        return make_plan(params, n_rows, n_features, seed=0)

    assert planned().side_by_side
    assert planned(2_000).side_by_side
    assert planned(objective="contractive").side_by_side
    assert (planned().n_runs, planned(objective="denoising").n_runs) == (1, 6)
    for changes in (
        {"objective": "denoising"},
        {"objective": "vae"},
        {"objective": "neighbors"},
        {"objective": "wae"},
        {"ordered": True},
        {"init": "random"},
        {"keep": "last"},
        {"validation_fraction": 0.0},
        {"network": MLP(skip=True)},
        {"precision": "bfloat16"},
        {"n_features": 20_000},
        {"n_rows": 20_000},
    ):
        assert not planned(**changes).side_by_side, changes


@pytest.mark.parametrize("error", ["squared", "absolute"])
def test_pictures_side_by_side_are_clipped_to_their_bounds(error):
    """Each network has the bounds in its own units."""
    X = np.clip(curved(200) / 10, 0, 1)
    changes = {"validation_fraction": "auto", "max_steps": 300, "bounds": (0, 1)}
    ae = quick(objective=Reconstruction(error=error), **changes).fit(X)
    assert ae.reconstruct(X).min() >= 0
    assert ae.reconstruct(X).max() <= 1
    assert ae.best_step_ > 0
