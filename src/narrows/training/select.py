"""Which model a fit returns: start at PCA, train, and leave PCA only for a gain that stands out.

Where rows are many, one part is held out and the best state on it is kept. Where rows are few, the
number of steps is chosen by cross-fitting: each fold starts at the PCA of its own rows, so every
row is held out once. What won is repeated from the PCA of all rows where that is cheap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from narrows.linear.pca import PrincipalComponents
from narrows.linear.scaling import Scaling
from narrows.networks import Autoencoding, converted, is_finite
from narrows.objectives import Batch
from narrows.objectives.ordered import SizeCurve, size_curve
from narrows.sources.array import ArraySource
from narrows.sources.split import folds, held_out_rows
from narrows.training.batches import ScaledRows
from narrows.training.held_out import DATA, NETWORK, Errors, Interval, find_neighbors, scaled_bounds
from narrows.training.loop import HistoryRow, Pace, StepRule, TrainingState, train
from narrows.training.plan import Plan
from narrows.training.run import Request, Run, starting_point
from narrows.training.start import pca_in_units_of

RELATIVE_STANDARD_ERRORS = 4.0
ABSOLUTE_STANDARD_ERRORS = 0.5
"""Standard errors by which mean gains must lie above zero: relative ones, and plain ones."""
PLAIN_STANDARD_ERRORS = 2.0
"""The same for plain gains where nothing is relative: a loss in nats, or one below zero."""
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
        Held-out mean squared errors in data units, from runs that never saw those rows.
    curve : SizeCurve or None
        Held-out errors of every prefix of ordered codes.
    interrupted : KeyboardInterrupt or None
        To be raised again once the model is in place.
    """

    net: Autoencoding
    pca: PrincipalComponents
    n_steps: int = 1
    best_step: int = 0
    history: list[HistoryRow] = field(default_factory=list)
    validation_error: float = math.nan
    pca_validation_error: float = math.nan
    curve: SizeCurve | None = None
    interrupted: KeyboardInterrupt | None = None


def fit_model(request: Request) -> Outcome:
    """Find the model for a request, as the module's docstring tells.

    A `KeyboardInterrupt` after the first PCA is caught and handed on in the outcome, which then
    holds the best state so far.
    """
    if request.plan.n_folds:
        outcome = Outcome(*_fallback(request))
        try:
            _cross_fit(request, outcome)
        except KeyboardInterrupt as interrupt:
            outcome.interrupted = interrupt
        return outcome
    plan = request.plan
    run = Run(request, held_out_rows(plan.n_rows, plan.n_held_out, plan.seed), 1)
    outcome = Outcome(run.fallback_net, run.pca)
    try:
        run.train()
    except KeyboardInterrupt as interrupt:
        outcome.interrupted = interrupt
    try:
        _hold_out(run, outcome)
    except KeyboardInterrupt as interrupt:
        outcome.interrupted = interrupt
    return outcome


def _hold_out(run: Run, outcome: Outcome) -> None:
    """Take the state of a single run that is to be kept, and go on from its held-out errors."""
    keep_best = run.request.params["keep"] == "best" and run.held_out is not None
    if keep_best or run.diverged:
        run.restore_best()
    at_start = run.diverged and run.best_step == 0
    outcome.net = run.fallback_net if at_start else run.state.result
    outcome.n_steps = run.n_steps
    outcome.best_step = run.best_step if keep_best or run.diverged else run.state.step
    outcome.history, outcome.pca_validation_error = run.state.history, run.pca_error
    if run.held_out is None or not run.errors_at:
        return
    request, n_components = run.request, run.plan.n_components
    if run.pca_curve is not None:
        curve = run.held_out.curve(outcome.net)
        outcome.curve = size_curve(n_components, curve, run.pca_curve)
    if not keep_best and not run.diverged:
        errors = run.held_out.errors(outcome.net)
        outcome.validation_error = float(errors[:, DATA].mean())
        return
    errors = run.errors_at[run.best_step]
    outcome.validation_error = float(errors[:, DATA].mean())
    if _leaves_start(request, run.errors_at[0], errors, outcome.curve):
        _repeat(request, outcome)
        return
    _return_to_start(outcome, run.errors_at[0])
    if run.pca_curve is not None:
        start_curve = run.held_out.curve(
            converted(run.fallback_net, torch.float32).to(run.plan.device)
        )
        outcome.curve = size_curve(n_components, start_curve, run.pca_curve)
    outcome.net, outcome.pca = _fallback(request)


def _fallback(request: Request) -> tuple[Autoencoding, PrincipalComponents]:
    """Return what is kept where training gained nothing: where it started, for all rows."""
    return starting_point(request, request.source, fallback=True)


class _Fold(NamedTuple):
    """What a fold measured on the rows that it left out."""

    share: float
    pca_error: float
    errors_at: dict[int, Errors]
    curves_at: dict[int, Errors]
    pca_curve: Errors | None


def _cross_fit(request: Request, outcome: Outcome) -> None:
    """Choose between PCA and a number of steps by errors on rows that each fold left out."""
    plan = request.plan
    found: list[_Fold] = []
    for number, held in enumerate(folds(plan.n_rows, plan.n_folds, plan.seed), start=1):
        run = Run(request, held, number)
        run.train()
        request = run.request  # the first fold has fixed the number of steps
        share = len(held) / plan.n_rows
        found.append(_Fold(share, run.pca_error, run.errors_at, run.curves_at, run.pca_curve))
        outcome.history = outcome.history or run.state.history
        outcome.n_steps = run.n_steps
    steps = sorted(set.intersection(*(set(fold.errors_at) for fold in found)))
    pooled = {step: np.concatenate([fold.errors_at[step] for fold in found]) for step in steps}
    best = min(steps, key=lambda step: float(pooled[step][:, NETWORK].mean()))
    outcome.pca_validation_error = sum(fold.share * fold.pca_error for fold in found)
    _return_to_start(outcome, pooled[0])
    outcome.curve = _pooled_curve(found, 0, plan.n_components)
    curve = _pooled_curve(found, best, plan.n_components)
    if _leaves_start(request, pooled[0], pooled[best], curve):
        start_curve = outcome.curve
        outcome.best_step, outcome.validation_error = best, float(pooled[best][:, DATA].mean())
        outcome.curve = curve
        if not _repeat(request, outcome):
            _return_to_start(outcome, pooled[0])  # folds leave no other model behind
            outcome.curve = start_curve


def _pooled_curve(found: list[_Fold], step: int, n_components: int) -> SizeCurve | None:
    """Return the curve at a step over the rows of all folds, where there is one."""
    shares = [fold.share for fold in found]
    pca_curves = [fold.pca_curve for fold in found if fold.pca_curve is not None]
    if not pca_curves:
        return None
    errors = np.average([fold.curves_at[step] for fold in found], axis=0, weights=shares)
    return size_curve(n_components, errors, np.average(pca_curves, axis=0, weights=shares))


def _leaves_start(
    request: Request, start_errors: Errors, errors: Errors, curve: SizeCurve | None
) -> bool:
    """Tell whether a state is to be kept in place of the start."""
    if request.params["init"] != "pca":
        return True
    if curve is not None and request.explained is not None:
        ours, pca = (curve.smallest(request.explained, pca=pca) for pca in (False, True))
        if pca is not None and (ours is None or ours > pca):
            return False
    absolute = request.plan.objective.absolute_gains
    return stands_out(start_errors[:, NETWORK], errors[:, NETWORK], absolute=absolute)


def _return_to_start(outcome: Outcome, start_errors: Errors) -> None:
    error, pca_error = float(start_errors[:, DATA].mean()), outcome.pca_validation_error
    same = math.isclose(error, pca_error, rel_tol=SAME_ERROR)  # where the family starts as PCA
    outcome.best_step, outcome.validation_error = 0, pca_error if same else error


def _repeat(request: Request, outcome: Outcome) -> bool:
    """Repeat what won, as many steps, from the PCA of all rows, where rows are few.

    Tells whether the outcome now holds the result.
    """
    plan = request.plan
    if outcome.interrupted is not None or not plan.may_repeat:
        return False
    run = None
    try:
        run = Run(request, np.zeros(0, dtype=np.int64), plan.n_runs)
        run.train(outcome.best_step)
    except KeyboardInterrupt as interrupt:
        outcome.interrupted = interrupt
    whole = run is not None and not run.diverged and run.state.step == outcome.best_step
    if outcome.interrupted is not None or run is None or not whole:
        return False
    outcome.net, outcome.pca = run.state.result, run.pca
    return True


def stands_out(before: Errors, after: Errors, *, absolute: bool = False) -> bool:
    """Tell whether errors (N,) of held-out rows have really become smaller, row by row.

    The mean of the relative gains ``(before − after) / (before + after)`` must lie four standard
    errors above zero, and the mean of the plain gains half a one. Plain gains alone would let a
    single far-off row drown the evidence of all others, or make it up. Where losses have no natural
    zero (``absolute``, or one is negative), the plain gain must lie two standard errors above zero.
    """
    if len(before) < 2:
        return False
    gain, total = before - after, before + after
    if absolute or before.min() < 0 or after.min() < 0:
        return _lies_above_zero(gain, PLAIN_STANDARD_ERRORS)
    relative = np.divide(gain, total, out=np.zeros_like(gain), where=total > 0)
    return _lies_above_zero(relative, RELATIVE_STANDARD_ERRORS) and _lies_above_zero(
        gain, ABSOLUTE_STANDARD_ERRORS
    )


def _lies_above_zero(values: Errors, standard_errors: float) -> bool:
    standard_error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()) > max(standard_errors * standard_error, 0.0)


def train_on(
    state: TrainingState,
    source: ArraySource,
    scaling: Scaling,
    bounds: Interval | None,
    plan: Plan,
) -> bool:
    """Pass once over rows in their order at a constant learning rate; tell whether it went well.

    Parameters
    ----------
    state : TrainingState
        Changed in place.
    source : ArraySource
    scaling : Scaling
    bounds : (float, float) or None
        In data units.
    plan : Plan
    """
    state.net.to(plan.device)
    # What rises over a run, such as the weight of a KL term, has risen in the first pass.
    begun, until = state.step, state.step + plan.steps_per_epoch
    rows = ScaledRows(source, scaling, plan.dtype, plan.device)
    if plan.n_neighbors:
        find_neighbors(rows, pca_in_units_of(source, scaling, plan), plan, state.net.encoder)
    ends = scaled_bounds(bounds, rows, plan.network)
    rule = StepRule(
        plan.objective,
        ends,
        plan.dtype,
        plan.learning_rate,
        "constant",
        n_warm_up=0,
        n_components=plan.n_components,
        seed=plan.seed,
    )

    def in_order(epoch: int) -> Iterator[Batch]:
        return rows.batches(plan.batch_size, seed=plan.seed, epoch=epoch, shuffle=False)

    train(state, in_order, rule, Pace(begun or until, until))
    return is_finite(state.net)
