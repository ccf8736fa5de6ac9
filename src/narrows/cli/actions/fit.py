"""The verb ``fit``, and the training that ``size`` and ``map`` share with it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import typer
from numpy.typing import NDArray

from narrows.cli.exit import INTERRUPTED, complain, expected_failures
from narrows.cli.model_files import save
from narrows.cli.model_lines import (
    error_lines,
    loss_lines,
    movement_lines,
    size_lines,
    start_lines,
    step_lines,
)
from narrows.cli.print import err, say, say_pairs
from narrows.common.limits import is_integer
from narrows.common.text import in_bytes, in_seconds
from narrows.errors import DataError, ParameterError
from narrows.estimator import load
from narrows.linear.neighbors import is_exact
from narrows.model.parts import named_part
from narrows.model.sampling import check_prior_name
from narrows.sources import inputs
from narrows.sources.array import ArraySource
from narrows.sources.labels import read_labels
from narrows.sources.open import Table, read_table
from narrows.training.align import aligned_params
from narrows.training.cost import estimate_seconds
from narrows.training.make_plan import make_plan
from narrows.training.plan import Plan
from narrows.training.start import with_code_size
from narrows.training.telling import told

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder


def fit_to_file(
    ae: Autoencoder,
    data: str,
    out: str,
    *,
    labels: str | None = None,
    priors: Sequence[str] = (),
    align_to: str | None = None,
) -> None:
    """Read DATA, print the plan, train, save, print a summary.

    Parameters
    ----------
    ae : Autoencoder
        Not fitted, its parameters checked.
    data : str
    out : str
        Model file, checked to be writable.
    labels : str, optional
        File with one class per row; MNIST's own by default.
    priors : sequence of str
        Priors to fit to the codes of training rows, besides the normal one.
    align_to : str, optional
        Model file to start from.

    Raises
    ------
    ParameterError
        For labels that the objective does not use, or an unknown prior.
    DataError
        Where the objective learns from classes and there are none.
    typer.Exit
        With 130 after Ctrl-C; the best state so far is then saved. With 1 as `save`.
    """
    for prior in priors:
        check_prior_name(prior)
    interrupted, started = learn(ae, data, labels=labels, align_to=align_to)
    with contextlib.suppress(KeyboardInterrupt):
        for prior in () if interrupted else dict.fromkeys(priors):
            complain(f"fitting a {prior} prior to codes")
            ae.fit_prior(prior)
    seconds = time.perf_counter() - started
    written = save(ae, out)
    repeats = ""
    timed = ae.max_seconds is not None and ae.random_state is not None
    if timed and ae.model_.record.repeatable and not interrupted:
        repeats = f"; --max-steps {ae.n_steps_} repeats this model"
    ((steps, words),) = step_lines(ae)
    pairs = [
        *size_lines(ae),
        *error_lines(ae),
        *movement_lines(ae),
        *loss_lines(ae),
        (steps, words + repeats),
        ("priors", ", ".join(ae.priors_)),
        *start_lines(ae),
        ("time", in_seconds(seconds)),
        ("file", f"{written} ({in_bytes(written.stat().st_size)})"),
    ]
    say_pairs(pairs, title="result")
    if interrupted or not {*priors} <= {*ae.priors_}:
        lacks = "the best state so far is saved" if interrupted else "not all priors are"
        complain(f"Interrupted; {lacks} in {written}.")
        raise typer.Exit(INTERRUPTED)
    say(f"Next: narrows evaluate {written} DATA, with rows that it never saw.")


def learn(
    ae: Autoencoder,
    data: str,
    *,
    table: Table | None = None,
    labels: str | None = None,
    align_to: str | None = None,
) -> tuple[bool, float]:
    """Read DATA, print the plan, train; return whether Ctrl-C ended it, and when training began.

    Parameters and errors as for `fit_to_file`; ``table`` is DATA where it has been read already.
    `typer.Exit` where Ctrl-C came before there was a model.
    """
    origin = None if align_to is None else load(align_to)
    table = table or read_table(data)
    y = _classes(ae, table, labels, data)
    with expected_failures(data):
        plan = _plan(ae, table, y, origin)
    say_pairs(_plan_lines(ae, plan, table), title=f"fit {data}")
    started, interrupted = time.perf_counter(), False
    try:
        # With --set verbose the estimator itself tells.
        with expected_failures(data), told(0 if ae.verbose else 1, err()) as watching:
            callbacks, ae.callbacks = ae.callbacks, (*ae.callbacks, *watching)
            try:
                ae.fit(table.frame(), y, align_to=origin)
            finally:
                ae.callbacks = callbacks
    except KeyboardInterrupt:
        interrupted = True
    if not hasattr(ae, "network_"):
        complain("Interrupted before there was a state to save; nothing was written.")
        raise typer.Exit(INTERRUPTED)
    return interrupted, started


def _classes(ae: Autoencoder, table: Table, labels: str | None, data: str) -> NDArray[Any] | None:
    """Return one class per row where the objective learns from classes."""
    objective = named_part("objective", ae.objective)
    if not objective.needs.classes:
        if labels is not None:
            raise ParameterError(
                f"--labels was given, but the objective {objective!r} learns without classes; leave"
                " --labels out, or choose one that uses them: --objective vae --set"
                " objective__conditional=true."
            )
        return None
    if labels is not None:
        return read_labels(labels, len(table.values))
    if table.labels is None:
        raise DataError(
            f"The objective {objective!r} learns from classes, and {data} brings none; give one"
            " label per row with --labels FILE."
        )
    return table.labels


def _plan(
    ae: Autoencoder, table: Table, y: NDArray[Any] | None, origin: Autoencoder | None
) -> Plan:
    """Return the plan that `fit` will make."""
    shape = table.values.shape[1:]
    counts = [] if y is None else np.unique(y, return_counts=True)[1].tolist()
    params = ae.get_params(deep=False)
    if origin is not None:
        params = aligned_params(params, origin)
    if not is_integer(ae.n_components):
        rows = inputs.rows_of(ae, table.frame(), reset=True, least=2)[0]
        params, _ = with_code_size(params, ArraySource(rows), seed=0)
    return make_plan(
        params,
        len(table.values),
        math.prod(shape),
        seed=0,
        sample_shape=tuple(ae.sample_shape or shape),
        class_shares=tuple(count / len(table.values) for count in counts),
    )


def _plan_lines(ae: Autoencoder, plan: Plan, table: Table) -> list[tuple[str, str]]:
    """Return the plan as lines of a name and a value with its unit."""
    seconds = estimate_seconds(plan, ae.max_seconds)
    held_out = f"{plan.split.n_held_out:,} held out" if plan.split.n_held_out else "none held out"
    if plan.split.n_folds:
        held_out = f"each held out once, in {plan.split.n_folds} folds"
    n_classes = len(plan.widths.class_shares)
    data_size, dtype = in_bytes(table.values.nbytes), str(plan.dtype).removeprefix("torch.")
    return [
        ("rows", f"{plan.n_rows:,} ({held_out})"),
        ("features", f"{plan.n_features:,} → {_code_words(ae, plan)} → {plan.n_features:,}"),
        *([("classes", f"{n_classes:,}")] if n_classes else []),
        ("parameters", f"{plan.n_parameters:,}"),
        *([("neighbours", _neighbor_words(plan))] if plan.n_neighbors else []),
        ("steps", f"{_step_words(plan)}, of {plan.batch_size:,} rows each"),
        ("memory", f"about {in_bytes(plan.memory)} beside the data ({data_size})"),
        ("time", f"about {in_seconds(seconds)} on {plan.device} in {dtype}"),
    ]


def _code_words(ae: Autoencoder, plan: Plan) -> str:
    """Return the size of a code, or its limit where `fit` chooses it."""
    if is_integer(ae.n_components):
        return f"{plan.n_components}"
    share = f"{100 * ae.n_components:g} % of the variance"
    return f"as few as explain {share}, at most {plan.n_components}"


def _step_words(plan: Plan) -> str:
    """Return the number of steps, or what decides it."""
    if plan.n_steps is None:
        return "as many as fit the time"
    may_end = plan.split.n_held_out and plan.patience < len(plan.evaluation_steps(plan.n_steps))
    return f"at most {plan.n_steps:,}" if may_end else f"{plan.n_steps:,}"


def _neighbor_words(plan: Plan) -> str:
    """Return how neighbours are found, and the memory for them."""
    how = "exactly" if is_exact(plan.split.n_train_rows) else "by pynndescent"
    return f"{plan.n_neighbors} of each row, found {how} in about {in_bytes(plan.graph_memory)}"
