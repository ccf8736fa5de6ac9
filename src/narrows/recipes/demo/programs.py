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
from narrows.recipes import read_recipe
from narrows.training.progress import Progress
from narrows.web.demo import Timing
from narrows.web.words import Words, say

Pixels = NDArray[np.float32]
Labels = NDArray[np.uint8]
SIZES = {2: 30.0, 3: 12.0, 10: 12.0, 32: 25.0, 128: 20.0}
"""Seconds of training for each code size of the programs that restore."""
MAP_SECONDS = 40.0


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
    generators: dict[str, Program] = field(default_factory=dict)
    maps: list[Program] = field(default_factory=list)
    timings: list[Timing] = field(default_factory=list)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Note how long a part took; its name stands in the catalogues."""
        started = time.perf_counter()
        yield
        self.timings.append(Timing(say(part), time.perf_counter() - started))


def train(tour: Tour, name: str, X: Pixels, X_test: Pixels, **arguments: Any) -> None:
    """Train one program and keep it with its errors; a tutorial's name is that of its recipe."""
    ours = name.startswith("narrows")
    size = arguments.get("n_components")
    title = say("demo.programs.restoring", size=size)
    if not ours:
        recipe = read_recipe(name)
        title, arguments = Words(recipe.title, recipe.title_zh), recipe.autoencoder
    tour.programs[name] = _trained(tour, title, X, X_test, ours=ours, **arguments)


def train_map(tour: Tour, X: Pixels, X_test: Pixels, max_seconds: float) -> None:
    """Train the map: two numbers, where similar digits get codes next to each other."""
    title = say("demo.programs.map")
    arguments = {"n_components": 2, "objective": "neighbors", "max_seconds": max_seconds}
    tour.maps.append(_trained(tour, title, X, X_test, ours=True, **arguments))


def train_generator(tour: Tour, name: str, X: Pixels, X_test: Pixels, **arguments: Any) -> None:
    """Train a variational autoencoder, apart from the programs that restore."""
    size = arguments["n_components"]
    title = say("demo.programs.generator", size=size)
    tour.generators[name] = _trained(tour, title, X, X_test, ours=True, **arguments)


def _trained(
    tour: Tour, title: Words, X: Pixels, X_test: Pixels, *, ours: bool, **arguments: Any
) -> Program:
    """Train behind a progress bar, and measure on the test digits."""
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
            bars.update(task, total=progress.n_steps, completed=progress.step, error=words)

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
    return Program(title, model, seconds, report.error, report.pca_error, ours)


def classifiers(
    encoder: Autoencoder, X: Pixels, y: Labels, X_test: Pixels, y_test: Labels
) -> tuple[ClassifierResult, ClassifierResult]:
    """Train a small classifier on 32 numbers, and a big one on pixels."""
    codes, test_codes = encoder.transform(X), encoder.transform(X_test)
    small = classify(codes, y, test_codes, y_test, hidden=112, max_iter=20)
    return small, classify(X, y, X_test, y_test, hidden=256, max_iter=8)
