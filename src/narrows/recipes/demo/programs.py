"""The programs that the tour trains, one after the other, and the numbers of each."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from narrows.errors import NarrowsWarning
from narrows.estimator import Autoencoder
from narrows.evaluation.classifiers import ClassifierResult, classify
from narrows.evaluation.scorecard import evaluate
from narrows.recipes.runner import Recipe
from narrows.training.progress import Progress
from narrows.web.demo import Timing
from narrows.web.words import Words, say

Pixels = NDArray[np.float32]
Labels = NDArray[np.uint8]
SIZES = {2: 30.0, 3: 12.0, 10: 12.0, 32: 25.0, 128: 20.0}
"""Seconds of training for each code size of the programs that restore."""
MAP_SECONDS = 40.0
TUTORIAL = ("tensorflow-reconstruct", "tensorflow-map")


@dataclass
class Program:
    """A trained program and its held-out numbers."""

    name: Words
    model: Autoencoder
    seconds: float
    error: float
    pca_error: float
    ours: bool


@dataclass
class Tour:
    """What the demo gathers on its way."""

    console: Console
    pca_seconds: float = 0.0
    programs: dict[str, Program] = field(default_factory=dict)
    timings: list[Timing] = field(default_factory=list)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Note how long a part took; its name stands in the catalogues."""
        started = time.perf_counter()
        yield
        self.timings.append(Timing(say(part), time.perf_counter() - started))


def train(
    tour: Tour, name: str, what: Words | Recipe, X: Pixels, X_test: Pixels, **arguments: Any
) -> None:
    """Train a program of ours, or a recipe, behind a progress bar; measure it on the test digits.

    ``tour.programs`` holds it by its name.
    """
    ours = isinstance(what, Words)
    if isinstance(what, Words):
        title = what
    else:
        title, arguments = Words(what.title, what.title_zh), what.autoencoder
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[error]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=tour.console) as bars:
        task = bars.add_task(title.en, total=None, error="")

        def show(progress: Progress) -> None:
            error = progress.validation_error
            words = f"held out {error:.4f}" if np.isfinite(error) else ""
            bars.update(task, total=1.0, completed=progress.done, error=words)

        model = Autoencoder(**{"random_state": 0, **arguments}, callbacks=(show,))
        started = time.perf_counter()
        with warnings.catch_warnings():
            # A run that was shortened warns that it cannot be repeated; a demo need not be.
            # The tutorial's programs run as they are, so no warning about them helps.
            slower = "Training is slower" if ours else ""
            warnings.filterwarnings("ignore", slower, NarrowsWarning)
            model.fit(X)
        seconds = time.perf_counter() - started
        report = evaluate(model, X_test, importance_samples=0)
        bars.update(task, error=f"test {report.error:.4f}, PCA {report.pca_error:.4f}")
    tour.timings.append(Timing(title, seconds))
    tour.programs[name] = Program(title, model, seconds, report.error, report.pca_error, ours)


def classifiers(
    encoder: Autoencoder, X: Pixels, y: Labels, X_test: Pixels, y_test: Labels
) -> tuple[ClassifierResult, ClassifierResult]:
    """Train a small classifier on 32 numbers, and a big one on pixels."""
    codes, test_codes = encoder.transform(X), encoder.transform(X_test)
    small = classify(codes, y, test_codes, y_test, hidden=112, max_iter=20)
    return small, classify(X, y, X_test, y_test, hidden=256, max_iter=8)
