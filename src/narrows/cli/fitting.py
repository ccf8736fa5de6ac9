"""The verb ``fit``: a plan, a progress bar with PCA's error beside ours, a summary."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from narrows.cli.ending import INTERRUPTED, complain, expected_failures
from narrows.cli.printing import err, in_bytes, in_seconds, say, say_pairs
from narrows.common.limits import is_integer
from narrows.errors import DataError, ParameterError
from narrows.estimator import load
from narrows.linear.neighbors import is_exact
from narrows.model.parts import named_part
from narrows.model.sampling import check_prior_name
from narrows.objectives.ordered import loss_of
from narrows.objectives.shared.terms import is_plain, term_words
from narrows.sources import inputs
from narrows.sources.array import ArraySource
from narrows.sources.labels import read_labels
from narrows.sources.open import Table, read_table
from narrows.training.align import aligned_params
from narrows.training.cost import estimate_seconds
from narrows.training.plan import Plan, make_plan
from narrows.training.start import with_code_size

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder
    from narrows.training.progress import Progress as Seen

REFRESH_SECONDS = 0.1
"""Between two looks of the progress bar."""


def fit_to_file(
    ae: Autoencoder,
    data: str,
    target: Path,
    *,
    labels: str | None = None,
    priors: Sequence[str] = (),
    align_to: str | None = None,
) -> None:
    """Read DATA, print the plan, train, save, print what came of it.

    Parameters
    ----------
    ae : Autoencoder
        Not fitted, its parameters checked.
    data : str
    target : Path
        Checked to be writable.
    labels : str, optional
        File with one class per row; MNIST's own by default.
    priors : sequence of str
        What to fit to the codes of training rows, beside the normal prior.
    align_to : str, optional
        Model file to start from.

    Raises
    ------
    ParameterError
        For labels that the objective does not ask for, or an unknown prior.
    DataError
        Where the objective learns from classes and there are none.
    typer.Exit
        With 130 after Ctrl-C; the best state so far is then saved.
    """
    for prior in priors:
        check_prior_name(prior)
    interrupted, seconds = learn(ae, data, labels=labels, priors=priors, align_to=align_to)
    save(ae, target)
    say_pairs(_summary(ae, target, seconds), title="result")
    if interrupted:
        complain(f"Interrupted; the best state so far is saved in {target}.")
        raise typer.Exit(INTERRUPTED)
    say(f"Next: narrows evaluate {target} DATA, with rows that it never saw.")


def learn(
    ae: Autoencoder,
    data: str,
    *,
    table: Table | None = None,
    labels: str | None = None,
    priors: Sequence[str] = (),
    align_to: str | None = None,
) -> tuple[bool, float]:
    """Read DATA, print the plan, train; tell whether Ctrl-C cut it short, and the seconds it took.

    Parameters and errors as for `fit_to_file`; ``table`` is DATA where it has been read already.
    `typer.Exit` where there is no state to go on with.
    """
    origin = None if align_to is None else load(align_to)
    table = table or read_table(data)
    y = _classes(ae, table, labels, data)
    with expected_failures(data):
        plan = _plan(ae, table, y, origin)
    say_pairs(_plan_lines(ae, plan, table), title=f"fit {data}")
    started = time.perf_counter()
    interrupted = not (_fit(ae, table, y, data, origin) and _fit_priors(ae, priors))
    if interrupted and not hasattr(ae, "network_"):
        complain("Interrupted before there was a state to save; nothing was written.")
        raise typer.Exit(INTERRUPTED)
    return interrupted, time.perf_counter() - started


def save(ae: Autoencoder, target: Path) -> None:
    """Write a model, whatever Ctrl-C says meanwhile."""
    with _undisturbed():
        ae.save(target)


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
    """Plan as `fit` will, for the same shape of a row and shares of classes."""
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
    """Say what will be done, in numbers and units."""
    seconds = estimate_seconds(plan, ae.max_seconds)
    held_out = f"{plan.n_held_out:,} held out" if plan.n_held_out else "none held out"
    if plan.n_folds:
        held_out = f"each held out once, in {plan.n_folds} folds"
    steps = "as many as fit the time" if plan.n_steps is None else f"{plan.n_steps:,}"
    n_classes = len(plan.widths.class_shares)
    return [
        ("rows", f"{plan.n_rows:,} ({held_out})"),
        ("features", f"{plan.n_features:,} → {_code_words(ae, plan)} → {plan.n_features:,}"),
        *([("classes", f"{n_classes:,}")] if n_classes else []),
        ("parameters", f"{plan.n_parameters:,}"),
        *([("neighbours", _neighbor_words(plan))] if plan.n_neighbors else []),
        ("steps", f"{steps}, of {plan.batch_size:,} rows each"),
        ("memory", f"about {in_bytes(plan.memory)} beside the data ({_size(table)})"),
        ("time", f"about {in_seconds(seconds)} on {plan.device} in {_name(plan.dtype)}"),
    ]


def _code_words(ae: Autoencoder, plan: Plan) -> str:
    """Say how large a code will be, or at the most."""
    if is_integer(ae.n_components):
        return f"{plan.n_components}"
    share = f"{100 * ae.n_components:g} % of the variance"
    return f"as few as explain {share}, at most {plan.n_components}"


def _neighbor_words(plan: Plan) -> str:
    """Say how neighbours are found, and what memory that takes."""
    how = "exactly" if is_exact(plan.n_train_rows) else "by pynndescent"
    return f"{plan.n_neighbors} of each row, found {how} in about {in_bytes(plan.graph_memory)}"


def _size(table: Table) -> str:
    return in_bytes(table.values.nbytes)


def _name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")


def _fit(
    ae: Autoencoder,
    table: Table,
    y: NDArray[Any] | None,
    data: str,
    origin: Autoencoder | None,
) -> bool:
    """Train, showing progress; return False after Ctrl-C."""
    console = err()
    try:
        with expected_failures(data), _watched(ae, console):
            ae.fit(table.frame(), y, align_to=origin)
    except KeyboardInterrupt:
        return False
    return True


def _fit_priors(ae: Autoencoder, priors: Sequence[str]) -> bool:
    """Fit priors to codes, saying so; return False after Ctrl-C."""
    try:
        for prior in dict.fromkeys(priors):
            complain(f"fitting a {prior} prior to codes")
            ae.fit_prior(prior)
    except KeyboardInterrupt:
        return False
    return True


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let a second, impatient Ctrl-C not disturb the saving."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _watched(ae: Autoencoder, console: Console) -> Iterator[None]:
    """Show progress while `fit` runs: a bar on a terminal, a few plain lines elsewhere."""
    before = ae.callbacks
    try:
        if not console.is_terminal:
            ae.callbacks = (*before, _Lines())
            yield
        else:
            with _new_bar(console) as bar:
                ae.callbacks = (*before, _Bar(bar))
                yield
    finally:
        ae.callbacks = before


def _new_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("left  {task.fields[errors]}"),
        console=console,
        transient=True,
    )


def _share(progress: Seen) -> float:
    """Return how much of all runs is done, from 0 to 1."""
    return (progress.run - 1 + progress.step / max(progress.n_steps, 1)) / progress.n_runs


class _Errors:
    """The latest errors in words; a run on all rows leaves them as they were."""

    def __init__(self) -> None:
        self._words = ""

    def __call__(self, progress: Seen) -> str:
        """Return our held-out error and PCA's, or the loss where nothing is held out."""
        if not math.isnan(progress.validation_error):
            ours, pca = progress.validation_error, progress.pca_validation_error
            self._words = f"held-out error {ours:.5g}  PCA {pca:.5g}"
        elif progress.run == 1 and progress.history:
            self._words = f"loss {progress.history[-1]['loss']:.5g}"
        return self._words


class _Bar:
    """A callback that moves a bar a few times a second."""

    def __init__(self, bar: Progress) -> None:
        self._bar, self._errors, self._shown = bar, _Errors(), -math.inf
        self._task = bar.add_task("training", total=1.0, errors="")

    def __call__(self, progress: Seen) -> None:
        now = time.monotonic()
        if now - self._shown < REFRESH_SECONDS:
            return
        self._shown = now
        errors = self._errors(progress)
        self._bar.update(self._task, completed=_share(progress), errors=errors)


class _Lines:
    """A callback that writes a line at the first step and at each tenth of the way."""

    def __init__(self) -> None:
        self._errors, self._told = _Errors(), -1

    def __call__(self, progress: Seen) -> None:
        errors, tenth = self._errors(progress), int(10 * _share(progress))
        if tenth > self._told:
            self._told = tenth
            complain(f"training {10 * tenth} %  {errors}".rstrip())


def _summary(ae: Autoencoder, target: Path, seconds: float) -> list[tuple[str, str]]:
    """Return the closing table."""
    steps = f"best {ae.best_step_:,} of {ae.n_steps_:,}"
    if ae.max_seconds is not None and ae.random_state is not None:
        steps += f"; --max-steps {ae.n_steps_} repeats this model"
    pairs = [
        *size_lines(ae),
        *error_lines(ae),
        *movement_lines(ae),
        *_loss_lines(ae),
        ("steps", steps),
        ("priors", ", ".join(ae.priors_)),
        ("time", in_seconds(seconds)),
        ("file", f"{target} ({in_bytes(target.stat().st_size)})"),
    ]
    if ae.best_step_ == 0 and ae.init == "pca":
        pairs.insert(-2, ("model", "the start at PCA: no gain over it stood out from the noise"))
    return pairs


def movement_lines(ae: Autoencoder) -> list[tuple[str, str]]:
    """Return how far codes moved from the earlier model that a fit started from, if it did."""
    return [("moved", str(ae.movement_))] if hasattr(ae, "movement_") else []


def _loss_lines(ae: Autoencoder) -> list[tuple[str, str]]:
    """Return the terms of the last epoch's loss, where it is more than a squared error."""
    units = loss_of(ae.model_.objective, ordered=ae.model_.ordered).units
    if not ae.history_ or is_plain(ae.history_[-1], units):
        return []
    return [("loss while training", term_words(ae.history_[-1], units))]


def size_lines(ae: Autoencoder) -> list[tuple[str, str]]:
    """Return how many numbers explain the fraction asked for, ours and PCA's."""
    curve = getattr(ae, "size_curve_", None)
    if curve is None or is_integer(ae.n_components):
        return []
    ours, pca = (curve.smallest(ae.n_components, pca=pca) for pca in (False, True))
    most = curve.n_components[-1]
    words = [f"more than {most}" if found is None else f"{found}" for found in (ours, pca)]
    share = f"numbers for {100 * ae.n_components:g} %"
    return [(share, f"{words[0]} (PCA {words[1]}), of the variance of held-out rows")]


def error_lines(ae: Autoencoder) -> list[tuple[str, str]]:
    """Return held-out errors of a fitted model, ours and PCA's, as names and values."""
    ours, pca = float(ae.validation_error_), float(ae.pca_validation_error_)
    if math.isnan(ours):
        return [("held-out error", "not measured, as nothing was held out")]
    ratio = f" ({ours / pca:.2f} of PCA's)" if pca > 0 else ""
    return [
        ("held-out error", f"{ours:.5g}{ratio}, mean squared, in data units"),
        ("PCA's error", f"{pca:.5g}"),
        ("variance explained", f"{float(ae.explained_variance_ratio_):.4f}"),
    ]
