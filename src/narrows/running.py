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
from numpy.typing import NDArray
from torch import Tensor

from narrows.errors import NarrowsWarning
from narrows.inference import Inference
from narrows.nearest import Floats32, compact, nearest, nearest_rows
from narrows.networks import Autoencoding, Network, converted, is_finite
from narrows.objectives import Batch, Bounds, Objective, Reconstruction, Step
from narrows.ordering import LENGTHS_PER_ROW, Ordered, lengths_to_measure
from narrows.pca import PrincipalComponents
from narrows.planning import Plan
from narrows.scaling import Scaling
from narrows.sources.array import ArraySource, Near, Rows, ScaledRows
from narrows.starting import pca_network, start
from narrows.training import (
    HistoryRow,
    Pace,
    StepRule,
    TrainingState,
    drawn,
    start_training,
    train,
)

Errors = NDArray[np.float64]
Interval = tuple[float, float]

NOTHING_TO_GAIN = 1e-9
"""Held-out error of PCA, as a fraction of the variance, below which training is pointless."""
NETWORK, DATA = 0, 1
"""Columns of held-out errors: the family's loss, and the squared error in data units."""
HELD_OUT_VALUES = 1 << 24
"""Values of held-out rows that go through at once (64 MiB), where 1,024 rows have more."""
CURVE_CODES = 1 << 17
"""Codes, each length of each row being one, that a size curve is measured by."""
TIMED_SECONDS = 0.7
TIMED_STEPS = 10
STEPS_PER_WAIT = 16
"""Steps that are timed together on a GPU, which is handed steps before it has taken the last."""
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
        A row per finished epoch, as `narrows.training.TrainingState` describes it.
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
    """

    source: ArraySource
    plan: Plan
    params: dict[str, Any]
    bounds: Interval | None
    deadline: float | None = None
    explained: float | None = None

    @property
    def callbacks(self) -> Sequence[Callback]:
        """Callables that watch."""
        callbacks: Sequence[Callback] = self.params["callbacks"]
        return callbacks


class HeldOut:
    """Rows that training does not see, and the error of a network on each."""

    def __init__(self, source: ArraySource, scaling: Scaling, request: Request) -> None:
        device = request.plan.device
        self._objective: Objective = request.plan.objective
        self._n_components, self._seed = request.plan.n_components, request.plan.seed
        self._rows = ScaledRows(source, scaling, torch.float32, device)
        self._bounds = scaled_bounds(request.bounds, self._rows, request.plan.network)
        self._divisor = scaling.divisor.cpu()
        self.n_rows = source.n_rows

    def look_around(
        self, compact_rows: Floats32, rows: ScaledRows, pca: PrincipalComponents
    ) -> None:
        """Find the neighbours that these rows have among training rows.

        Parameters
        ----------
        compact_rows : ndarray (n, axes)
            Of the training rows, as `find_neighbors` gave them.
        rows : ScaledRows
            The training rows.
        pca : PrincipalComponents
        """
        assert rows.near is not None
        own = compact(self._rows.source, pca, self._rows.scaling)
        numbers = nearest(own, compact_rows, rows.near.numbers.shape[1])
        self._rows.near = Near(numbers, rows)

    def errors(self, net: Autoencoding) -> Errors:
        """Return per row (N, 2) the family's held-out loss, and the mean squared error.

        The loss is in the units that the family states, the error in data units.
        """
        return self._errors(net, self._objective)

    @torch.no_grad()
    def curve(self, net: Autoencoding, *, pca: bool = False) -> Errors:
        """Return mean squared errors (1 + L, 2) of codes cut to nothing, and to each length.

        In the network's units, and in data units; ``pca`` tells that the network is PCA's. Where
        rows and lengths are many, by some of the rows, evenly spread.
        """
        objective = Reconstruction() if pca else self._objective
        cuts = (0, *lengths_to_measure(self._n_components))
        was_training = net.training
        net.eval()
        sums, n_rows = np.zeros((len(cuts), 2)), 0
        for _, batch in self._blocks(self.n_curve_codes // len(cuts)):
            z_BK = objective.code(net, batch.x)
            n_rows += len(batch.x)
            for place, length in enumerate(cuts):
                shorter_BK = z_BK.clone()
                shorter_BK[:, length:] = 0
                x_hat_BD = self._clipped(objective.reconstruction(net, shorter_BK))
                squares_D = (x_hat_BD - batch.x).square_().sum(dim=0).cpu().double()
                sums[place] += float(squares_D.mean()), float((squares_D * self._divisor**2).mean())
        net.train(was_training)
        return sums / n_rows

    @property
    def n_curve_codes(self) -> int:
        """Codes that a size curve is measured by, each length of each row being one."""
        n_cuts = 1 + len(lengths_to_measure(self._n_components))
        return n_cuts * max(1, min(self.n_rows, CURVE_CODES // n_cuts))

    def squared_errors(self, net: Autoencoding) -> Errors:
        """Return (N, 2) as for the plain autoencoder, for a network that belongs to no family."""
        return self._errors(net, Reconstruction())

    @torch.no_grad()
    def _errors(self, net: Autoencoding, objective: Objective) -> Errors:
        was_training = net.training
        net.eval()
        found = []
        for number, batch in self._blocks():
            x_hat_BD = self._clipped(objective.reconstruction(net, objective.code(net, batch.x)))
            noise = drawn(objective, batch.x, self._n_components, (self._seed, number))
            step = Step(noise, self._bounds)
            loss_B = objective.held_out_loss(net, batch, step, x_hat_BD)
            errors_B2 = self._both_units(x_hat_BD, batch.x)
            errors_B2[:, NETWORK] = loss_B
            found.append(errors_B2)
        net.train(was_training)
        return torch.cat(found).numpy()

    def _blocks(self, most_rows: int | None = None) -> Iterator[tuple[int, Batch]]:
        """Give all rows in blocks, numbered, or some of them, evenly spread."""
        n_rows = min(self.n_rows, most_rows or self.n_rows)
        chosen = np.linspace(0, self.n_rows - 1, n_rows).round().astype(np.int64)
        n_block = max(1, min(1024, HELD_OUT_VALUES // self._rows.source.n_features))
        for number, first in enumerate(range(0, n_rows, n_block)):
            yield number, self._rows.take(chosen[first : first + n_block])

    def _clipped(self, x_hat: Tensor) -> Tensor:
        return x_hat if self._bounds is None else x_hat.clamp(*self._bounds)

    def _both_units(self, x_hat: Tensor, x: Tensor) -> Tensor:
        """Return mean squared errors (B, 2), in the network's units and in data units."""
        # In float64, for squares in data units may lie beyond what float32 holds.
        difference_BD = (x_hat - x).cpu().double()
        squares = [(difference_BD * unit).square().mean(dim=1) for unit in (1.0, self._divisor)]
        return torch.stack(squares, dim=1)


def find_neighbors(rows: ScaledRows, pca: PrincipalComponents, plan: Plan) -> Floats32 | None:
    """Find the neighbours of training rows, for a family that asks for them.

    Returns
    -------
    ndarray (N, axes) or None
        Rows as distances are taken between them.
    """
    if not plan.n_neighbors:
        return None
    found = compact(rows.source, pca, rows.scaling)
    n_neighbors = max(1, min(plan.n_neighbors, len(found) - 1))
    rows.near = Near(nearest_rows(found, n_neighbors, plan.seed), rows)
    return found


def scaled_bounds(bounds: Interval | None, rows: ScaledRows, network: Network) -> Bounds | None:
    """Bring bounds to the network's units, each (D,), rounded as the rows are.

    Bounds that the network's outputs keep to of themselves are left out.
    """
    if bounds is None:
        return None
    # All of width D, for torch clamps to a single number in a tensor several times more slowly.
    ends = (torch.full((rows.source.n_features,), end, dtype=torch.float64) for end in bounds)
    low, high = (rows.scaling(end).to(rows.dtype) for end in ends)
    lowest, highest = network.output_range()
    if bool((low <= lowest).all()) and bool((high >= highest).all()):
        return None
    return Bounds(low.to(rows.device, torch.float32), high.to(rows.device, torch.float32))


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

    def __init__(self, request: Request, held: Rows, number: int) -> None:
        began = time.perf_counter()
        plan = request.plan
        self.request = request
        self.number = number
        seen = np.setdiff1d(np.arange(plan.n_rows), held) if len(held) else None
        source = request.source if seen is None else request.source.subset(seen)
        given = (source, request.params, plan, request.bounds)
        self.start_net, self.pca = start(*given)
        self.fallback_net = self.start_net
        own_fallback = type(plan.objective).fallback is not Objective.fallback
        if own_fallback and request.params["init"] == "pca":
            known = self.start_net.scaling, self.pca
            self.fallback_net, _ = start(*given, fallback=True, known=known)
        pca_net = pca_network(self.pca.first(plan.n_components), self.start_net.scaling)
        self.pca_net = converted(pca_net, torch.float32).to(plan.device)
        scaling = self.start_net.scaling
        self.rows = ScaledRows(source, scaling, plan.dtype, plan.device)
        compact_rows = find_neighbors(self.rows, self.pca, plan)
        self._setup_seconds = time.perf_counter() - began
        net = converted(self.start_net, torch.float32).to(plan.device)
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
            self.held_out = HeldOut(request.source.subset(held), scaling, request)
            if compact_rows is not None:
                self.held_out.look_around(compact_rows, self.rows, self.pca)
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
        evaluations = self._evaluation_seconds()
        now = time.perf_counter()
        per_run = evaluations + (self._setup_seconds if self.plan.may_repeat else 0.0)
        n_steps = self.plan.steps_in(self.request.deadline - now, per_step, per_run)
        self.request = replace(self.request, plan=replace(self.plan, n_steps=n_steps))

    def _evaluation_seconds(self) -> float:
        """Time a measurement of held-out rows; return the seconds that all of a run will take."""
        if self.held_out is None:
            return 0.0
        began = time.perf_counter()
        self.held_out.errors(self.state.result)
        once = time.perf_counter() - began
        n_times = len(self.plan.evaluation_steps(self.plan.most_steps))
        if self.ordered:
            # A measurement decodes each row as often as a step, and once whole.
            decoded = self.held_out.n_rows * (LENGTHS_PER_ROW + 1)
            curve = once * self.held_out.n_curve_codes / decoded
            return n_times * once + (n_times if self.plan.n_folds else 1) * curve
        return n_times * once
