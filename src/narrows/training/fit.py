"""`Autoencoder.fit` and `partial_fit`, from parameters and rows to a model that is kept.

A fit that fails leaves the estimator as it was.

Legend: N rows, D features.
"""

from __future__ import annotations

import contextlib
import copy
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from narrows.common.limits import is_integer
from narrows.common.seeds import seed_of
from narrows.errors import DataError, NarrowsWarning, ParameterError
from narrows.model.diagnosis import diagnose, rows_to_show
from narrows.networks import converted
from narrows.objectives.ordered import Ordered
from narrows.sources import inputs
from narrows.sources.array import ArraySource
from narrows.training import align, checking, remembering
from narrows.training.loop import start_training
from narrows.training.parameters import check_params
from narrows.training.plan import Plan, make_plan
from narrows.training.run import Request, print_epochs
from narrows.training.select import Outcome, fit_model, train_on
from narrows.training.start import start, with_code_size

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder


def fit(ae: Autoencoder, X: Any, y: Any, origin: Autoencoder | None = None) -> None:
    """Fit and warn, for `Autoencoder.fit`, which says what is raised."""
    started = time.perf_counter()
    check_params(ae)
    deadline = None if ae.max_seconds is None else started + float(ae.max_seconds)
    with _all_or_nothing(ae):
        interrupted, complaints = _fit(ae, X, y, deadline, origin)
    for complaint in complaints:
        warnings.warn(complaint, NarrowsWarning, stacklevel=3)
    if ae.scaling != "standard":
        names = getattr(ae, "feature_names_in_", None)
        inputs.warn_of_dominant_column(remembering.column_moments(ae)[1], names)
    if interrupted is not None:
        raise interrupted


def _fit(
    ae: Autoencoder, X: Any, y: Any, deadline: float | None, origin: Autoencoder | None
) -> tuple[KeyboardInterrupt | None, list[str]]:
    """Find a model and keep it; return what interrupted it, and sentences to warn of."""
    rows = checking.rows_of(ae, X, reset=True, least=2)
    classes = checking.classes_of(ae, y, len(rows), ae.objective)
    seed = seed_of(ae.random_state)
    source = ArraySource(rows, y=classes)
    params = ae.get_params(deep=False)
    if origin is not None:
        params = align.aligned_params(params, origin)
    params, explained = with_code_size(params, source, seed)
    plan = _plan(ae, params, rows, seed, classes)
    if origin is not None:
        align.check_same_kind(origin, ae, plan)
        if ae.learning_rate == "auto":
            plan = replace(plan, learning_rate=align.ALIGNED_RATE * plan.learning_rate)
    if explained is not None and not (plan.n_folds or plan.n_held_out):
        raise ParameterError(
            f"`n_components`={explained:g} is judged by held-out rows, and"
            " validation_fraction=0 leaves none. Give a fraction above 0, or a number of"
            " components."
        )
    bounds = inputs.choose_bounds(ae.bounds, rows)
    params["callbacks"] = [*ae.callbacks, *([print_epochs()] if ae.verbose else [])]
    with _threads(ae, plan):
        start_net = None if origin is None else origin.network_
        outcome = fit_model(Request(source, plan, params, bounds, deadline, explained, start_net))
        complaints = remembering.keep_model(ae, outcome, plan, bounds, explained)
        ae.__dict__.pop("movement_", None)
        ae._training, ae._codes, ae._trust, ae.priors_ = None, None, None, {}
        try:
            if origin is not None:
                ae.movement_ = align.movement(origin, ae, source)
            codes = remembering.keep_codes(ae, source, seed)
            remembering.keep_trust(ae, source, plan)
            if outcome.interrupted is None:
                shown = source.take(rows_to_show(source.n_rows, source.n_features))
                complaints += diagnose(
                    plan.objective, ae.network_, shown, codes, ae.pca_, plan.learning_rate
                )
        except KeyboardInterrupt as interrupt:  # the model stands
            outcome.interrupted = interrupt
    return outcome.interrupted, complaints


def partial_fit(ae: Autoencoder, X: Any, y: Any) -> None:
    """Pass once over rows, for `Autoencoder.partial_fit`, which says what is raised."""
    check_params(ae)
    with _all_or_nothing(ae):
        _partial_fit(ae, X, y)


def _partial_fit(ae: Autoencoder, X: Any, y: Any) -> None:
    first = not hasattr(ae, "network_")
    rows = checking.rows_of(ae, X, reset=first, least=2 if first else 1)
    params = ae.get_params(deep=False)
    if not first:
        params |= {
            "n_components": ae._code_size,
            "network": ae._network_part,
            "objective": ae._family,
            "ordered": isinstance(ae._objective, Ordered),
        }
    elif not is_integer(ae.n_components):
        raise ParameterError(
            f"`n_components`={ae.n_components:g} is judged by held-out rows, and partial_fit"
            " holds none out. Give a number of components, or use fit."
        )
    classes = checking.classes_of(ae, y, len(rows), params["objective"], known=not first)
    seed = seed_of(ae.random_state)
    plan = _plan(ae, params, rows, seed, classes, partial=True)
    source = ArraySource(rows, y=classes)
    with _threads(ae, plan):
        if first:
            bounds = inputs.choose_bounds(ae.bounds, rows)
            net, pca = start(source, params, plan, bounds)
            remembering.keep_model(ae, Outcome(net, pca, n_steps=0), plan, bounds)
        _continue(ae, source, plan)
        remembering.keep_codes(ae, source, seed, further=not first)


def _continue(ae: Autoencoder, source: ArraySource, plan: Plan) -> None:
    """Train on from the model as it is, through all rows once."""
    if ae._training is None:
        ae._training = start_training(
            converted(ae.network_, torch.float32), plan.optimizer, plan.schedule
        )
        if ae.history_:
            ae._training.step = ae.n_steps_
            ae._training.epoch = int(ae.history_[-1]["epoch"])
    state = ae._training
    if not train_on(state, source, ae.network_.scaling, ae.bounds_, plan):
        raise DataError(
            "Training diverged on these rows, so the model is left as it was. Use a smaller"
            f" learning_rate than {plan.learning_rate:g}, or look for far-off values."
        )
    ae.history_ = [*ae.history_, state.history[-1]]
    for name in ("size_curve_", "movement_"):
        ae.__dict__.pop(name, None)
    ae._trust = None
    ae.validation_error_ = ae.pca_validation_error_ = math.nan
    ae.explained_variance_ratio_ = np.float64(math.nan)
    ae.n_steps_ += plan.steps_per_epoch
    ae.best_step_ = ae.n_steps_
    remembering.keep_network(ae, copy.deepcopy(state.net).cpu())


def _plan(
    ae: Autoencoder,
    params: dict[str, Any],
    rows: NDArray[np.generic],
    seed: int,
    classes: NDArray[np.int64] | None,
    *,
    partial: bool = False,
) -> Plan:
    shares: tuple[float, ...] = ()
    if classes is not None and ae._classes is not None:
        counts = np.bincount(classes, minlength=len(ae._classes))
        shares = tuple((counts / len(classes)).tolist())
    return make_plan(
        params,
        len(rows),
        rows.shape[1],
        seed,
        sample_shape=ae.sample_shape_,
        class_shares=shares,
        partial=partial,
    )


@contextlib.contextmanager
def _all_or_nothing(ae: Autoencoder) -> Iterator[None]:
    """Undo whatever a fit that fails has set, so that an earlier model stands."""
    before = dict(ae.__dict__)
    try:
        yield
    except BaseException:
        ae.__dict__.clear()
        ae.__dict__.update(before)
        ae._training = None
        raise


@contextlib.contextmanager
def _threads(ae: Autoencoder, plan: Plan) -> Iterator[None]:
    """Use as many threads as the fit asks for, and restore torch's setting afterwards."""
    before = torch.get_num_threads()
    automatic = ae.n_threads == "auto"
    ae.n_threads_ = plan.threads(before) if automatic else int(ae.n_threads)
    torch.set_num_threads(ae.n_threads_)
    try:
        with threadpool_limits(ae.n_threads_, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
