"""The loop does what a hand-written loop does, for any number of rows."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from conftest import curved, quick
from narrows.common.optimizers import Adam, AdamW, learning_rate_factor
from narrows.linear.scaling import Scaling
from narrows.networks import MLP, Autoencoding, Widths
from narrows.objectives import Bounds, Reconstruction
from narrows.sources.array import ArraySource
from narrows.training.batches import ScaledRows
from narrows.training.loop import StepRule, start_training, train
from narrows.training.pace import Pace

D, K = 6, 2
IDENTITY = Scaling(np.zeros(1), np.ones(1))
ADAM = Adam()


def network(seed=0):
    encoder, decoder = MLP(hidden=(5,)).build(
        Widths(D, K, K, D), torch.Generator().manual_seed(seed)
    )
    return Autoencoding(IDENTITY, encoder, decoder)


def rows(n=50):
    X = np.random.default_rng(0).normal(size=(n, D))
    return ScaledRows(ArraySource(X), IDENTITY, torch.float32, torch.device("cpu"))


def rule(**changes):
    given = {
        "objective": Reconstruction(),
        "bounds": None,
        "dtype": torch.float32,
        "learning_rate": 0.01,
    }
    return StepRule(**{**given, **changes})


def batches_of(n_rows, batch_size):
    source = rows(n_rows)
    return lambda epoch: source.batches(batch_size, seed=7, epoch=epoch)


def pace(n_steps, until=None, schedule="constant"):
    return Pace(schedule, n_steps, until or n_steps, n_warm_up=3)


def trained(n_rows, batch_size, n_steps, optimizer=ADAM, schedule="cosine", **changes):
    state = start_training(network(), optimizer, schedule)
    train(state, batches_of(n_rows, batch_size), rule(**changes), pace(n_steps, schedule=schedule))
    return state


def by_hand(net, n_rows, batch_size, n_steps, schedule, bounds=None):
    """The loop again, sharing with `train` only the order of rows and the schedule."""
    optimizer = torch.optim.Adam(net.parameters(), betas=(0.9, 0.999), eps=1e-8, fused=True)
    step, epoch, losses = 0, 0, []
    while step < n_steps:
        for x, *_ in batches_of(n_rows, batch_size)(epoch):
            if step == n_steps:
                break
            optimizer.param_groups[0]["lr"] = 0.01 * learning_rate_factor(
                schedule, step, n_steps, 3
            )
            optimizer.zero_grad()
            a = net.decoder(net.encoder(x))
            loss = (a - x).square()
            if bounds is not None:
                c = a.clamp(bounds.low, bounds.high)
                loss = (c - x) * (2 * a - c - x)
            loss = loss.mean(dim=1).sum() / len(x)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            step += 1
        epoch += 1
    return losses


@pytest.mark.parametrize("bounds", [None, Bounds(torch.tensor([-1.0]), torch.tensor([1.0]))])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear"])
@pytest.mark.parametrize(
    ("n_rows", "batch_size", "n_steps"),
    [(50, 10, 23), (50, 7, 40), (50, 49, 4), (5, 32, 6), (1, 1, 3)],
)
def test_it_is_a_hand_written_loop_bit_for_bit(n_rows, batch_size, n_steps, schedule, bounds):
    state = trained(n_rows, batch_size, n_steps, schedule=schedule, bounds=bounds)
    net = network()
    losses = by_hand(net, n_rows, batch_size, n_steps, schedule, bounds)
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, state.net.state_dict()[name]), name
    assert state.history[-1]["last_loss"] == pytest.approx(losses[-1], rel=1e-5)


def test_an_average_watches_and_lies_among_the_states_that_it_averages():
    state = trained(50, 10, 40, schedule="averaged")
    net = network()
    by_hand(net, 50, 10, 40, "averaged")
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, state.net.state_dict()[name]), name
    assert state.result is state.average
    visited = [trained(50, 10, n, schedule="averaged").net for n in range(41)]
    for name, average in state.result.named_parameters():
        seen = torch.stack([dict(net.named_parameters())[name] for net in visited])
        assert (average >= seen.amin(dim=0) - 1e-6).all()
        assert (average <= seen.amax(dim=0) + 1e-6).all()
        assert not torch.equal(average, seen[-1])


def test_without_an_average_the_last_state_is_the_result():
    state = trained(50, 10, 5)
    assert state.result is state.net


def test_history_has_a_row_per_epoch():
    state = trained(50, 20, 8)  # 3 batches an epoch: two whole ones and two thirds
    assert (state.step, state.epoch) == (8, 3)
    assert [row["epoch"] for row in state.history] == [1, 2, 3]
    assert [row["step"] for row in state.history] == [3, 6, 8]
    for row in state.history:
        assert row["loss"] == pytest.approx(row["reconstruction"])
        assert math.isnan(row["validation_error"])
    expected = 0.01 * learning_rate_factor("cosine", 7, 8, 3)
    assert state.history[-1]["learning_rate"] == expected


def test_an_epochs_loss_is_the_mean_over_its_rows_and_not_over_its_batches():
    state = trained(50, 49, 2, learning_rate=1e-30)
    x = torch.cat([batch.x for batch in batches_of(50, 49)(0)])
    with torch.no_grad():
        expected = (network().decoder(network().encoder(x)) - x).square().mean().item()
    assert state.history[0]["loss"] == pytest.approx(expected, rel=1e-5)


def test_it_continues_where_it_stood():
    settings = rule()
    whole, parts = (start_training(network(), Adam(), "constant") for _ in range(2))
    train(whole, batches_of(50, 10), settings, pace(10))
    train(parts, batches_of(50, 10), settings, pace(10, 5))
    train(parts, batches_of(50, 10), settings, pace(10))
    for one, other in zip(whole.net.parameters(), parts.net.parameters(), strict=True):
        assert torch.equal(one, other)
    assert [row["loss"] for row in parts.history] == [row["loss"] for row in whole.history]


def test_it_stops_when_told():
    state = start_training(network(), Adam(), "constant")
    train(state, batches_of(50, 10), rule(), pace(100), lambda state: state.step == 7)
    assert state.step == 7


def test_it_ends_after_an_epoch_whose_loss_is_not_finite():
    state = trained(50, 10, 100, learning_rate=1e38, schedule="constant")
    assert state.step < 100
    assert not math.isfinite(state.history[-1]["loss"])


def test_bfloat16_trains_float32_parameters():
    source = ScaledRows(
        ArraySource(np.random.default_rng(0).normal(size=(50, D))),
        IDENTITY,
        torch.bfloat16,
        torch.device("cpu"),
    )
    state = start_training(network(), AdamW(weight_decay=0.2), "constant")
    train(
        state,
        lambda epoch: source.batches(10, seed=7, epoch=epoch),
        rule(dtype=torch.bfloat16),
        pace(100),
    )
    assert {p.dtype for p in state.net.parameters()} == {torch.float32}
    assert state.history[-1]["loss"] < 0.9 * state.history[0]["loss"]
    full = trained(50, 10, 100, optimizer=AdamW(weight_decay=0.2), schedule="constant")
    # bfloat16 keeps 8 bits: losses agree to a few per cent, not to rounding.
    assert state.history[-1]["loss"] == pytest.approx(full.history[-1]["loss"], rel=0.05)


def test_weight_decay_spares_the_linear_path_and_shrinks_the_rest():
    ae = quick(keep="last", network=MLP(hidden=(5,)), max_steps=3).fit(curved())
    net = copy.deepcopy(ae.network_).float()
    state = start_training(net, AdamW(weight_decay=0.5), "constant")
    decay = {
        id(p): group["weight_decay"]
        for group in state.optimizer.param_groups
        for p in group["params"]
    }
    by_name = {name: decay[id(p)] for name, p in net.named_parameters()}
    assert by_name["encoder.weight"] == by_name["decoder.weight"] == 0
    assert by_name["encoder.inner.0.weight"] == 0.5
    assert set(by_name) == set(dict(net.named_parameters()))


# ---------------------------------------------------------------- a limit: linear is PCA


def training_error_of_pca(X):
    pca = PCA(K).fit(X)
    return ((X - pca.inverse_transform(pca.transform(X))) ** 2).mean()


LINEAR = {"network": MLP(hidden=()), "keep": "last", "validation_fraction": 0.0}


def test_a_linear_autoencoder_from_pca_stays_at_pca():
    X = curved()
    ae = quick(K, **LINEAR, batch_size=len(X), max_steps=200, learning_rate=0.001).fit(X)
    error, least = ae.reconstruction_error(X).mean(), training_error_of_pca(X)
    assert least * (1 - 1e-6) <= error <= 1.001 * least


def test_a_linear_autoencoder_from_anywhere_arrives_at_pca():
    X = curved()
    ae = quick(K, **LINEAR, init="random", max_steps=3000, learning_rate=0.01).fit(X)
    error, least = ae.reconstruction_error(X).mean(), training_error_of_pca(X)
    assert least * (1 - 1e-6) <= error <= 1.02 * least
