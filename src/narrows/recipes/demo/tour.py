"""The tour, from reading the first digit to writing the page."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console

from narrows import figures
from narrows.common.atomic_files import check_folder, replacing
from narrows.common.limits import check, nothing, real
from narrows.evaluation.classifiers import ClassifierResult
from narrows.linear.pca import fit_pca
from narrows.objectives import VAE
from narrows.recipes.demo import closing, panels
from narrows.recipes.demo.programs import (
    MAP_SECONDS,
    SIZES,
    TUTORIAL,
    Pixels,
    Tour,
    classifiers,
    train,
)
from narrows.recipes.runner import read_recipe, refuse_existing
from narrows.sources.array import ArraySource
from narrows.sources.mnist import load_mnist
from narrows.web.demo import DemoContent, Timing, demo_page
from narrows.web.page import Panel
from narrows.web.words import say

GENERATORS: dict[str, dict[str, Any]] = {
    "sheet": {"n_components": 16, "objective": VAE(likelihood="bernoulli", prior="flow")},
    "plane": {"n_components": 2, "objective": VAE(likelihood="bernoulli")},
}
GENERATOR_SECONDS = {"sheet": 24.0, "plane": 12.0}
SHOWN = 10


def run_demo(
    out: Path, *, max_seconds: float | None = None, overwrite: bool, console: Console
) -> Path:
    """Train on MNIST, write ``index.html`` to a folder, and print a closing table.

    Parameters
    ----------
    out : Path
        Folder; made if it does not exist.
    max_seconds : float, optional
        Seconds for training all our models together; each gets its share.
    overwrite : bool
        Whether a page of an earlier run may be replaced.
    console : rich.console.Console

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ParameterError
        If ``max_seconds`` is not above zero.
    FileExists
        If the page exists and ``overwrite`` is false; nothing is trained then.
    """
    usual = sum(SIZES.values()) + MAP_SECONDS + sum(GENERATOR_SECONDS.values())
    check("demo", {"max_seconds": max_seconds}, {"max_seconds": nothing() | real(0, low_open=True)})
    share = 1.0 if max_seconds is None else max_seconds / usual
    page = out / "index.html"
    refuse_existing([page], overwrite=overwrite)
    out.mkdir(parents=True, exist_ok=True)
    check_folder(out)
    tour = Tour(console)
    with tour.timed("demo.times.reading"):
        X, y = load_mnist("train", return_X_y=True)
        X_test, y_test = load_mnist("test", return_X_y=True)
    with tour.timed("demo.times.pca"):
        fit_pca(ArraySource(X).blocks, max(SIZES), 0)
    tour.pca_seconds = tour.timings[-1].seconds
    for size, seconds in SIZES.items():
        title = say("demo.programs.restoring", size=size)
        given: dict[str, Any] = {"n_components": size, "max_seconds": share * seconds}
        train(tour, f"narrows-{size}", title, X, X_test, **given)
    for name in TUTORIAL:
        train(tour, name, read_recipe(name), X, X_test)
    given = {"n_components": 2, "objective": "neighbors", "max_seconds": share * MAP_SECONDS}
    train(tour, "map", say("demo.programs.map"), X, X_test, **given)
    for name, arguments in GENERATORS.items():
        title = say("demo.programs.generator", size=arguments["n_components"])
        seconds = share * GENERATOR_SECONDS[name]
        train(tour, name, title, X, X_test, **arguments, max_seconds=seconds)
    with tour.timed("demo.times.classifiers"):
        encoder = tour.programs["narrows-32"].model
        console.print("classifiers on 32 numbers and on pixels …")
        small, big = classifiers(encoder, X, y, X_test, y_test)
    with tour.timed("demo.times.neighbours"):
        planes = panels.planes(tour, X, y, X_test, y_test)
    content = _content(tour, X, X_test, [panel for panel, _ in planes], small, big)
    with replacing(page) as temporary:
        temporary.write_text(demo_page(content), encoding="utf-8")
    closing.closing_table(tour, [accuracy for _, accuracy in planes], small, big)
    console.print(f"wrote {page}", soft_wrap=True)
    return page


def _content(
    tour: Tour,
    X: Pixels,
    X_test: Pixels,
    planes: list[Panel],
    small: ClassifierResult,
    big: ClassifierResult,
) -> DemoContent:
    """Draw all pictures but those of the planes, and gather what the page shows."""
    started = time.perf_counter()
    return DemoContent(
        n_train=len(X),
        n_test=len(X_test),
        results=panels.results(tour),
        restored=panels.restored(tour, X_test[:SHOWN]),
        planes=planes,
        classes=[(str(digit), figures.PALETTE[digit]) for digit in range(10)],
        classifiers=[
            panels.classifier(say("demo.features.code"), small, ours=True),
            panels.classifier(say("demo.features.pixels"), big, ours=False),
        ],
        generated=panels.generated(tour),
        ways=panels.ways(tour, X_test),
        scree=panels.scree(tour),
        timings=[
            *tour.timings,
            Timing(say("demo.times.drawing"), time.perf_counter() - started),
        ],
        commands=closing.commands(),
        facts=closing.facts(tour.programs["narrows-128"].model),
        training=panels.training(tour),
    )
