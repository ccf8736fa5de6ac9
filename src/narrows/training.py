"""THE loop: batch → terms → backward → step → record.

Losses come per row and are reduced here, once. Parameters are kept in float32; where the
processor multiplies bfloat16 faster, each step computes on a bfloat16 copy of them.

Legend: B batch, D features, N held-out rows.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from narrows.networks import Autoencoding, LinearPlus
from narrows.objectives.base import Batch, Bounds, Objective
from narrows.optimizers import Optimizer, learning_rate_factor
from narrows.products import with_fast_products

AVERAGE_EVERY, AVERAGE_GAMMA = 4, 8
"""Steps between two blendings of the average, and how much it prefers late steps."""
HistoryRow = dict[str, float]
Batches = Callable[[int], Iterator[Tensor]]


@dataclass(frozen=True)
class StepRule:
    """Everything about a step that stays the same over a run.

    Attributes
    ----------
    objective : Objective
    bounds : Bounds or None
        In the network's units.
    dtype : torch.dtype
        Of the copy that is computed on: torch.float32 or torch.bfloat16.
    learning_rate : float
        At its highest.
    schedule : {"averaged", "constant", "cosine", "linear"}
    n_warm_up : int
        Steps over which the learning rate rises.
    """

    objective: Objective
    bounds: Bounds | None
    dtype: torch.dtype
    learning_rate: float
    schedule: str
    n_warm_up: int


@dataclass
class Pace:
    """Where a run ends, and how far along its schedule a step is.

    Attributes
    ----------
    n_steps : int
        Steps that the schedule was laid out for.
    until : int
        Count of steps at which to end.
    """

    n_steps: int
    until: int
    _from_step: int = 0
    _from_place: float = 0.0
    _end: int | None = None

    def place(self, step: int) -> float:
        """Return the step of the schedule that a step counts as; they differ once shortened."""
        if self._end is None:
            return float(step)
        share = (step - self._from_step) / max(self._end - self._from_step, 1)
        return self._from_place + (self.n_steps - self._from_place) * share

    def shorten(self, step: int, until: int) -> None:
        """From a step on, run through the rest of the schedule faster, to end at ``until``."""
        self._from_place, self._from_step = self.place(step), step
        self._end = self.until = until


@dataclass
class TrainingState:
    """What changes over a run.

    Attributes
    ----------
    net : Autoencoding
        Parameters in float32.
    optimizer : torch.optim.Optimizer
        Over the parameters of ``net``.
    average : Autoencoding or None
        Running average of ``net``, where the schedule keeps one.
    step, epoch : int
        Steps taken and epochs begun and finished.
    history : list of dict
        A row per epoch: ``epoch``, ``step``, ``learning_rate``, the mean of every term and of
        their sum ``loss`` over the epoch's rows, and the sum on its last batch, ``last_loss``, in
        squared units of the network per feature; ``validation_error`` where it was measured in
        that epoch, mean squared error per value in data units, NaN elsewhere.
    """

    net: Autoencoding
    optimizer: torch.optim.Optimizer
    average: Autoencoding | None = None
    step: int = 0
    epoch: int = 0
    history: list[HistoryRow] = field(default_factory=list)
    validation_error: float = math.nan
    """The latest held-out error measured in the running epoch, for its row of the history."""

    @property
    def result(self) -> Autoencoding:
        """The network to measure and to return."""
        return self.net if self.average is None else self.average


def start_training(net: Autoencoding, optimizer: Optimizer, schedule: str) -> TrainingState:
    """Wrap a network for training."""
    groups = [group for group in _parameter_groups(net) if group["params"]]
    average = copy.deepcopy(net) if schedule == "averaged" else None
    return TrainingState(net, optimizer.build(groups), average)


def _parameter_groups(net: Autoencoding) -> list[dict[str, Any]]:
    """Set the linear path apart: no weight decay, and steps as small as what PCA left over.

    Adam's steps do not shrink with the error, so a linear path that is nearly right already would
    otherwise be shaken as hard as a network that knows nothing.
    """
    linear = [part for part in (net.encoder, net.decoder) if isinstance(part, LinearPlus)]
    weights = [part.weight for part in linear]
    chosen = {id(weight) for weight in weights}
    left_over = float(net.decoder.gain) if isinstance(net.decoder, LinearPlus) else 1.0
    return [
        {"params": [p for p in net.parameters() if id(p) not in chosen], "share": 1.0},
        {"params": weights, "share": min(left_over, 1.0), "weight_decay": 0.0},
    ]


def train(
    state: TrainingState,
    batches: Batches,
    rule: StepRule,
    pace: Pace,
    after_step: Callable[[TrainingState], bool] = lambda state: False,
) -> None:
    """Train until ``pace.until`` steps are taken in all, or ``after_step`` returns True.

    It also ends after an epoch whose loss is not finite.

    Parameters
    ----------
    state : TrainingState
        Changed in place.
    batches : callable
        Takes the epoch, gives its batches (B, D), in the network's units and ``rule.dtype``.
    rule : StepRule
    pace : Pace
        Counts the steps that the state already has, too; may be changed by ``after_step``.
    after_step : callable
        Called after each step.
    """
    copy_of_net = _ComputeCopy(state.net, rule.dtype)
    stopped = False
    while state.step < pace.until and not stopped:
        record = _EpochRecord()
        for x, is_last in _marked(batches(state.epoch)):
            rate = rule.learning_rate * learning_rate_factor(
                rule.schedule, pace.place(state.step), pace.n_steps, rule.n_warm_up
            )
            for group in state.optimizer.param_groups:
                group["lr"] = rate * group["share"]
            terms = rule.objective.terms(copy_of_net.net, Batch(x), rule.bounds)
            # The loss is the mean over rows of the sum of terms: so much for each row of each term.
            each = torch.full((len(x),), 1 / len(x), device=x.device)
            torch.autograd.backward(list(terms.values()), [each] * len(terms))
            copy_of_net.hand_over_gradients()
            state.optimizer.step()
            copy_of_net.refresh()
            state.step += 1
            if state.average is not None and state.step % AVERAGE_EVERY == 0:
                _blend(state.average, state.net, state.step)
            record.add(terms, len(x))
            if is_last or state.step == pace.until:
                state.epoch += 1
                record.finish(state, rate)
                stopped = not math.isfinite(state.history[-1]["loss"])
            stopped = after_step(state) or stopped
            if stopped or state.step == pace.until:
                break


def _marked(batches: Iterator[Tensor]) -> Iterator[tuple[Tensor, bool]]:
    """Give each batch with whether it is the last."""
    current = next(batches, None)
    while current is not None:
        following = next(batches, None)
        yield current, following is None
        current = following


@torch.no_grad()
def _blend(average: Autoencoding, net: Autoencoding, step: int) -> None:
    """Move a running average towards a network.

    Step t weighs about as t^γ, so that early steps are forgotten whenever the average is looked
    at (polynomial-decay averaging: O. Shamir and T. Zhang, ICML 2013).
    """
    kept = max(1.0 - AVERAGE_EVERY / step, 0.0) ** (AVERAGE_GAMMA + 1)
    theirs: list[Tensor] = list(net.parameters())
    torch._foreach_lerp_(list(average.parameters()), theirs, 1.0 - kept)


class _ComputeCopy:
    """What a step computes on: in float32 the network's own parameters, else a rounded copy."""

    def __init__(self, net: Autoencoding, dtype: torch.dtype) -> None:
        self._same = dtype == torch.float32
        self.net = with_fast_products(net) if self._same else copy.deepcopy(net).to(dtype)
        self._masters: list[Tensor] = [p for p in net.parameters() if p.requires_grad]
        self._copies: list[Tensor] = [p for p in self.net.parameters() if p.requires_grad]
        for copied, master in zip(self._copies, self._masters, strict=True):
            copied.grad = None
            master.grad = None if self._same else torch.zeros_like(master)

    def hand_over_gradients(self) -> None:
        if not self._same:
            gradients = [_gradient(p) for p in self._copies]
            torch._foreach_copy_([_gradient(p) for p in self._masters], gradients)

    @torch.no_grad()
    def refresh(self) -> None:
        if not self._same:
            torch._foreach_copy_(self._copies, self._masters)
        for copied in self._copies:
            copied.grad = None


def _gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        return torch.zeros_like(parameter)
    return parameter.grad


class _EpochRecord:
    """Sums of every term over the rows of each batch, kept as tensors until the epoch ends."""

    def __init__(self) -> None:
        self._sums: dict[str, list[Tensor]] = {}
        self._n_rows: list[int] = []

    def add(self, terms: dict[str, Tensor], n_rows: int) -> None:
        for name, term in terms.items():
            self._sums.setdefault(name, []).append(term.detach().sum())
        self._n_rows.append(n_rows)

    def finish(self, state: TrainingState, learning_rate: float) -> None:
        by_batch = {name: torch.stack(sums).tolist() for name, sums in self._sums.items()}
        means = {name: math.fsum(sums) / sum(self._n_rows) for name, sums in by_batch.items()}
        last = math.fsum(sums[-1] for sums in by_batch.values()) / self._n_rows[-1]
        state.history.append(
            {
                "epoch": state.epoch,
                "step": state.step,
                "learning_rate": learning_rate,
                "loss": math.fsum(means.values()),
                **means,
                "last_loss": last,
                "validation_error": state.validation_error,
            }
        )
        state.validation_error = math.nan
