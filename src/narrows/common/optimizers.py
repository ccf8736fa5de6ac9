"""How a step is made from gradients, and how its size changes over a run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from narrows.common import limits
from narrows.common.adam import AdamSteps
from narrows.common.limits import Limit, one_of, parameter, real

FALL_FROM_THE_START = ("cosine", "linear")
"""Schedules that have to know the number of steps from the start."""
FALL_AT_THE_END = ("inverse_sqrt", "trapezoidal")
"""Schedules that fall to zero over the last part of a run, whose end may be decided late."""
SCHEDULE: Limit = one_of("auto", "averaged", "constant", *FALL_FROM_THE_START, *FALL_AT_THE_END)
"""What the parameter `schedule` may be."""
PARTS = 5
"""Parts of a run, over the last of which such a learning rate falls to zero."""
SLOWING = 100
"""Steps after which ``"inverse_sqrt"`` has lost a factor of √2."""


class Optimizer(Protocol):
    """Typed fields that say how steps are made."""

    name: ClassVar[str]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the fields by name."""

    def resolved(self, usual_decay: float) -> Optimizer:
        """Return a copy in which no field is ``"auto"``."""

    def build(self, groups: Iterable[dict[str, Any]]) -> AdamSteps:
        """Return what makes the steps for groups of parameters."""


@dataclass(frozen=True)
class Adam:
    """Adam without weight decay.

    Reference: D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.

    Parameters
    ----------
    beta1, beta2 : float
        Decay of the running mean and of the running square of gradients.
    epsilon : float
        Added to the root of the running square.
    """

    name: ClassVar[str] = "adam"
    get_params = limits.get_params

    beta1: float = parameter(0.9, real(0, 1), "decay of the running mean of gradients")
    beta2: float = parameter(0.999, real(0, 1), "decay of the running square of gradients")
    epsilon: float = parameter(1e-8, real(0, low_open=True), "added to the root of the square")

    def resolved(self, usual_decay: float) -> Adam:
        """Return a copy in which no field is ``"auto"``."""
        del usual_decay
        return self

    def build(self, groups: Iterable[dict[str, Any]]) -> AdamSteps:
        """Return what makes the steps for groups of parameters; nothing may be ``"auto"``."""
        without_decay = [{**group, "weight_decay": 0.0} for group in groups]
        return AdamSteps(without_decay, (self.beta1, self.beta2), self.epsilon)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay.

    Reference: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019.

    Parameters
    ----------
    beta1, beta2 : float
        Decay of the running mean and of the running square of gradients.
    epsilon : float
        Added to the root of the running square.
    weight_decay : "auto" or float
        Shrinkage per step, as a fraction of the learning rate; the linear path is spared. "auto"
        is what suits the objective: 0.2, but 0.01 for maps.
    """

    name: ClassVar[str] = "adamw"

    beta2: float = parameter(0.99, real(0, 1), "decay of the running square of gradients")
    weight_decay: str | float = parameter(
        "auto", one_of("auto") | real(0), "shrinkage per step and unit learning rate"
    )

    def resolved(self, usual_decay: float) -> AdamW:
        """Return a copy in which no field is ``"auto"``."""
        return self if self.weight_decay != "auto" else replace(self, weight_decay=usual_decay)

    def build(self, groups: Iterable[dict[str, Any]]) -> AdamSteps:
        """Return what makes the steps for groups of parameters; nothing may be ``"auto"``."""
        betas = self.beta1, self.beta2
        return AdamSteps(groups, betas, self.epsilon, float(self.weight_decay))


OPTIMIZERS: dict[str, type[Adam]] = {part.name: part for part in (AdamW, Adam)}


def learning_rate_factor(schedule: str, step: float, n_steps: int, n_warm_up: int) -> float:
    """Return the factor on the learning rate at a step counted from 0 out of ``n_steps``.

    ``"cosine"`` and ``"linear"`` rise linearly over ``n_warm_up`` steps and fall to zero at the
    end; ``"averaged"`` stays at 1 after the rise; ``"trapezoidal"`` stays at 1 and falls linearly
    over the last fifth of the steps; so does ``"inverse_sqrt"``, times 1 / √(1 + step / 100);
    ``"constant"`` is 1 throughout.
    """
    if schedule == "constant":
        return 1.0
    rising = min((step + 1) / n_warm_up, 1.0) if n_warm_up else 1.0
    if schedule == "averaged":
        return rising
    if schedule in FALL_AT_THE_END:
        begun = fall_begins(schedule, n_steps)
        factor = min(rising, 1.0 - max(step - begun, 0) / max(n_steps - begun, 1))
        return factor / math.sqrt(1 + step / SLOWING) if schedule == "inverse_sqrt" else factor
    if step < n_warm_up:
        return rising
    done = (step - n_warm_up) / max(n_steps - n_warm_up, 1)
    if schedule == "linear":
        return 1.0 - done
    return 0.5 * (1.0 + math.cos(math.pi * done))


def fall_begins(schedule: str, n_steps: int) -> int:
    """Return the step from which a schedule falls that does so at the end; else ``n_steps``."""
    return n_steps - n_steps // PARTS if schedule in FALL_AT_THE_END else n_steps


def steps_of_fall(schedule: str, begun: int) -> int:
    """Return the steps of a fall that begins at a step; 0 where the learning rate does not fall.

    It is the inverse of `fall_begins`.
    """
    return begun // (PARTS - 1) if schedule in FALL_AT_THE_END else 0
