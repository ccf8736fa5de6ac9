"""The pictures, tables and curves of the page, from the trained programs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows import figures
from narrows.evaluation.classifiers import ClassifierResult, knn_accuracy
from narrows.evaluation.views import pca_inference
from narrows.recipes.demo.programs import SIZES, TUTORIAL, Labels, Pixels, Tour
from narrows.web.demo import Classifier, Result, Scree
from narrows.web.page import Panel, Picture, themed
from narrows.web.words import Label, Words, say

N_NEW, PLACES = 100, 15
"""New digits, and places along each side of the decoded plane."""
SIDE = 4.7
"""Of both pictures, in inches, so that they stand side by side."""


def planes(
    tour: Tour, X: Pixels, y: Labels, X_test: Pixels, y_test: Labels
) -> list[tuple[Panel, float]]:
    """Draw the test digits on three planes, each with the accuracy of its neighbours."""
    ours, tutorial = tour.programs["map"], tour.programs["tensorflow-map"]
    encoders: list[tuple[Label, Callable[[Pixels], NDArray[Any]]]] = [
        ("PCA", pca_inference(ours.model).encode),
        (say("demo.restored.tutorial"), tutorial.model.transform),
        (say("demo.planes.map"), ours.model.transform),
    ]
    found = []
    for name, encode in encoders:
        codes = encode(X_test)
        accuracy = knn_accuracy(encode(X), y, codes, y_test)
        picture = themed(
            partial(figures.plane, codes, y_test, legend=False, side=2.9),
            say("demo.planes.alt", name=name, n_test=len(codes)),
            palette=True,
        )
        found.append((Panel(name, picture, say("demo.planes.note", accuracy=accuracy)), accuracy))
    return found


def results(tour: Tour) -> list[Result]:
    """List programs that restore by falling code size, PCA after ours of the same size."""
    results = []
    for name in ("narrows-2", "narrows-32", "narrows-128", *TUTORIAL):
        program = tour.programs[name]
        size = program.model.n_components_
        errors = (program.error, program.pca_error)
        results.append(Result(program.name, size, *errors, program.seconds, program.ours))
        if program.ours:
            results.append(Result("PCA", size, errors[1], errors[1], tour.pca_seconds))
    return sorted(results, key=lambda result: -result.n_components)


def restored(tour: Tour, digits: Pixels) -> list[Panel]:
    """Draw ten test digits, and what each program restores from codes of 128 numbers."""
    ours, tutorial = tour.programs["narrows-128"], tour.programs["tensorflow-reconstruct"]
    tutorial_digits = tutorial.model.reconstruct(digits)
    rows: list[tuple[Label, Pixels, float | None]] = [
        (say("demo.restored.originals"), digits, None),
        ("narrows", ours.model.reconstruct(digits), ours.error),
        ("PCA", pca_inference(ours.model).reconstruct(digits), ours.pca_error),
        (say("demo.restored.tutorial"), tutorial_digits, tutorial.error),
    ]
    panels = []
    for name, images, error in rows:
        picture = themed(
            partial(figures.strip, images, bounds=(0, 1)), say("demo.restored.alt", name=name)
        )
        note = "" if error is None else say("demo.restored.note", error=error)
        panels.append(Panel(name, picture, note))
    return panels


def generated(tour: Tour) -> list[Panel]:
    """Draw a hundred new digits, and the plane of a generator with two numbers, decoded."""
    many, flat = (tour.programs[name].model for name in ("sheet", "plane"))
    new, Z = many.sample(N_NEW, random_state=0), flat.model_.lattice(PLACES)
    sheet = partial(figures.sheet, new, bounds=(0, 1), side=SIDE)
    plane = partial(figures.lattice, flat.inverse_transform(Z), Z, bounds=(0, 1), side=SIDE)
    return [
        Panel(
            say("demo.generated.new", n=N_NEW),
            themed(sheet, say("demo.generated.new_alt", n=N_NEW), palette=True),
            say("demo.generated.new_note", size=many.n_components_),
        ),
        Panel(
            say("demo.generated.plane"),
            themed(plane, say("demo.generated.plane_alt"), palette=True),
            say("demo.generated.plane_note", places=PLACES),
        ),
    ]


def ways(tour: Tour, digits: Pixels) -> Picture:
    """Draw interpolations between test digits, four of them."""
    model, steps = tour.programs["sheet"].model, 9
    first, last = digits[0:8:2], digits[1:8:2]
    strips = [model.interpolate(a, b, steps) for a, b in zip(first, last, strict=True)]
    return themed(
        partial(figures.interpolations, strips, ends=(first, last), bounds=(0, 1)),
        say("demo.generated.ways_alt"),
    )


def classifier(name: Words, result: ClassifierResult, *, ours: bool) -> Classifier:
    """Return a classifier's row of the table."""
    return Classifier(
        name, result.n_inputs, result.n_parameters, result.accuracy, result.seconds, ours
    )


def scree(tour: Tour) -> Scree:
    """Draw the error at each code size, PCA's beside ours."""
    programs = [tour.programs[f"narrows-{size}"] for size in SIZES]
    curves = {
        "PCA": [program.pca_error for program in programs],
        "narrows": [program.error for program in programs],
    }
    unit = programs[0].model.model_.error_unit
    draw = partial(figures.scree, list(SIZES), curves, unit=unit)
    picture = themed(draw, say("demo.scree.alt"))
    return Scree(picture, list(SIZES), curves)


def training(tour: Tour) -> Picture:
    """Draw the held-out error of the 128 numbers over the epochs, with PCA's line.

    It begins with the start, which is PCA; on a busy machine there may be nothing else.
    """
    model = tour.programs["narrows-128"].model
    measured = [row for row in model.history_ if np.isfinite(row["validation_error"])]
    errors = [model.pca_validation_error_, *(row["validation_error"] for row in measured)]
    curve = ([0, *(row["epoch"] for row in measured)], errors)
    draw = partial(
        figures.training,
        {"narrows": curve},
        pca_error=model.pca_validation_error_,
        unit=model.model_.error_unit,
    )
    return themed(draw, say("demo.restored.training_alt"))
