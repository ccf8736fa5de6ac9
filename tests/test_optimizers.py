"""Optimizers build what their fields say, and schedules rise and fall."""

from __future__ import annotations

import copy

import pytest
import torch

from narrows.common.optimizers import OPTIMIZERS, SCHEDULE, Adam, AdamW, learning_rate_factor


def parameter():
    return torch.nn.Parameter(torch.tensor([1.0, -2.0]))


TORCHS = {
    "adamw": lambda groups: torch.optim.AdamW(
        groups, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.3, fused=True
    ),
    "adam": lambda groups: torch.optim.Adam(groups, betas=(0.8, 0.95), eps=1e-6, fused=True),
}
OURS = {
    "adamw": AdamW(beta1=0.8, beta2=0.95, epsilon=1e-6, weight_decay=0.3),
    "adam": Adam(beta1=0.8, beta2=0.95, epsilon=1e-6),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_torch(name):
    """Bit for bit, with a group spared weight decay, rates that change and gradients left out."""
    moved = []
    for build in (OURS[name].build, TORCHS[name]):
        first, spared = parameter(), parameter()
        optimizer = build([{"params": [first]}, {"params": [spared], "weight_decay": 0.0}])
        for step in range(5):
            for group in optimizer.param_groups:
                group["lr"] = 0.1 / (1 + step)
            first.grad = first.detach() ** 3
            spared.grad = None if step == 2 else spared.detach() - step
            optimizer.step()
        moved.append((first.tolist(), spared.tolist()))
    assert moved[0] == moved[1]


def test_adam_decays_nothing():
    (group,) = Adam().build([{"params": [parameter()], "weight_decay": 0.5}]).param_groups
    assert group["weight_decay"] == 0.0


def test_a_copy_of_the_steps_moves_copies():
    whole = [parameter()]
    optimizer = AdamW(weight_decay=0.0).build([{"params": whole}])
    copied, other = copy.deepcopy((optimizer, whole))
    other[0].grad = torch.ones(2)
    copied.param_groups[0]["lr"] = 0.1
    copied.step()
    assert whole[0].tolist() == [1.0, -2.0] != other[0].tolist()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_goes_downhill(name):
    moved = parameter()
    optimizer = OPTIMIZERS[name]().resolved(0.2).build([{"params": [moved]}])
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    moved.square().sum().backward()
    optimizer.step()
    assert (moved.abs() < torch.tensor([1.0, 2.0])).all()
    assert OPTIMIZERS[name].name == name


SCHEDULES = [name for name in SCHEDULE.names if name != "auto"]


def factors(schedule, n_steps, n_warm_up):
    return [learning_rate_factor(schedule, step, n_steps, n_warm_up) for step in range(n_steps)]


@pytest.mark.parametrize("n_warm_up", [0, 1, 10, 100])
@pytest.mark.parametrize("n_steps", [1, 2, 50, 100, 101, 1000])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_factor_lies_above_zero_and_at_most_at_one(schedule, n_steps, n_warm_up):
    found = factors(schedule, n_steps, n_warm_up)
    assert all(0 < factor <= 1 for factor in found)
    top = found.index(max(found))
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)


def test_constant_is_one_throughout():
    assert factors("constant", 20, 5) == [1.0] * 20


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_it_rises_linearly_then_falls_to_nothing(schedule):
    found = factors(schedule, 1000, 10)
    assert found[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert found[10] == 1.0
    assert found[505] == pytest.approx(0.5)  # half of the way down
    assert found[-1] < 0.002
    assert learning_rate_factor(schedule, 1000, 1000, 10) == pytest.approx(0)


def test_linear_falls_evenly_and_cosine_slowly_at_first():
    linear, cosine = factors("linear", 100, 0), factors("cosine", 100, 0)
    assert linear[25] == pytest.approx(0.75)
    assert cosine[25] == pytest.approx(0.853553, abs=1e-6)  # (1 + cos(π/4)) / 2
