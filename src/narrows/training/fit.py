"""From parameters and checked rows to a model: what `Autoencoder.fit` and `partial_fit` do.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from narrows.common.limits import is_integer
from narrows.common.seeds import seed_of
from narrows.common.warn import warn
from narrows.errors import DataError, ParameterError
from narrows.linear.pca import PrincipalComponents
from narrows.model.diagnosis import diagnose, rows_to_show
from narrows.model.fitted import Record
from narrows.model.model import Model
from narrows.networks import converted, is_finite, on_cpu
from narrows.objectives import Batch
from narrows.sources import inputs
from narrows.sources.array import ArraySource
from narrows.sources.protocol import Source
from narrows.training import align
from narrows.training.afterwards import RowsAfterwards, trust_of, with_codes
from narrows.training.batches import ScaledRows
from narrows.training.cost import shortage
from narrows.training.data import Data
from narrows.training.deadline import Deadline
from narrows.training.held_out import find_neighbors, scaled_bounds
from narrows.training.loop import TrainingState, start_training, train
from narrows.training.make_plan import make_plan
from narrows.training.member import Request
from narrows.training.pace import Pace
from narrows.training.parameters import described
from narrows.training.plan import Plan
from narrows.training.run import step_rule
from narrows.training.select import Outcome, fit_model
from narrows.training.silent import (
    LINEAR,
    is_open,
    network_to_train,
    with_layers,
    without_silent_layers,
)
from narrows.training.start import pca_in_units_of, start, with_code_size
from narrows.training.threads import Threads


@dataclass
class Fit:
    """A model, and what is to be said of it.

    Attributes
    ----------
    model : Model
    complaints : list of str
        Sentences to warn of.
    interrupted : KeyboardInterrupt or None
        To be raised again once the model is in place.
    """

    model: Model
    complaints: list[str] = field(default_factory=list)
    interrupted: KeyboardInterrupt | None = None


def fit(
    data: Data,
    params: Mapping[str, Any],
    deadline: Deadline | None = None,
    origin: Model | None = None,
) -> Fit:
    """Find the model of some rows.

    Parameters
    ----------
    data : Data
    params : mapping
        The parameters of an `Autoencoder`, checked.
    deadline : Deadline, optional
    origin : Model, optional
        An earlier model, which training starts from in place of PCA.

    Raises
    ------
    ParameterError
        Where parameters do not fit the rows, each other or ``origin``.
    """
    seed = seed_of(params["random_state"])
    source = ArraySource(data.X, y=data.numbers)
    wanted = dict(params) if origin is None else align.aligned_params(dict(params), origin)
    wanted, explained = with_code_size(wanted, source, seed)
    plan = _plan(data, wanted, seed)
    if origin is not None:
        origin = with_layers(origin, plan, params)
        align.check_same_kind(origin, plan, wanted, data.names, data.classes)
        if params["learning_rate"] == "auto":
            plan = replace(plan, learning_rate=align.ALIGNED_RATE * plan.learning_rate)
    if explained is not None and not plan.split.holds_out:
        raise ParameterError(
            f"`n_components`={explained:g} is judged by held-out rows, and"
            " validation_fraction=0 leaves none. Give a fraction above 0, or a number of"
            " components."
        )
    said = None if deadline is None or origin is not None else shortage(plan, deadline.seconds)
    if said is not None:
        warn(said)
        if is_open(params["network"]) and params["init"] == "pca":
            plan = _plan(data, {**wanted, "network": LINEAR}, seed)  # nothing beside PCA
    bounds = inputs.choose_bounds(params["bounds"], data.X)
    threads = _threads(params["n_threads"], plan)
    with threads.in_use():
        start_net = None if origin is None else origin.net
        rows = RowsAfterwards.within(params["max_seconds"])
        request = Request(
            source, plan, wanted, bounds, deadline, explained, start_net, threads, rows
        )
        outcome = fit_model(request)
        if outcome.best_step == 0 and origin is None:
            outcome.net, plan = without_silent_layers(outcome.net, plan, params)
        complaints = _shorten(outcome, explained)
        if outcome.ended == "late" and not outcome.history and said is None:
            complaints.append(
                f"max_seconds={params['max_seconds']:g} was over before a network could be trained,"
                " so the model is the start, PCA by default. Give more seconds, or fewer rows."
            )
        model = _model(outcome, plan, data, bounds, params, threads.n)
        result = Fit(model, complaints, outcome.interrupted)
        try:
            _add_codes_and_trust(result, request, outcome, origin)
        except KeyboardInterrupt as interrupt:  # the model stands
            result.interrupted = interrupt
    if params["scaling"] != "standard" and not data.came_shaped:
        moments = result.model.column_moments()
        result.complaints += inputs.dominant_columns(moments[1], data.names)
    return result


def _add_codes_and_trust(
    result: Fit, request: Request, outcome: Outcome, origin: Model | None
) -> None:
    """Encode training rows: for priors, for trust, and to see whether all went well."""
    source, plan, rows = request.source, request.plan, request.rows_afterwards
    if origin is not None:
        moved = align.movement(origin, result.model, source)
        result.model = result.model.changed(movement=moved)
    result.model, codes = with_codes(result.model, source, plan.seed, rows)
    scale = trust_of(result.model, source, rows)
    result.model = result.model.changed(trust_scale=scale)
    if outcome.interrupted is None:
        shown = source.take(rows_to_show(source.n_rows, source.n_features))
        model, rate = result.model, plan.learning_rate
        result.complaints += diagnose(plan.objective, model.net, shown, codes, model.pca, rate)


def _plan(data: Data, params: dict[str, Any], seed: int, *, partial: bool = False) -> Plan:
    return make_plan(
        params,
        len(data.X),
        data.X.shape[1],
        seed,
        sample_shape=data.sample_shape,
        class_shares=data.class_shares,
        partial=partial,
    )


def _threads(asked: Any, plan: Plan) -> Threads:
    """Return the numbers of threads that a run may choose from.

    More than one only where they are known to give the same bits.
    """
    most = plan.threads(torch.get_num_threads()) if asked == "auto" else int(asked)
    same_bits = (plan.dtype, plan.device.type) == (torch.float32, "cpu")
    if asked != "auto" or not same_bits or not torch.backends.mkl.is_available():
        return Threads(most)
    return Threads(*dict.fromkeys((most, max(most - 1, 1), max(most // 2, 1), 1)))


def _shorten(outcome: Outcome, explained: float | None) -> list[str]:
    """Cut codes, in the outcome, to the smallest that explain enough; return complaints."""
    curve = outcome.curve
    if curve is None or explained is None:
        return []
    size = curve.smallest(explained)
    if size is None:
        most = int(curve.n_components[-1])
        return [
            f"{most} numbers explain {curve.explained[-1]:.4g} of the variance of held-out rows,"
            f" less than the {explained:g} asked for; these rows are not enough to learn more. The"
            " model has all of them."
        ]
    place = int(np.searchsorted(curve.n_components, size))
    outcome.validation_error = float(curve.error[place])
    outcome.pca_validation_error = float(curve.pca_error[place])
    outcome.n_components = size
    return []


def _model(
    outcome: Outcome,
    plan: Plan,
    data: Data,
    bounds: tuple[float, float] | None,
    params: Mapping[str, Any],
    n_threads: int,
) -> Model:
    """Put a model together from what a fit gave."""
    n_components = outcome.n_components or plan.n_components
    # Of the columns as the PCA has them: errors are reported in the same unit.
    variance = float(outcome.pca.variances_.mean())
    record = Record(
        n_steps=outcome.n_steps,
        best_step=outcome.best_step,
        history=tuple(outcome.history),
        validation_error=outcome.validation_error,
        pca_validation_error=outcome.pca_validation_error,
        explained_variance_ratio=1 - outcome.validation_error / variance if variance > 0 else 0.0,
        device=str(plan.device),
        precision=str(plan.dtype).removeprefix("torch."),
        n_threads=n_threads,
        ended=outcome.ended,
        split=plan.split,
        saw_all=outcome.saw_all,
    )
    return Model(
        net=on_cpu(outcome.net).eval(),
        architecture=plan.network,
        objective=plan.objective,
        n_components=n_components,
        sample_shape=data.sample_shape,
        pca=outcome.pca.first(n_components),
        came_shaped=data.came_shaped,
        bounds=bounds,
        feature_names=data.names,
        classes=data.classes,
        prior_seed=plan.seed,
        size_curve=outcome.curve,
        record=record,
        params=described(params),
    )


# ------------------------------------------------------------------------ partial_fit


def plan_params(model: Model | None, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a pass: those of the model where there is one.

    Raises
    ------
    ParameterError
        For a fraction as ``n_components`` in the first call.
    """
    if model is not None:
        return {
            **params,
            "n_components": model.code_size,
            "network": network_to_train(model, params),
            "objective": model.objective,
            "ordered": model.ordered,
        }
    if not is_integer(params["n_components"]):
        raise ParameterError(
            f"`n_components`={params['n_components']:g} is judged by held-out rows, and partial_fit"
            " holds none out. Give a number of components, or use fit."
        )
    return dict(params)


def partial_fit(
    data: Data, params: Mapping[str, Any], model: Model | None, state: TrainingState | None
) -> tuple[Model, TrainingState]:
    """Train on through all rows once, in the order given.

    Parameters
    ----------
    data : Data
    params : mapping
        The parameters of an `Autoencoder`, checked.
    model : Model or None
        None in the first call.
    state : TrainingState or None
        Of the call before; None after `fit` and `load`.

    Raises
    ------
    DataError
        Where the first rows vary in fewer directions than a code has numbers, or where training
        diverges.
    ParameterError
    """
    seed = seed_of(params["random_state"])
    wanted = plan_params(model, params)
    plan = _plan(data, wanted, seed, partial=True)
    source = ArraySource(data.X, y=data.numbers)
    threads = _threads(params["n_threads"], plan)
    with threads.in_use():
        first = model is None
        if model is None:
            bounds = inputs.choose_bounds(params["bounds"], data.X)
            net, pca = start(source, wanted, plan, bounds)
            _check_directions(pca, plan)
            begun = Outcome(net, pca, n_steps=0)
            model = _model(begun, plan, data, bounds, params, threads.n)
        model = with_layers(model, plan, params)
        if state is None or state.made_for != (plan.device, plan.optimizer):
            state = _resumed(model, plan)
        if not _pass_once(state, source, model, plan):
            raise DataError(
                "Training diverged on these rows, so the model is left as it was. Use a smaller"
                f" learning_rate than {plan.learning_rate:g}, or look for far-off values."
            )
        n_steps = model.record.n_steps + plan.steps_per_epoch
        record = Record(
            n_steps=n_steps,
            best_step=n_steps,
            history=(*model.record.history, state.history[-1]),
            device=str(plan.device),
            precision=str(plan.dtype).removeprefix("torch."),
            n_threads=threads.n,
            ended="steps",
        )
        trained = model.changed(
            net=on_cpu(state.net).eval(),
            record=record,
            size_curve=None,
            movement=None,
            trust_scale=None,
        )
        return with_codes(trained, source, seed, RowsAfterwards(), further=not first)[0], state


def _check_directions(pca: PrincipalComponents, plan: Plan) -> None:
    """Refuse first rows that vary in fewer directions than a code has numbers."""
    # Cells of large pictures share their directions, so that there are fewer than numbers.
    needed = min(plan.n_components, plan.n_features, len(pca.components_))
    found = pca.n_directions
    if found < needed:
        raise DataError(
            f"The first call of partial_fit sets scaling and PCA for good, and its {plan.n_rows}"
            f" rows vary in {found} directions, fewer than the {needed} numbers of a code. Pass"
            f" more and more varied rows in the first call, or ask for n_components={found or 1}."
        )


def _resumed(model: Model, plan: Plan) -> TrainingState:
    """Begin to train on from a model as it is, with the optimizer's running means empty."""
    net = converted(model.net, torch.float32, plan.device)
    state = start_training(net, plan.optimizer, plan.schedule)
    state.made_for = plan.device, plan.optimizer
    if model.record.history:
        state.step = model.record.n_steps
        state.epoch = int(model.record.history[-1]["epoch"])
    return state


def _pass_once(state: TrainingState, source: Source, model: Model, plan: Plan) -> bool:
    """Pass over rows in their order at a constant learning rate; tell whether it went well."""
    scaling = model.net.scaling
    until = state.step + plan.steps_per_epoch
    rows = ScaledRows(source, scaling, plan.dtype, plan.device)
    if plan.n_neighbors:
        find_neighbors(rows, pca_in_units_of(source, scaling, plan), plan, state.net.encoder)
    rule = step_rule(plan, scaled_bounds(model.bounds, rows, plan.network))

    def in_order(epoch: int) -> Iterator[Batch]:
        return rows.batches(plan.batch_size, seed=plan.seed, epoch=epoch, shuffle=False)

    # What rises over a run, such as the weight of a KL term, has risen in the first pass.
    pace = Pace(plan.schedule, until=until, n_usual=plan.n_usual)
    train(state, in_order, rule, pace)
    return is_finite(state.net)
