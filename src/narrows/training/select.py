"""Which model a fit returns: start at PCA, train, and leave the start only for a gain.

Where rows are many, one part is held out. Where they are few, each fold is held out once, by a run
that starts at the PCA of the other rows. Either way a state is chosen on some held-out rows and
judged on others (`narrows.training.judge`). Below 10,000 rows the network that is returned has
learned from all rows: side by side with the others where they are small, else afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from narrows.linear.pca import PrincipalComponents
from narrows.model.fitted import HistoryRow
from narrows.model.size_curve import SizeCurve, size_curve
from narrows.networks import Autoencoding, converted
from narrows.sources.protocol import RowNumbers
from narrows.training.held_out import LOSS, SQUARES, Curve
from narrows.training.judge import Choice, choose, dealt
from narrows.training.member import Member, Request, starting_point
from narrows.training.run import Run
from narrows.training.silent import without_silent_layers

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
    ended: str = "steps"
    saw_all: bool = True
    interrupted: KeyboardInterrupt | None = None
    n_components: int | None = None


def fit_model(request: Request) -> Outcome:
    """Find the model for a request, as the module's docstring tells.

    A `KeyboardInterrupt` after the first PCA is caught and handed on in the outcome, which then
    holds the best state so far.
    """
    plan = request.plan
    held = plan.split.parts() or [_NO_ROWS]
    if plan.split.n_folds and not plan.side_by_side:
        outcome = Outcome(*_fallback(request))
        _caught(outcome, lambda: _train_folds(request, held, outcome))
        return outcome
    returned = Member(request, _NO_ROWS if plan.side_by_side else held[0])
    outcome = Outcome(returned.fallback_net, returned.pca)

    def train() -> None:
        others = [Member(request, rows) for rows in held] if plan.side_by_side else []
        _train(request, [*others, returned], outcome)

    _caught(outcome, train)
    return outcome


_NO_ROWS = np.zeros(0, dtype=np.int64)


def _caught(outcome: Outcome, work: Callable[[], object]) -> None:
    """Do a piece of work, and note in the outcome where it was interrupted."""
    try:
        work()
    except KeyboardInterrupt as interrupt:
        outcome.interrupted, outcome.ended = interrupt, "interrupted"


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
    def of(cls, member: Member) -> _Measured:
        """Return what was measured of a network at every step at which it was."""
        assert member.held_out is not None, "this network holds no rows out"
        steps = sorted(member.errors_at)
        losses = np.stack([member.errors_at[step][:, LOSS] for step in steps])
        squares = np.stack([member.squares_at(step) for step in steps])
        return cls(steps, losses, squares, member.pca_error, member.held_out.parts)

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


def _train(request: Request, members: list[Member], outcome: Outcome) -> None:
    """Train one network, or several side by side, and take the state of the last one."""
    run = Run(request, members, 1)
    _caught(outcome, run.train)
    if outcome.interrupted is not None:
        _caught(outcome, run.look)
    _finish(run, outcome)


def _finish(run: Run, outcome: Outcome, folds: Sequence[_Measured] = ()) -> None:
    """Take the best state of a run, or its last, into the outcome.

    What further ``folds`` measured helps to tell whether such a run gains over the start.
    """
    request, member = run.request, run.members[-1]
    judged = [each for each in run.members if each.errors_at]
    keep_best = request.params["keep"] == "best" and bool(judged)
    if keep_best or run.diverged:
        run.restore_best()
    at_start = run.diverged and run.best_step == 0
    outcome.net = member.fallback_net if at_start else run.nets()[-1]
    outcome.pca = member.pca
    outcome.n_steps, outcome.saw_all = run.n_steps, member.held_out is None
    outcome.best_step = run.best_step if keep_best or run.diverged else run.state.step
    outcome.history, outcome.pca_validation_error = run.state.history, run.pca_error
    if outcome.interrupted is None:
        outcome.ended = run.ended
    if keep_best or (run.diverged and judged):
        _judge(run, [*map(_Measured.of, judged), *folds], outcome)
    elif judged:  # nothing was chosen by these rows
        assert member.held_out is not None, "only one network is trained where the last is kept"
        errors = member.held_out.errors(outcome.net)
        outcome.validation_error = float(member.held_out.reported(errors[:, SQUARES]).mean())
        outcome.curve = _size_curve(member, outcome.net)


def _judge(run: Run, found: list[_Measured], outcome: Outcome) -> None:
    """Keep the state that was taken, or go back to the start, by what was measured."""
    request, member = replace(run.request, follows=run.follows), run.members[-1]
    measured = _pooled(found)
    choice = measured.choose(request)
    if choice.leaves_start or request.params["init"] != "pca":
        outcome.curve = _size_curve(member, outcome.net, _optimism(measured, choice))
    if _leaves_start(request, choice, outcome.curve):
        outcome.validation_error = float(choice.judged(measured.squares).mean())
        if run.plan.learns_from_all and not run.plan.side_by_side:
            if _has_time_for(request, member):
                _repeat(request, outcome)
            else:
                outcome.ended = "late"
        return
    outcome.best_step, outcome.validation_error, outcome.saw_all = 0, measured.start_error, True
    if member.measures_curve:
        bare, _ = without_silent_layers(member.fallback_net, run.plan, request.params)
        bare = converted(bare, torch.float32, run.plan.device)
        outcome.curve = _size_curve(member, bare)
    if member.held_out is None:
        outcome.net, outcome.pca = member.fallback_net, member.pca
    elif _has_time_for(request, member):
        outcome.net, outcome.pca = _fallback(request)
    else:
        outcome.net, outcome.pca = member.fallback_net, member.pca
        outcome.ended, outcome.saw_all = "late", False


def _has_time_for(request: Request, member: Member) -> bool:
    """Tell whether there is time left for another start like that of a network."""
    needed = member.setup_seconds + (request.follows or 0.0)
    return request.deadline is None or request.deadline.left > needed


def _fallback(request: Request) -> tuple[Autoencoding, PrincipalComponents]:
    """Return the model that is kept where training gained nothing, built from all rows."""
    return starting_point(request, request.source, fallback=True)


def _size_curve(member: Member, net: Autoencoding, factor: float = 1.0) -> SizeCurve | None:
    """Return the size curve of a network, its errors times a factor, where codes are ordered."""
    held_out, pca_curve = member.held_out, member.pca_curve
    if pca_curve is None or held_out is None:
        return None
    curves = held_out.reported(held_out.curve(net) * factor), held_out.reported(pca_curve)
    return size_curve(member.request.plan.n_components, *curves)


def _optimism(measured: _Measured, choice: Choice) -> float:
    """Return by which factor the judged error exceeds that on the rows that chose the state."""
    chosen = float(measured.squares[choice.best].mean())
    return float(choice.judged(measured.squares).mean()) / chosen if chosen > 0 else 1.0


class _Fold(NamedTuple):
    """What was measured on the rows of a fold; curves are in the unit that is reported."""

    measured: _Measured
    curves_at: dict[int, Curve]
    pca_curve: Curve | None

    @classmethod
    def of(cls, member: Member) -> _Fold:
        """Return what was measured of a network, so that the network itself can be forgotten."""
        held_out, pca_curve = member.held_out, member.pca_curve
        assert held_out is not None, "a fold holds rows out"
        curves_at = {step: held_out.reported(curve) for step, curve in member.curves_at.items()}
        if pca_curve is not None:
            pca_curve = held_out.reported(pca_curve)
        return cls(_Measured.of(member), curves_at, pca_curve)


def _train_folds(request: Request, held: list[RowNumbers], outcome: Outcome) -> None:
    """Choose between the start and a number of steps by errors on rows that each fold left out.

    Where time is over before all folds are done, or Ctrl-C comes, those that are done decide
    whether the network of the first is kept.
    """
    plan = request.plan
    found: list[_Fold] = []
    first: Run | None = None
    for number, rows in enumerate(held, start=1):
        if outcome.interrupted is not None:
            break
        if first is not None and not _has_time_for(request, first.members[0]):
            break
        member = Member(request, rows)
        run = Run(request, [member], number)
        _caught(outcome, run.train)
        if outcome.interrupted is not None and found:
            break
        if outcome.interrupted is not None:
            _caught(outcome, run.look)
        first = first or run
        request = replace(request, follows=run.follows)
        if run.ended == "budget":  # it has fixed the number of steps for all that follow
            request = replace(request, plan=replace(plan, n_steps=run.n_steps))
        found.append(_Fold.of(member))
        if run.ended == "late" and not run.state.step:
            break  # the others would have no time either
        outcome.history = outcome.history or run.state.history
        outcome.n_steps = max(run.n_steps, outcome.n_steps)
        outcome.ended = run.ended if run.ended not in ("steps", "patience") else outcome.ended
    if first is None:
        return
    if len(found) < len(held):
        _finish(first, outcome, [fold.measured for fold in found[1:]])
        if outcome.interrupted is None:
            outcome.ended = "late"
        return
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
        if not _repeat(request, outcome):
            first.restore_best()
            outcome.net, outcome.pca = first.nets()[-1], first.members[0].pca
            outcome.best_step, outcome.saw_all = first.best_step, False


def _pooled(found: list[_Measured]) -> _Measured:
    """Join what the folds measured at the steps that all of them reached; a fold is a part."""
    if len(found) == 1:
        return found[0]
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
    """Repeat what won, as many steps of the same schedule, from the PCA of all rows.

    Tells whether the outcome now holds the result.
    """
    runs: list[Run] = []
    request = replace(request, plan=replace(request.plan, n_steps=outcome.n_steps))

    def again() -> None:
        runs.append(Run(request, [Member(request, _NO_ROWS)], request.plan.n_runs))
        runs[0].train(outcome.best_step)

    if outcome.interrupted is not None:
        return False
    _caught(outcome, again)
    if outcome.interrupted is not None:
        return False
    (run,) = runs
    if run.diverged or run.state.step != outcome.best_step:
        outcome.ended = run.ended
        return False
    outcome.net, outcome.pca, outcome.saw_all = run.state.result, run.members[0].pca, True
    return True
