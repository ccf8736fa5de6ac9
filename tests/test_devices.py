"""Every tensor of a step lies on the device of its rows, and no step waits for that device.

Without a GPU, torch's "meta" device stands in for one: it has shapes and no numbers, so whatever
reads a number in the middle of a step fails on it.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from conftest import bits, curved, quick
from narrows import MLP
from narrows.model.parts import PARTS
from narrows.networks import converted, on_cpu
from narrows.objectives import VAE, Step
from narrows.sources.array import ArraySource
from narrows.training import loop
from narrows.training.batches import Near, ScaledRows
from narrows.training.held_out import scaled_bounds
from narrows.training.make_plan import make_plan
from narrows.training.start import start

DEVICE = torch.device("meta")
FAMILIES = [pytest.param(family(), id=name) for name, family in PARTS["objective"].items()]
FAMILIES.append(pytest.param(VAE(prior="flow", conditional=True, binarize=True), id="vae+"))
each_family = pytest.mark.parametrize("objective", FAMILIES)
N, K = 40, 3


def tensors_in(given):
    if isinstance(given, torch.Tensor):
        return [given]
    if isinstance(given, dict):
        given = given.values()
    elif not isinstance(given, (list, tuple)):
        return []
    return [tensor for item in given for tensor in tensors_in(item)]


class OneDevice(TorchFunctionMode):
    """Refuses what a GPU refuses: operations on tensors of two devices, single numbers aside."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        # What is passed along when copying is a record of all that was copied before.
        copying = function is torch.Tensor.__deepcopy__
        tensors = tensors_in([args[:1]] if copying else [args, kwargs or {}])
        devices = {tensor.device.type for tensor in tensors if tensor.dim() > 0}
        assert len(devices) < 2, f"{function} was given tensors on {devices}"
        found = function(*args, **(kwargs or {}))
        # Apple's "mps" has no float64.
        doubles = [tensor for tensor in tensors_in([found]) if tensor.dtype == torch.float64]
        assert all(tensor.device != DEVICE for tensor in doubles), f"{function} gave float64"
        return found


def request(objective, dtype, network=None):
    """A network at its start and its rows, of 2 × 3 pixels, on the device."""
    X = curved(N)
    X = (X - X.min()) / np.ptp(X)
    ae = quick(K, objective=objective, network=network or MLP(hidden=(5,)))
    shares = (0.5, 0.5) if objective.needs.classes else ()
    params = ae.get_params(deep=False)
    plan = make_plan(params, N, X.shape[1], 0, sample_shape=(2, 3), class_shares=shares)
    source = ArraySource(X, y=np.arange(N) % 2 if shares else None)
    net, _ = start(source, params, plan, (0.0, 1.0))
    rows = ScaledRows(source, net.scaling, dtype, DEVICE)
    if objective.needs.n_neighbors:
        rows.near = Near(np.arange(N)[::-1, None].copy(), rows, objective.needs.n_partners)
    return plan, converted(net, torch.float32, DEVICE), rows


def noise(objective, x):
    # A generator of the device's own is what training takes; "meta" has none.
    return objective.draw(torch.Generator(), x, K)


def test_scaling_comes_back_from_a_device_as_it_was():
    """In float32 there, since not every device has float64, and exact here."""
    plan, _, _ = request(VAE(), torch.float32)
    net, _ = start(ArraySource(curved(N)), quick(K).get_params(deep=False), plan)
    there = converted(net, torch.float32, DEVICE)
    assert {tensor.dtype for tensor in there.state_dict().values()} == {torch.float32}
    back = on_cpu(copy.deepcopy(there).to_empty(device="cpu"))
    for name in ("scaling.shift", "scaling.divisor", "code_unit"):
        assert torch.equal(back.state_dict()[name], net.state_dict()[name])
        assert back.state_dict()[name].dtype == torch.float64


class NoDoubles(TorchFunctionMode):
    """Stands in for "mps": what is sent there stays on the CPU, but float64 is refused."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function.__name__ in ("device", "_parse_to"):  # which read what a device is called
            return function(*args, **(kwargs or {}))

        def here(given):
            if not (isinstance(given, (str, torch.device)) and "mps" in str(given)):
                return given
            tensors = [tensor for tensor in tensors_in([args]) if function is torch.Tensor.to]
            goal = [given for given in args if isinstance(given, torch.dtype)]
            assert goal or all(tensor.dtype != torch.float64 for tensor in tensors), "no float64"
            return torch.device("cpu")

        named = {name: here(given) for name, given in (kwargs or {}).items()}
        return function(*(here(given) for given in args), **named)


@pytest.mark.parametrize("changes", [{}, {"scaling": "standard"}, {"validation_fraction": "auto"}])
def test_a_fit_sends_no_float64_to_a_device(changes, monkeypatch):
    X = curved(N)
    expected = quick(K, max_steps=5, **changes).fit(X)
    mps = torch.device("mps")
    monkeypatch.setattr("narrows.training.make_plan._device", lambda asked: mps)
    monkeypatch.setattr(torch, "Generator", lambda device="cpu": GENERATOR("cpu"))
    with NoDoubles():
        ae = quick(K, max_steps=5, device="mps", **changes).fit(X)
        assert bits(ae) == bits(expected)
        assert ae.partial_fit(X).network_.scaling.shift.dtype == torch.float64


GENERATOR = torch.Generator


def test_the_watch_sees_mixed_devices():
    here, there = torch.zeros(2, 2), torch.zeros(2, 2, device=DEVICE)
    with OneDevice():
        for mixed in (
            lambda: there @ here,
            lambda: there[here.long()],
            lambda: torch.cat([here, there]),
        ):
            with pytest.raises(AssertionError, match="meta"):
                mixed()
        assert (there * torch.tensor(2.0)).device == DEVICE


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@each_family
def test_the_loop_keeps_to_the_device(objective, dtype, monkeypatch):
    plan, net, rows = request(objective, dtype)
    ended = []

    def finish(record, state, learning_rate):
        """Once an epoch numbers are read; "meta" has none."""
        state.history.append({"loss": 0.0})
        ended.append(state.step)

    monkeypatch.setattr(loop, "drawn", lambda objective, x, *_: noise(objective, x))
    monkeypatch.setattr(loop._EpochRecord, "finish", finish)
    bounds = scaled_bounds((0.0, 1.0), rows, plan.network)
    rule = loop.StepRule(objective, bounds, dtype, 1e-3, K)

    def batches(epoch):
        return rows.batches(16, seed=0, epoch=epoch)

    # The optimizers of narrows are fused, which "meta" does not offer.
    plain = torch.optim.SGD([{"params": list(net.parameters()), "share": 1.0}])
    state = loop.TrainingState(net, plain, copy.deepcopy(net))
    with OneDevice():
        loop.train(state, batches, rule, loop.Pace("averaged", until=6, n_warm_up=1))
    assert ended == [3, 6]
    assert {p.device for p in state.net.parameters()} == {DEVICE}


@each_family
def test_held_out_measurements_keep_to_the_device(objective):
    plan, net, rows = request(objective, torch.float32)
    net.eval()
    bounds = scaled_bounds((0.0, 1.0), rows, plan.network)
    batch = rows.take(np.arange(N))
    batch = batch._replace(others=batch.near if batch.near is None else batch.near[:, 0])
    with OneDevice(), torch.no_grad():
        x_hat = objective.reconstruction(net, objective.code(net, batch.x))
        drawn = noise(objective, batch.x)
        loss = objective.held_out_loss(net, batch, Step(drawn, bounds), x_hat)
    assert {tensor.device for tensor in (x_hat, loss, *drawn.values())} == {DEVICE}
    assert loss.shape == (N,)


@pytest.mark.parametrize("name", sorted(PARTS["network"]))
def test_networks_keep_to_the_device(name):
    objective = VAE()
    _, net, rows = request(objective, torch.float32, PARTS["network"][name]())
    batch = rows.take(np.arange(N))
    with OneDevice():
        terms = objective.terms(net, batch, Step(noise(objective, batch.x)))
        torch.stack(list(terms.values())).sum().backward()
    assert {parameter.grad.device for parameter in net.parameters()} == {DEVICE}
