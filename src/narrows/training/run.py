"""One training run from its starting point, measured on held-out rows at certain steps.

Legend: N held-out rows, D features.
"""

from __future__ import annotations

import copy
import math
import statistics
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
from narrows.training.afterwards import seconds_afterwards
from narrows.training.batches import RowsSideBySide, ScaledRows
from narrows.training.deadline import Timekeeper
from narrows.training.held_out import LOSS
from narrows.training.judge import is_smaller
from narrows.training.loop import StepRule, TrainingState, start_training, train
from narrows.training.member import Member, Request
from narrows.training.plan import Plan
from narrows.training.progress import Progress

EARLY_STEPS = 75
"""Steps before which a measurement without a gain does not count for ``patience``."""
OF_LATE = 3
"""Measurements of held-out rows that tell how busy the machine is now."""


def _side_by_side(bounds: Sequence[Bounds | None], n_rows: int) -> Bounds | None:
    """Return bounds for each row of a batch of several networks, (n_rows · M, D)."""
    found = [(low, high) for low, high in filter(None, bounds)]
    if not found:
        return None
    return Bounds(*(torch.stack(ends).repeat(n_rows, 1) for ends in zip(*found, strict=True)))


def step_rule(plan: Plan, bounds: Bounds | None) -> StepRule:
    """Return what stays the same over the steps of a plan."""
    return StepRule(
        plan.objective,
        bounds,
        plan.dtype,
        plan.learning_rate,
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
        self.latest_error = self.pca_error = math.nan
        self.diverged = False
        self.ended = "steps"
        # One pair, so that an interrupt cannot part a step from its state.
        self._best = 0, copy.deepcopy(self.state.result.state_dict())
        self._unimproved = 0
        self._pace, self._grid = plan.pace(), set[int]()
        self._keeper: Timekeeper | None = None
        self._resumed = 0.0
        self.follows = request.follows  # seconds of what follows the last run, once they are known
        self._measuring: list[float] = []
        self._history: tuple[HistoryRow, ...] = ()

    def train(self, until: int | None = None) -> None:
        """Train to the end of the plan, to an earlier step ``until``, or as long as time allows.

        A run ends sooner when held-out errors have not improved ``patience`` times in a row, when
        a callback returns True, when the loss is no longer finite (with a warning), or when it has
        fallen behind ``max_seconds`` (with a warning).
        """
        self._measure()
        if self._nothing_to_gain():
            self.ended = "nothing to gain"
            return
        plan, deadline = self.plan, self.request.deadline
        self._pace = pace = plan.pace(until)
        self._lay_out_measurements()
        if deadline is not None:
            if self.follows is None:
                self.follows = self._time_what_follows()
            n_further, afterwards = plan.n_runs - self.number, self.follows
            starts = n_further * self.members[0].setup_seconds
            if 2 * starts > deadline.left - afterwards:
                n_further, starts = 0, 0.0  # there is no time for the runs that follow
            share = deadline.earlier(afterwards + starts).shared(1 + n_further).earlier(-afterwards)
            if share.left <= afterwards:
                self.ended = "late"
                return
            self._keeper = Timekeeper(share, pace, plan)
        self._resumed = time.perf_counter()
        train(self.state, self._batches, self.rule, pace, self._after_step)
        if self._keeper is not None and self.ended == "steps" and self._keeper.ended_by_time:
            self.ended = "late" if self._keeper.hurried else "budget"
        self._check_finite()

    def look(self) -> None:
        """Measure the state at which an interrupt came, if it has not been."""
        step = self.state.step
        if step and not all(step in member.errors_at for member in self._judged):
            self._measure()

    @property
    def best_step(self) -> int:
        """Step of the state with the smallest held-out error."""
        return self._best[0]

    @property
    def n_steps(self) -> int:
        """Steps that ``max_steps`` has to be for the same run; at least 1."""
        if self._pace.is_open:  # patience or a callback has ended it
            return self._pace.end_after(self.state.step) if self.state.step else 1
        return self._pace.n_steps

    @property
    def plan(self) -> Plan:
        """What the fit does."""
        return self.request.plan

    def restore_best(self) -> None:
        """Go back to the state with the smallest held-out error."""
        self.state.result.load_state_dict(self._best[1])

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

    def _lay_out_measurements(self) -> None:
        self._grid = self.plan.evaluation_steps(self._pace.n_steps)

    def _measure(self) -> None:
        """Measure held-out errors, and remember the state if it is the best so far."""
        if not self._judged:
            return
        step, began = self.state.step, time.perf_counter()
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
            self._best = step, copy.deepcopy(self.state.result.state_dict())
            self._unimproved = 0
        elif step >= EARLY_STEPS:
            self._unimproved += 1
        self._measuring.append(math.fsum(member.measuring for member in self._judged))
        if self._keeper is not None:
            self._keeper.measured(time.perf_counter() - began)

    def _loss_at(self, step: int) -> float:
        """Return the mean held-out loss at a step; infinite where one is not finite."""
        losses = [member.errors_at[step][:, LOSS] for member in self._judged]
        mean = float(np.concatenate(losses).mean(dtype=np.float64))
        return mean if math.isfinite(mean) else math.inf

    def _after_step(self, state: TrainingState) -> bool:
        self.request.threads.note(time.perf_counter() - self._resumed)
        if self._keep_to_deadline(state.step):
            self.ended = "late"
        if self.ended == "late" or state.step in self._grid or state.step >= self._pace.until:
            self._measure()
            if self._unimproved >= self.plan.patience and self.ended == "steps":
                self.ended = "patience"
        answers = [callback(self._progress()) for callback in self.request.callbacks]
        if any(isinstance(a, bool | np.bool_) and a for a in answers) and self.ended == "steps":
            self.ended = "callback"
        self._resumed = time.perf_counter()
        return self.ended != "steps"

    def _progress(self) -> Progress:
        state, n_runs = self.state, self.plan.n_runs
        return Progress(
            epoch=state.epoch,
            step=state.step,
            history=self._shown_history(),
            make_model=lambda: Inference(self.nets()[-1], self.plan.objective, self.request.bounds),
            n_steps=None if self._pace.is_open else self._pace.n_steps,
            done=min((self.number - 1 + self._done()) / n_runs, 1.0),
            run=self.number,
            n_runs=n_runs,
            validation_error=self.latest_error,
            pca_validation_error=self.pca_error,
        )

    def _done(self) -> float:
        """Return the part of this run that is done: of its steps, or of its time."""
        if self._keeper is not None and self._pace.is_open:
            return self._keeper.done
        return self.state.step / self._pace.until

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
        """Fix an open end or hurry where time asks for it; tell whether time is over."""
        keeper = self._keeper
        if keeper is None:
            return False
        was_open, was_hurried = self._pace.is_open, keeper.hurried
        over = keeper.keep(step, self._afterwards())
        if was_open and not self._pace.is_open:
            self._lay_out_measurements()
        if keeper.hurried and not was_hurried:
            warn(
                "Training became slower than it was, so it ends sooner than planned to keep to"
                " max_seconds. The model cannot be repeated by max_steps."
            )
        return over

    def _time_what_follows(self) -> float:
        """Return the seconds of what follows the last run, as the machine is now."""
        plan, request = self.plan, self.request
        return seconds_afterwards(
            Inference(self.nets()[-1], plan.objective, request.bounds),
            request.source,
            request.rows_afterwards,
            plan.split.n_held_out,
            self.members[0].n_curve_codes,
        )

    def _afterwards(self) -> float:
        """Return the same, where the machine has become busier since."""
        follows = self.follows or 0.0
        if not self._measuring or not self._measuring[0]:
            return follows
        busier = statistics.median(self._measuring[-OF_LATE:]) / self._measuring[0]
        return follows * max(busier, 1.0)
