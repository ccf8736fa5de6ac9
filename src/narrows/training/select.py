"""Which model a fit returns: start at PCA, train, and leave the start only for a gain.

Where rows are many, one part is held out. Where they are few, each fold is held out once, by a run
that starts at the PCA of the other rows. Either way a state is chosen on some held-out rows and
judged on others (`narrows.training.judge`). What won is repeated from the PCA of all rows where
that is cheap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from narrows.linear.pca import PrincipalComponents
from narrows.model.fitted import HistoryRow
from narrows.model.size_curve import SizeCurve, size_curve
from narrows.networks import Autoencoding, converted
from narrows.training.held_out import LOSS, SQUARES, Curve
from narrows.training.judge import Choice, choose, dealt
from narrows.training.run import Request, Run, starting_point

SAME_ERROR = 1e-5
"""Relative difference of two errors up to which they count as one, rounded in two ways."""


@dataclass
class Outcome:
    """The model that a fit returns, and what was measured on the way.

    Attributes
    ----------
    net : Autoencoding
    pca : PrincipalComponents
        Of the rows that the returned network started from.
    n_steps : int
        Steps that each run was planned for; ``max_steps=n_steps`` repeats the fit.
    best_step : int
        Step of the state that is returned; 0 is the start.
    history : list of dict
        Of the first run.
    validation_error, pca_validation_error : float
        Held-out mean squared errors in the unit that is reported, ours judged on other rows than
        those that chose the state.
    curve : SizeCurve or None
        Held-out errors of every prefix of ordered codes.
    ended : str
        Why training ended: one of `narrows.model.fitted.ENDINGS`.
    saw_all : bool
        Whether the returned network has learned from all rows, the held-out ones too.
    interrupted : KeyboardInterrupt or None
        To be raised again once the model is in place.
    n_components : int or None
        Numbers of a code that are handed out, where codes are cut short; None for all.
    """

    net: Autoencoding
    pca: PrincipalComponents
    n_steps: int = 1
    best_step: int = 0
    history: list[HistoryRow] = field(default_factory=list)
    validation_error: float = math.nan
    pca_validation_error: float = math.nan
    curve: SizeCurve | None = None
    ended: str = "finished"
    saw_all: bool = True
    interrupted: KeyboardInterrupt | None = None
    n_components: int | None = None


def fit_model(request: Request) -> Outcome:
    """Find the model for a request, as the module's docstring tells.

    A `KeyboardInterrupt` after the first PCA is caught and handed on in the outcome, which then
    holds the best state so far.
    """
    plan = request.plan
    if plan.split.n_folds:
        outcome = Outcome(*_fallback(request))
        _caught(outcome, lambda: _cross_fit(request, outcome))
        return outcome
    run = Run(request, (plan.split.parts() or [_NO_ROWS])[0], 1)
    outcome = Outcome(run.fallback_net, run.pca)
    _caught(outcome, run.train)
    _caught(outcome, lambda: _hold_out(run, outcome))
    return outcome


_NO_ROWS = np.zeros(0, dtype=np.int64)


def _caught(outcome: Outcome, work: Callable[[], object]) -> None:
    """Do a piece of work, and note in the outcome where it was interrupted."""
    try:
        work()
    except KeyboardInterrupt as interrupt:
        outcome.interrupted, outcome.ended = interrupt, "interrupted"


def _fallback(request: Request) -> tuple[Autoencoding, PrincipalComponents]:
    """Return the model that is kept where training gained nothing, built from all rows."""
    return starting_point(request, request.source, fallback=True)


class _Measured(NamedTuple):
    """Held-out errors of every measured state, the start first.

    Attributes
    ----------
    steps : list of int
        Of the S states.
    losses, squares : ndarray (S, N)
        The family's loss, and the squared error in the unit that is reported.
    pca_error : float
        Mean squared error of PCA.
    parts : ndarray (N,) or None
        As `choose` takes them.
    """

    steps: list[int]
    losses: NDArray[np.float32]
    squares: NDArray[np.float64]
    pca_error: float
    parts: NDArray[np.int64] | None = None

    @classmethod
    def by(cls, run: Run, steps: list[int]) -> _Measured:
        """Return what a run measured at some steps."""
        held_out = run.held_out
        assert held_out is not None, "the run holds no rows out"
        errors = np.stack([run.errors_at[step] for step in steps])
        squares = held_out.reported(errors[:, :, SQUARES])
        return cls(steps, errors[:, :, LOSS], squares, run.pca_error, held_out.parts)

    def choose(self, request: Request) -> Choice:
        """Choose a state on some of the rows, and judge it on others."""
        parts = self.parts
        if parts is None:
            parts = dealt(self.losses.shape[1], request.plan.seed)
        absolute = request.plan.objective.needs.absolute_gains
        return choose(self.losses, parts, absolute=absolute)

    @property
    def start_error(self) -> float:
        """The error of the start; PCA's, where the two differ by rounding alone."""
        error = float(self.squares[0].mean())
        return self.pca_error if math.isclose(error, self.pca_error, rel_tol=SAME_ERROR) else error


def _hold_out(run: Run, outcome: Outcome) -> None:
    """Take the state of a single run that is to be kept, and go on from its held-out errors."""
    keep_best = run.request.params["keep"] == "best" and run.held_out is not None
    if keep_best or run.diverged:
        run.restore_best()
    at_start = run.diverged and run.best_step == 0
    outcome.net = run.fallback_net if at_start else run.state.result
    outcome.n_steps, outcome.saw_all = run.n_steps, run.held_out is None
    outcome.best_step = run.best_step if keep_best or run.diverged else run.state.step
    outcome.history, outcome.pca_validation_error = run.state.history, run.pca_error
    if outcome.interrupted is None:
        outcome.ended = run.ended
    if run.held_out is None or not run.errors_at:
        return
    curve = None if run.pca_curve is None else run.held_out.curve(outcome.net)
    if not keep_best and not run.diverged:
        errors = run.held_out.errors(outcome.net)
        outcome.validation_error = float(run.held_out.reported(errors[:, SQUARES]).mean())
        outcome.curve = _size_curve(run, curve)
        return
    measured = _Measured.by(run, sorted(run.errors_at))
    choice = measured.choose(run.request)
    outcome.curve = _size_curve(run, curve, _optimism(measured, choice))
    if _leaves_start(run.request, choice, outcome.curve):
        outcome.validation_error = float(choice.judged(measured.squares).mean())
        _repeat(run.request, outcome)
        return
    outcome.best_step, outcome.validation_error = 0, measured.start_error
    if run.pca_curve is not None:
        fallback = converted(run.fallback_net, torch.float32, run.plan.device)
        outcome.curve = _size_curve(run, run.held_out.curve(fallback))
    outcome.net, outcome.pca = _fallback(run.request)
    outcome.saw_all = True


def _size_curve(run: Run, curve: Curve | None, factor: float = 1.0) -> SizeCurve | None:
    """Return the size curve of errors in the network's units, where there is one."""
    if curve is None or run.pca_curve is None or run.held_out is None:
        return None
    curves = run.held_out.reported(curve * factor), run.held_out.reported(run.pca_curve)
    return size_curve(run.plan.n_components, *curves)


def _optimism(measured: _Measured, choice: Choice) -> float:
    """Return by which factor the judged error exceeds that on the rows that chose the state."""
    chosen = float(measured.squares[choice.best].mean())
    return float(choice.judged(measured.squares).mean()) / chosen if chosen > 0 else 1.0


class _Fold(NamedTuple):
    """What a run measured on the rows of its fold; curves are in the unit that is reported."""

    measured: _Measured
    curves_at: dict[int, Curve]
    pca_curve: Curve | None

    @classmethod
    def of(cls, run: Run) -> _Fold:
        """Return what a run measured, so that the run itself can be forgotten."""
        held_out = run.held_out
        assert held_out is not None, "a fold holds rows out"
        curves_at = {step: held_out.reported(curve) for step, curve in run.curves_at.items()}
        pca_curve = None if run.pca_curve is None else held_out.reported(run.pca_curve)
        return cls(_Measured.by(run, sorted(run.errors_at)), curves_at, pca_curve)


def _cross_fit(request: Request, outcome: Outcome) -> None:
    """Choose between the start and a number of steps by errors on rows that each fold left out."""
    plan = request.plan
    found: list[_Fold] = []
    for number, held in enumerate(plan.split.parts(), start=1):
        run = Run(request, held, number)
        run.train()
        request = run.request  # the first fold has fixed the number of steps
        found.append(_Fold.of(run))
        outcome.history = outcome.history or run.state.history
        outcome.n_steps = run.n_steps
        outcome.ended = run.ended if run.ended not in ("finished", "patience") else outcome.ended
    measured = _pooled([fold.measured for fold in found])
    choice = measured.choose(request)
    # Each fold is judged at the step that the others choose.
    judges = [measured.steps[choice.by_row[measured.parts == n][0]] for n in range(len(found))]
    start_curve, curve = (
        _pooled_curve(plan.n_components, found, at) for at in ([0] * len(found), judges)
    )
    outcome.pca_validation_error = measured.pca_error
    outcome.validation_error, outcome.curve = measured.start_error, start_curve
    if _leaves_start(request, choice, curve):
        outcome.best_step, outcome.curve = measured.steps[choice.best], curve
        outcome.validation_error = float(choice.judged(measured.squares).mean())
        if not _repeat(request, outcome):  # folds leave no other model behind
            outcome.best_step, outcome.curve = 0, start_curve
            outcome.validation_error = measured.start_error


def _pooled(found: list[_Measured]) -> _Measured:
    """Join what the folds measured at the steps that all of them reached; a fold is a part."""
    steps = sorted(set.intersection(*(set(fold.steps) for fold in found)))
    places = [[fold.steps.index(step) for step in steps] for fold in found]
    sizes = [fold.losses.shape[1] for fold in found]
    return _Measured(
        steps,
        np.concatenate([fold.losses[at] for fold, at in zip(found, places, strict=True)], axis=1),
        np.concatenate([fold.squares[at] for fold, at in zip(found, places, strict=True)], axis=1),
        float(np.average([fold.pca_error for fold in found], weights=sizes)),
        np.repeat(np.arange(len(found)), sizes),
    )


def _pooled_curve(n_components: int, found: list[_Fold], steps: list[int]) -> SizeCurve | None:
    """Return the size curve over the rows of all folds, each at a step of its own."""
    pca_curves = [fold.pca_curve for fold in found if fold.pca_curve is not None]
    if not pca_curves:
        return None
    sizes = [fold.measured.losses.shape[1] for fold in found]
    curves = [fold.curves_at[step] for fold, step in zip(found, steps, strict=True)]
    mean, pca_mean = (np.average(part, axis=0, weights=sizes) for part in (curves, pca_curves))
    return size_curve(n_components, mean, pca_mean)


def _leaves_start(request: Request, choice: Choice, curve: SizeCurve | None) -> bool:
    """Tell whether the chosen state is to be kept in place of the start."""
    if request.params["init"] != "pca":
        return True
    if curve is not None and request.explained is not None:
        ours, pca = (curve.smallest(request.explained, pca=pca) for pca in (False, True))
        if pca is not None and (ours is None or ours > pca):
            return False
    return choice.leaves_start


def _repeat(request: Request, outcome: Outcome) -> bool:
    """Repeat what won, as many steps, from the PCA of all rows, where rows are few.

    Tells whether the outcome now holds the result.
    """
    plan = request.plan
    if outcome.interrupted is not None or not plan.may_repeat:
        return False
    runs: list[Run] = []

    def again() -> None:
        runs.append(Run(request, _NO_ROWS, plan.n_runs))
        runs[0].train(outcome.best_step)

    _caught(outcome, again)
    run = runs[0] if runs else None
    whole = run is not None and not run.diverged and run.state.step == outcome.best_step
    if outcome.interrupted is not None or run is None or not whole:
        outcome.ended = outcome.ended if run is None else run.ended
        return False
    outcome.net, outcome.pca, outcome.saw_all = run.state.result, run.pca, True
    return True
