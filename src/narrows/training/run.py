"""One training run from its starting point, watched at a grid of steps.

Legend: N held-out rows, D features.
"""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from narrows.errors import NarrowsWarning
from narrows.linear.pca import PrincipalComponents
from narrows.model.inference import Inference
from narrows.networks import Autoencoding, converted, is_finite
from narrows.objectives import Batch, Objective
from narrows.objectives.ordered import LENGTHS_PER_ROW, Ordered
from narrows.sources.array import ArraySource
from narrows.sources.split import RowNumbers
from narrows.training.batches import ScaledRows
from narrows.training.held_out import (
    DATA,
    NETWORK,
    Errors,
    HeldOut,
    Interval,
    find_neighbors,
    scaled_bounds,
)
from narrows.training.loop import HistoryRow, Pace, StepRule, TrainingState, start_training, train
from narrows.training.plan import Plan
from narrows.training.start import pca_in_units_of, pca_network, start

NOTHING_TO_GAIN = 1e-9
"""Held-out error of PCA, as a fraction of the variance, below which training is pointless."""
TIMED_SECONDS = 0.5
TIMED_STEPS = 10
STEPS_PER_WAIT = 16
"""Steps that are timed together on a GPU, which is handed steps before it has taken the last."""
CODED_AFTERWARDS = 60_000
"""RowNumbers whose way there and back takes as long as codes, priors and trust after a run."""
HURRY_SECONDS, LATEST_SECONDS = 0.5, 1.0
"""Seconds after ``max_seconds`` at which a run would end for it to be shortened, and is ended."""


@dataclass(frozen=True)
class Progress:
    """What a callback is shown; nothing that it does to this changes training.

    Attributes
    ----------
    epoch, step : int
        Epochs finished and optimizer steps taken in this run.
    history : tuple of dict
        A row per finished epoch, as `narrows.training.loop.TrainingState` describes it.
    model : Inference
        ``encode``, ``decode`` and ``reconstruct`` with the parameters of this moment, made from
        the training copy when first used.
    n_steps : int
        Steps that this run is planned for.
    run, n_runs : int
        Which run of the fit this is, from 1, and how many there may be.
    validation_error, pca_validation_error : float
        Latest held-out mean squared error of this run in data units, and PCA's on the same rows;
        NaN where nothing is held out.
    """

    epoch: int
    step: int
    history: tuple[HistoryRow, ...]
    model: Inference
    n_steps: int
    run: int
    n_runs: int
    validation_error: float
    pca_validation_error: float


Callback = Callable[[Progress], object]


def print_epochs() -> Callback:
    """Return a callback that prints a line for each epoch of each run."""
    told = 0

    def show(progress: Progress) -> None:
        nonlocal told
        if progress.epoch < told:
            told = 0  # another run has begun
        for row in progress.history[told:]:
            error = row["validation_error"]
            held_out = "" if math.isnan(error) else f"  held out {error:.6g}"
            print(
                f"epoch {row['epoch']:>4}  step {row['step']:>6}  loss {row['loss']:.6g}{held_out}"
            )
        told = progress.epoch

    return show


@dataclass(frozen=True)
class Request:
    """All that a fit is given.

    Attributes
    ----------
    source : ArraySource
    plan : Plan
    params : dict
        The estimator's parameters by name.
    bounds : (float, float) or None
        In data units.
    deadline : float or None
        On the clock of `time.perf_counter`.
    explained : float or None
        Part of the variance that the code, whose size is still open, is to explain.
    origin : Autoencoding or None
        An earlier model's network, which training starts from in place of PCA.
    """

    source: ArraySource
    plan: Plan
    params: dict[str, Any]
    bounds: Interval | None
    deadline: float | None = None
    explained: float | None = None
    origin: Autoencoding | None = None

    @property
    def callbacks(self) -> Sequence[Callback]:
        """Callables that watch."""
        callbacks: Sequence[Callback] = self.params["callbacks"]
        return callbacks


def starting_point(
    request: Request, source: ArraySource, *, fallback: bool = False
) -> tuple[Autoencoding, PrincipalComponents]:
    """Return the network that a run on some rows starts from, and the PCA of these rows.

    Parameters
    ----------
    request : Request
    source : ArraySource
        All rows of the request, or some.
    fallback : bool
        Return what is kept where training gained nothing.
    """
    plan = request.plan
    if request.origin is None:
        return start(source, request.params, plan, request.bounds, fallback=fallback)
    net = copy.deepcopy(request.origin)
    return net, pca_in_units_of(source, net.scaling, plan)


class Run:
    """One training: a start, the rows it sees, the rows it is measured on.

    Parameters
    ----------
    request : Request
    held : ndarray of int64
        Row numbers to hold out; may be empty.
    number : int
        Which run of the fit this is, from 1.
    """

    def __init__(self, request: Request, held: RowNumbers, number: int) -> None:
        began = time.perf_counter()
        plan = request.plan
        self.request = request
        self.number = number
        seen = np.setdiff1d(np.arange(plan.n_rows), held) if len(held) else None
        source = request.source if seen is None else request.source.subset(seen)
        self.start_net, self.pca = starting_point(request, source)
        self.fallback_net = self.start_net
        own_fallback = type(plan.objective).fallback is not Objective.fallback
        if request.origin is None and own_fallback and request.params["init"] == "pca":
            known = self.start_net.scaling, self.pca
            given = (source, request.params, plan, request.bounds)
            self.fallback_net, _ = start(*given, fallback=True, known=known)
        pca_net = pca_network(self.pca.first(plan.n_components), self.start_net.scaling)
        self.pca_net = converted(pca_net, torch.float32).to(plan.device)
        scaling = self.start_net.scaling
        self.rows = ScaledRows(source, scaling, plan.dtype, plan.device)
        net = converted(self.start_net, torch.float32).to(plan.device)
        compact_rows = find_neighbors(self.rows, self.pca, plan, net.encoder)
        self._setup_seconds = time.perf_counter() - began
        self.state = start_training(net, plan.optimizer, plan.schedule)
        self.rule = StepRule(
            plan.objective,
            scaled_bounds(request.bounds, self.rows, plan.network),
            plan.dtype,
            plan.learning_rate,
            plan.schedule,
            n_warm_up=0,
            n_components=plan.n_components,
            seed=plan.seed,
        )
        self.held_out = None
        if len(held):
            self.held_out = HeldOut(request.source.subset(held), scaling, plan, request.bounds)
            if compact_rows is not None and self.rows.near is not None:
                self.held_out.look_around(compact_rows, self.rows.near, self.pca)
        self.errors_at: dict[int, Errors] = {}
        self.ordered = isinstance(plan.objective, Ordered) and self.held_out is not None
        self.curves_at: dict[int, Errors] = {}
        self.pca_curve: Errors | None = None
        self.best_step = 0
        self.latest_error = self.pca_error = math.nan
        self.diverged = False
        self._best_state = copy.deepcopy(self.state.result.state_dict())
        self._unimproved = 0
        self._grid: set[int] = set()
        self._pace = Pace(1, 1)
        self._began = 0.0
        self._hurried = False
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
        if self.plan.n_steps is None:
            self._fix_steps()
        n_steps = self.n_steps
        self._grid = self.plan.evaluation_steps(n_steps)
        self._pace = Pace(n_steps, n_steps if until is None else until)
        rule = replace(self.rule, n_warm_up=self.plan.n_warm_up(n_steps))
        self._began = time.perf_counter()
        train(self.state, self._batches, rule, self._pace, self._after_step)
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
        return self.rows.batches(self.plan.batch_size, seed=self.plan.seed, epoch=epoch)

    def _nothing_to_gain(self) -> bool:
        """Tell whether PCA already gives the held-out rows back."""
        if self.held_out is None or self.request.params["init"] != "pca":
            return False
        loss, error = self.errors_at[0].mean(axis=0)
        divisor = self.start_net.scaling.divisor.numpy()
        # In data units; where each column has its own divisor, the PCA is that of scaled columns.
        variances = self.pca.variances_ * (divisor**2 if divisor.size > 1 else 1.0)
        # A family whose loss is more than an error may gain where nothing is left of that.
        exact = 0 <= loss <= NOTHING_TO_GAIN * float((variances / divisor**2).mean())
        return bool(exact and error <= NOTHING_TO_GAIN * float(variances.mean()))

    def _measure(self) -> None:
        """Measure held-out errors, and remember the state if it is the best so far."""
        if self.held_out is None:
            return
        step, net = self.state.step, self.state.result
        if step == 0 and self.fallback_net is not self.start_net:
            net = converted(self.fallback_net, torch.float32).to(self.plan.device)
        errors = self.held_out.errors(net)
        self.errors_at[step] = errors
        # Folds leave no networks behind, so their curves are measured as they go.
        if self.ordered and self.plan.n_folds:
            self.curves_at[step] = self.held_out.curve(net)
        self.latest_error = float(errors[:, DATA].mean())
        if self.state.history and self.state.history[-1]["step"] == step:
            self.state.history[-1]["validation_error"] = self.latest_error
        elif step > 0:
            self.state.validation_error = self.latest_error
        if step == 0:
            self.pca_error = float(self.held_out.squared_errors(self.pca_net)[:, DATA].mean())
            if self.ordered:
                self.pca_curve = self.held_out.curve(self.pca_net, pca=True)
        elif errors[:, NETWORK].mean() < self.errors_at[self.best_step][:, NETWORK].mean():
            self.best_step, self._unimproved = step, 0
            self._best_state = copy.deepcopy(self.state.result.state_dict())
        else:
            self._unimproved += 1

    def _after_step(self, state: TrainingState) -> bool:
        stop = self._keep_to_deadline(state.step)
        if stop or state.step in self._grid or state.step == self._pace.until:
            self._measure()
            stop = stop or self._unimproved >= self.plan.patience
        answers = [callback(self._progress()) for callback in self.request.callbacks]
        return stop or any(answer is True for answer in answers)

    def _progress(self) -> Progress:
        net, state = self.state.result, self.state
        return Progress(
            epoch=state.epoch,
            step=state.step,
            history=self._shown_history(),
            model=Inference(net, self.plan.objective, self.request.bounds),
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
            warnings.warn(
                f"The loss was no longer finite after step {self.state.step}; the best state before"
                f" is returned. Try learning_rate={self.plan.learning_rate / 10:.2g}.",
                NarrowsWarning,
                stacklevel=2,
            )

    def _keep_to_deadline(self, step: int) -> bool:
        """Hurry where the run has fallen behind; tell whether its time is over."""
        deadline = self.request.deadline
        if deadline is None or step >= self._pace.until:
            return False
        now = time.perf_counter()
        per_step = (now - self._began) / step
        behind = now + (self._pace.until - step) * per_step - deadline
        if step in self._grid and behind > HURRY_SECONDS:
            left = int((deadline - now) / per_step)
            if not self._hurried:
                warnings.warn(
                    f"Training is slower than it was timed, so it ends after about {step + left}"
                    f" of {self._pace.until} steps to keep to max_seconds. The model cannot be"
                    " repeated by max_steps.",
                    NarrowsWarning,
                    stacklevel=2,
                )
            self._hurried = True
            self._pace.shorten(step, step + max(left, 1))
        return now > deadline + LATEST_SECONDS

    def _fix_steps(self) -> None:
        """Time a few steps on a copy, and lay out as many as fit before the deadline."""
        assert self.request.deadline is not None
        trial = copy.deepcopy(self.state)
        until = time.perf_counter() + min(TIMED_SECONDS, 0.1 * self.request.params["max_seconds"])
        ticks: list[float] = []
        on_gpu = self.plan.device.type == "cuda"
        stride = STEPS_PER_WAIT if on_gpu else 1

        def note(state: TrainingState) -> bool:
            if state.step % stride:
                return False
            if on_gpu:
                torch.cuda.synchronize(self.plan.device)
            ticks.append(time.perf_counter())
            return ticks[-1] >= until and len(ticks) > TIMED_STEPS

        train(trial, self._batches, self.rule, Pace(1 << 30, 1 << 30), note)
        # The median is not fooled by the first steps, nor by a moment's load on the machine.
        # A loss that is not finite ends the trial at once.
        per_step = float(np.median(np.diff(ticks))) / stride if len(ticks) > 1 else math.inf
        evaluations, afterwards = self._evaluation_seconds()
        now = time.perf_counter() + afterwards
        per_run = evaluations + (self._setup_seconds if self.plan.may_repeat else 0.0)
        n_steps = self.plan.steps_in(self.request.deadline - now, per_step, per_run)
        self.request = replace(self.request, plan=replace(self.plan, n_steps=n_steps))

    def _evaluation_seconds(self) -> tuple[float, float]:
        """Time a measurement of held-out rows; return the seconds of all those of a run.

        And of what follows the last run, which codes rows, too.
        """
        if self.held_out is None:
            return 0.0, 0.0
        began = time.perf_counter()
        self.held_out.errors(self.state.result)
        once = time.perf_counter() - began
        afterwards = once * min(2 * self.plan.n_rows, CODED_AFTERWARDS) / self.held_out.n_rows
        n_times = len(self.plan.evaluation_steps(self.plan.most_steps))
        if self.ordered:
            # A measurement decodes each row as often as a step, and once whole.
            decoded = self.held_out.n_rows * (LENGTHS_PER_ROW + 1)
            curve = once * self.held_out.n_curve_codes / decoded
            return n_times * once + (n_times if self.plan.n_folds else 1) * curve, afterwards
        return n_times * once, afterwards
