"""One training run from its starting point, measured on held-out rows at certain steps.

Legend: N held-out rows, D features.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from narrows.common.warn import warn
from narrows.model.fitted import HistoryRow
from narrows.model.inference import Inference
from narrows.model.parts import is_own
from narrows.networks import Autoencoding, is_finite
from narrows.networks.side_by_side import hand_back, side_by_side
from narrows.objectives import Batch, Bounds
from narrows.objectives.ordered import LENGTHS_PER_ROW
from narrows.training.batches import RowsSideBySide, ScaledRows
from narrows.training.deadline import CODED_AFTERWARDS, Deadline, seconds_per_step
from narrows.training.held_out import (
    LOSS,
)
from narrows.training.judge import is_smaller
from narrows.training.loop import Pace, StepRule, TrainingState, start_training, train
from narrows.training.member import Member, Request
from narrows.training.plan import Plan
from narrows.training.progress import Progress

EARLY_STEPS = 75
"""Steps before which a measurement without a gain does not count for ``patience``."""


def _side_by_side(bounds: Sequence[Bounds | None], n_rows: int) -> Bounds | None:
    """Return bounds for each row of a batch of several networks, (n_rows · M, D)."""
    found = [(low, high) for low, high in filter(None, bounds)]
    if not found:
        return None
    return Bounds(*(torch.stack(ends).repeat(n_rows, 1) for ends in zip(*found, strict=True)))


def step_rule(plan: Plan, bounds: Bounds | None) -> StepRule:
    """Return what stays the same over the steps of a plan; without a warm-up."""
    return StepRule(
        plan.objective,
        bounds,
        plan.dtype,
        plan.learning_rate,
        plan.schedule,
        n_warm_up=0,
        n_components=plan.n_components,
        seed=plan.seed,
        ordered=plan.widths.ordered,
        own=is_own(plan.network),
    )


class Run:
    """One training, of one network or of several side by side.

    Parameters
    ----------
    request : Request
    members : sequence of Member
        More than one only where the plan has them side by side.
    number : int
        Which run of the fit this is, from 1.
    """

    def __init__(self, request: Request, members: Sequence[Member], number: int) -> None:
        plan = request.plan
        self.request = request
        self.number = number
        self.members = members
        self._judged = [member for member in members if member.held_out is not None]
        nets, bounds = [member.net for member in members], members[0].bounds
        net = nets[0]
        self._rows: ScaledRows | RowsSideBySide = members[0].rows
        if len(members) > 1:
            net = side_by_side(nets)
            self._rows = RowsSideBySide([member.rows for member in members], plan.batch_size)
            bounds = _side_by_side([member.bounds for member in members], self._rows.size)
        self.state = start_training(net, plan.optimizer, plan.schedule)
        self.rule = replace(step_rule(plan, bounds), n_nets=len(members))
        self.best_step = 0
        self.latest_error = self.pca_error = math.nan
        self.diverged = False
        self.ended = "finished"
        self._best_state = copy.deepcopy(self.state.result.state_dict())
        self._unimproved = 0
        self._grid: set[int] = set()
        self._pace = Pace(1, 1)
        self._history: tuple[HistoryRow, ...] = ()

    def train(self, until: int | None = None) -> None:
        """Train to the end of the plan, or to an earlier step ``until``.

        A run ends sooner when held-out errors have not improved ``patience`` times in a row, when
        a callback returns True, when the loss is no longer finite (with a warning), or when it has
        fallen behind ``max_seconds`` (with a warning).
        """
        self._measure()
        if self._nothing_to_gain():
            return
        deadline = self.request.deadline
        if self.plan.n_steps is None:
            self._fix_steps(deadline)
        n_steps = self.n_steps
        self._grid = self.plan.evaluation_steps(n_steps)
        self._pace = Pace(n_steps, n_steps if until is None else until)
        rule = replace(self.rule, n_warm_up=self.plan.n_warm_up(n_steps))
        if deadline is not None:
            deadline.start_run()
        train(self.state, self._batches, rule, self._pace, self._after_step)
        if deadline is not None and deadline.hurried and self.ended == "finished":
            self.ended = "late"  # by a schedule that `max_steps` cannot repeat
        self._check_finite()

    @property
    def n_steps(self) -> int:
        """Steps that the schedule is laid out for; 1 where nothing was to be gained by any."""
        return self.plan.n_steps or 1

    @property
    def plan(self) -> Plan:
        """The plan, with the number of steps once a timing has fixed it."""
        return self.request.plan

    def restore_best(self) -> None:
        """Go back to the state with the smallest held-out error."""
        self.state.result.load_state_dict(self._best_state)

    def _batches(self, epoch: int) -> Iterator[Batch]:
        if isinstance(self._rows, RowsSideBySide):
            return self._rows.batches(seed=self.plan.seed, epoch=epoch)
        return self._rows.batches(self.plan.batch_size, seed=self.plan.seed, epoch=epoch)

    def nets(self) -> list[Autoencoding]:
        """Return the networks of all members as they are now, to measure and to return."""
        if len(self.members) == 1:
            return [self.state.result]
        nets = [member.net for member in self.members]
        hand_back(self.state.result, nets)
        return nets

    def _nothing_to_gain(self) -> bool:
        """Tell whether PCA already gives all rows back that are held out."""
        if self.request.params["init"] != "pca" or not self._judged:
            return False
        return all(member.nothing_to_gain() for member in self._judged)

    def _measure(self) -> None:
        """Measure held-out errors, and remember the state if it is the best so far."""
        if not self._judged:
            return
        step = self.state.step
        for member, net in zip(self.members, self.nets(), strict=True):
            member.measure(step, net)
        squares = [member.squares_at(step) for member in self._judged]
        self.latest_error = float(np.concatenate(squares).mean())
        if self.state.history and self.state.history[-1]["step"] == step:
            self.state.history[-1]["validation_error"] = self.latest_error
        elif step > 0:
            self.state.validation_error = self.latest_error
        if step == 0:
            n_rows = [len(rows) for rows in squares]
            self.pca_error = float(np.average([m.pca_error for m in self._judged], weights=n_rows))
        elif is_smaller(self._loss_at(step), self._loss_at(self.best_step)):
            self.best_step, self._unimproved = step, 0
            self._best_state = copy.deepcopy(self.state.result.state_dict())
        elif step >= EARLY_STEPS:
            self._unimproved += 1

    def _loss_at(self, step: int) -> float:
        """Return the mean held-out loss at a step; infinite where one is not finite."""
        losses = [member.errors_at[step][:, LOSS] for member in self._judged]
        mean = float(np.concatenate(losses).mean(dtype=np.float64))
        return mean if math.isfinite(mean) else math.inf

    def _after_step(self, state: TrainingState) -> bool:
        if self._keep_to_deadline(state.step):
            self.ended = "late"
        if self.ended == "late" or state.step in self._grid or state.step == self._pace.until:
            self._measure()
            if self._unimproved >= self.plan.patience and self.ended == "finished":
                self.ended = "patience"
        answers = [callback(self._progress()) for callback in self.request.callbacks]
        if any(isinstance(a, bool | np.bool_) and a for a in answers) and self.ended == "finished":
            self.ended = "callback"
        return self.ended != "finished"

    def _progress(self) -> Progress:
        state = self.state
        return Progress(
            epoch=state.epoch,
            step=state.step,
            history=self._shown_history(),
            make_model=lambda: Inference(self.nets()[-1], self.plan.objective, self.request.bounds),
            n_steps=self.n_steps,
            run=self.number,
            n_runs=self.plan.n_runs,
            validation_error=self.latest_error,
            pca_validation_error=self.pca_error,
        )

    def _shown_history(self) -> tuple[HistoryRow, ...]:
        """Copy the history once an epoch, not once a step."""
        if len(self._history) != len(self.state.history):
            self._history = tuple(dict(row) for row in self.state.history)
        return self._history

    def _check_finite(self) -> None:
        history = self.state.history
        finite_loss = not history or math.isfinite(history[-1]["loss"])
        self.diverged = not (finite_loss and is_finite(self.state.result))
        if self.diverged:
            self.ended = "diverged"
            warn(
                f"The loss was no longer finite after step {self.state.step}; the best state before"
                f" is returned. Try learning_rate={self.plan.learning_rate / 10:.2g}."
            )

    def _keep_to_deadline(self, step: int) -> bool:
        """Hurry where the run has fallen behind; tell whether its time is over."""
        deadline = self.request.deadline
        if deadline is None:
            return False
        over, until = deadline.keep(step, self._pace, measured=step in self._grid)
        if until is not None:
            warn(
                f"Training is slower than it was timed, so it ends after about {until} of"
                f" {self.n_steps} steps to keep to max_seconds. The model cannot be repeated by"
                " max_steps."
            )
        return over

    def _fix_steps(self, deadline: Deadline | None) -> None:
        """Time a few steps on a copy, and plan as many as fit before the deadline."""
        assert deadline is not None, "without a deadline the plan has a number of steps"
        trial, endless = copy.deepcopy(self.state), Pace(1 << 30, 1 << 30)
        per_step = seconds_per_step(
            lambda note: train(trial, self._batches, self.rule, endless, note),
            deadline.seconds,
            self.plan.device,
        )
        evaluations, afterwards = self._evaluation_seconds()
        left = deadline.at - time.perf_counter() - afterwards
        setup = self.members[0].setup_seconds if self.plan.n_runs > 1 else 0.0
        n_steps = self.plan.steps_in(left, per_step, evaluations + setup)
        self.request = replace(self.request, plan=replace(self.plan, n_steps=n_steps))

    def _evaluation_seconds(self) -> tuple[float, float]:
        """Time a measurement of held-out rows.

        Returns the seconds of all measurements of a run, and of what follows the last run, which
        encodes rows.
        """
        if not self._judged:
            return 0.0, 0.0
        nets, n_rows = self.nets(), 0
        began = time.perf_counter()
        for member, net in zip(self.members, nets, strict=True):
            if member.held_out is not None:
                member.held_out.errors(net)
                n_rows += member.held_out.n_rows
        once = time.perf_counter() - began
        afterwards = once * min(2 * self.plan.n_rows, CODED_AFTERWARDS) / n_rows
        n_times = len(self.plan.evaluation_steps(self.plan.most_steps))
        held_out = self._judged[0].held_out
        if held_out is not None and self._judged[0].measures_curve:
            # A measurement decodes each row as often as a step, and once whole.
            decoded = held_out.n_rows * (LENGTHS_PER_ROW + 1)
            curve = once * held_out.n_curve_codes / decoded
            return n_times * once + (n_times if self.plan.split.n_folds else 1) * curve, afterwards
        return n_times * once, afterwards
