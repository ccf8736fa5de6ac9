"""Progress of training: a bar on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from narrows.cli.exit import complain

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder
    from narrows.training.progress import Progress as Seen

REFRESH_SECONDS = 0.1
"""Time between two updates of the bar."""


@contextlib.contextmanager
def shown(ae: Autoencoder, console: Console) -> Iterator[None]:
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


class _Errors:
    """The latest errors as text; the last run on all rows has none, and keeps those before."""

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
    """A callback that updates a bar a few times a second."""

    def __init__(self, bar: Progress) -> None:
        self._bar, self._errors, self._shown = bar, _Errors(), -math.inf
        self._task = bar.add_task("training", total=1.0, errors="")

    def __call__(self, progress: Seen) -> None:
        now = time.monotonic()
        if now - self._shown < REFRESH_SECONDS:
            return
        self._shown = now
        errors = self._errors(progress)
        self._bar.update(self._task, completed=progress.done, errors=errors)


class _Lines:
    """A callback that writes a line at the first step and after each tenth of all steps."""

    def __init__(self) -> None:
        self._errors, self._told = _Errors(), -1

    def __call__(self, progress: Seen) -> None:
        errors, tenth = self._errors(progress), int(10 * progress.done)
        if tenth > self._told:
            self._told = tenth
            complain(f"training {10 * tenth} %  {errors}".rstrip())
