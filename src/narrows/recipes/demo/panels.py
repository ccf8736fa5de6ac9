"""From trained programs to what the page shows of them: pictures, tables, curves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows import figures
from narrows.evaluation.scorecard import ClassifierResult, knn_accuracy, pca_inference
from narrows.recipes.demo.programs import SIZES, Labels, Pixels, Tour
from narrows.web.demo import Classifier, Panel, Picture, Result, Scree, Words
from narrows.web.page import themed

N_NEW, PLACES = 100, 15
"""New digits, and places along each side of the decoded plane."""
SIDE = 4.7
"""Of both pictures, in inches, so that they stand side by side."""


def planes(
    tour: Tour, X: Pixels, y: Labels, X_test: Pixels, y_test: Labels
) -> list[tuple[Panel, float]]:
    """Draw the test digits on three planes, each with the accuracy of its neighbours."""
    (ours,), tutorial = tour.maps, tour.programs["tensorflow-map"]
    encoders: list[tuple[Words, Callable[[Pixels], NDArray[Any]]]] = [
        (Words("PCA", "PCA"), pca_inference(ours.model).encode),
        (Words("TensorFlow tutorial", "TensorFlow 教程"), tutorial.model.transform),
        (Words("narrows map", "narrows 地图"), ours.model.transform),
    ]
    found = []
    for name, encode in encoders:
        codes = encode(X_test)
        accuracy = knn_accuracy(encode(X), y, codes, y_test)
        picture = themed(
            partial(figures.plane, codes, y_test, legend=False, side=2.9),
            Words(
                f"Plane of the 10,000 test digits by {name.en}, one colour per digit",
                f"{name.zh} 的平面：10,000 个测试数字，每个数字一种颜色",
            ),
            palette=True,
        )
        note = Words(f"10-NN accuracy {accuracy:.3f}", f"10-NN 准确率 {accuracy:.3f}")
        found.append((Panel(name, picture, note), accuracy))
    return found


def results(tour: Tour) -> list[Result]:
    """List the programs by falling code size, PCA after ours of the same size."""
    results = []
    for program in tour.programs.values():
        size = program.model.n_components_
        if size not in (2, 32, 128):
            continue
        results.append(
            Result(
                program.name, size, program.error, program.pca_error, program.seconds, program.ours
            )
        )
        if program.ours:
            pca_error, seconds = program.pca_error, tour.pca_seconds
            results.append(Result("PCA", size, pca_error, pca_error, seconds))
    return sorted(results, key=lambda result: -result.n_components)


def restored(tour: Tour, digits: Pixels) -> list[Panel]:
    """Draw ten test digits, and what each program brings back through 128 numbers."""
    ours, tutorial = tour.programs["narrows-128"], tour.programs["tensorflow-reconstruct"]
    rows = [
        (Words("held-out test digits", "留出的测试数字"), digits, None),
        (Words("narrows", "narrows"), ours.model.reconstruct(digits), ours.error),
        (Words("PCA", "PCA"), pca_inference(ours.model).reconstruct(digits), ours.pca_error),
        (
            Words("TensorFlow tutorial", "TensorFlow 教程"),
            tutorial.model.reconstruct(digits),
            tutorial.error,
        ),
    ]
    panels = []
    for name, images, error in rows:
        picture = themed(
            partial(figures.strip, images, bounds=(0, 1)),
            Words(f"Ten digits: {name.en}", f"十个数字：{name.zh}"),
        )
        note: Words | str = ""
        if error is not None:
            note = Words(f"128 numbers, error {error:.4f}", f"128 个数，误差 {error:.4f}")
        panels.append(Panel(name, picture, note))
    return panels


def generated(tour: Tour) -> list[Panel]:
    """Draw a hundred new digits, and the plane of a generator with two numbers, decoded."""
    many, flat = (tour.generators[name].model for name in ("sheet", "plane"))
    new, Z = many.sample(N_NEW, random_state=0), flat.model_.lattice(PLACES)
    return [
        Panel(
            Words(f"{N_NEW} new digits", f"{N_NEW} 个新数字"),
            themed(
                partial(figures.sheet, new, bounds=(0, 1), side=SIDE),
                Words("A hundred digits that nobody wrote", "一百个没有人写过的数字"),
                palette=True,
            ),
            Words(
                f"{many.n_components_} numbers each, drawn from a distribution that was learned"
                " along (a normalising flow)",
                f"每个数字由 {many.n_components_} 个数解码而来，"
                "这些数抽自一同学到的分布（归一化流）",
            ),
        ),
        Panel(
            Words("The plane of two numbers, decoded", "两个数的平面，逐点解码"),
            themed(
                partial(figures.lattice, flat.inverse_transform(Z), Z, bounds=(0, 1), side=SIDE),
                Words(
                    "What each place of a plane decodes to: digits that turn into one another",
                    "平面上每一点解码的结果：数字逐渐变成另一个数字",
                ),
                palette=True,
            ),
            Words(
                f"{PLACES} × {PLACES} places, closer together where codes are more frequent",
                f"{PLACES} × {PLACES} 个点，编码越常见的地方点越密",
            ),
        ),
    ]


def ways(tour: Tour, digits: Pixels) -> Picture:
    """Draw the ways from one test digit to another, four of them."""
    model, steps = tour.generators["sheet"].model, 9
    first, last = digits[0:8:2], digits[1:8:2]
    strips = [model.interpolate(a, b, steps) for a, b in zip(first, last, strict=True)]
    return themed(
        partial(figures.interpolations, strips, ends=(first, last), bounds=(0, 1)),
        Words(
            "Four ways from one test digit to another, in nine steps each",
            "四组从一个测试数字到另一个的过渡，每组九步",
        ),
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
    picture = themed(
        partial(figures.scree, list(SIZES), curves),
        Words(
            "Held-out error against code size, PCA and narrows",
            "留出误差与编码长度的关系：PCA 与 narrows",
        ),
    )
    return Scree(picture, list(SIZES), curves)


def training(tour: Tour) -> Picture:
    """Draw the held-out error of the 128 numbers over the epochs, with PCA's line."""
    model = tour.programs["narrows-128"].model
    measured = [row for row in model.history_ if np.isfinite(row["validation_error"])]
    curve = ([row["epoch"] for row in measured], [row["validation_error"] for row in measured])
    return themed(
        partial(figures.training, {"narrows": curve}, pca_error=model.pca_validation_error_),
        Words("Held-out error over the epochs", "各轮的留出误差"),
    )
