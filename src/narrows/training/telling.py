"""Telling how a training goes: in one line that moves, in a few plain lines, or by epochs."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from narrows.training.progress import Callback, Progress

REFRESH_SECONDS = 0.1
"""Time between two updates of the bar."""


@contextlib.contextmanager
def told(verbose: int, console: Console | None = None) -> Iterator[Sequence[Callback]]:
    """Give callbacks that tell how a training goes, until it ends.

    Parameters
    ----------
    verbose : int
        0 tells nothing; 1 has one line: the run, the part that is done, the seconds left, our
        held-out error and PCA's; 2 prints a line for each epoch.
    console : rich.console.Console, optional
        For ``verbose=1``; standard error by default.
    """
    if verbose != 1:
        yield [print_epochs()] if verbose else []
        return
    console = console or Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        yield [_Lines(console)]
        return
    with _new_bar(console) as bar:
        yield [_Bar(bar)]


def _new_bar(console: Console) -> Bars:
    return Bars(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("left  {task.fields[errors]}"),
        console=console,
        transient=True,
    )


def _run(progress: Progress) -> str:
    """Return which run it is, where there are several."""
    return f"run {progress.run}/{progress.n_runs} " if progress.n_runs > 1 else ""


class _Errors:
    """The latest errors as text; the last run on all rows has none, and keeps those before."""

    def __init__(self) -> None:
        self._words = ""

    def __call__(self, progress: Progress) -> str:
        """Return our held-out error and PCA's, or the loss where nothing is held out."""
        if not math.isnan(progress.validation_error):
            ours, pca = progress.validation_error, progress.pca_validation_error
            self._words = f"held-out error {ours:.5g}  PCA {pca:.5g}"
        elif progress.run == 1 and progress.history:
            self._words = f"loss {progress.history[-1]['loss']:.5g}"
        return self._words


class _Bar:
    """A callback that updates a bar a few times a second."""

    def __init__(self, bar: Bars) -> None:
        self._bar, self._errors, self._shown = bar, _Errors(), -math.inf
        self._task = bar.add_task("training", total=1.0, errors="")

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._shown < REFRESH_SECONDS:
            return
        self._shown = now
        errors = self._errors(progress)
        self._bar.update(
            self._task,
            description=f"training {_run(progress)}".rstrip(),
            completed=progress.done,
            errors=errors,
        )


class _Lines:
    """A callback that writes a line at the first step and after each tenth of all steps."""

    def __init__(self, console: Console) -> None:
        self._console, self._errors, self._told = console, _Errors(), -1

    def __call__(self, progress: Progress) -> None:
        errors, tenth = self._errors(progress), int(10 * progress.done)
        if tenth > self._told:
            self._told = tenth
            line = f"narrows: training {_run(progress)}{10 * tenth} %  {errors}".rstrip()
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def print_epochs() -> Callback:
    """Return a callback that prints a line for each epoch of each run."""
    told, run = 0, 0

    def show(progress: Progress) -> None:
        nonlocal told, run
        if progress.run != run:
            told, run = 0, progress.run
        for row in progress.history[told:]:
            error = row["validation_error"]
            held_out = "" if math.isnan(error) else f"  held out {error:.6g}"
            print(
                f"epoch {row['epoch']:>4}  step {row['step']:>6}  loss {row['loss']:.6g}{held_out}"
            )
        told = progress.epoch

    return show
