"""What the pictures of a scorecard show, as arrays: some rows, codes on a plane, clusters.

Legend: N rows, D features, K code size, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from narrows.common.blocks import evenly_spread
from narrows.evaluation.round_trip import Measurement
from narrows.model.inference import Floats
from narrows.model.model import Model
from narrows.web.words import Label, Words, say

STRIP_ROWS = 10
"""Rows of a strip."""
MOST_PIXELS = 1 << 20
"""Values of a strip; if rows are very large, it has fewer rows, but at least three."""
MOST_POINTS = 5_000
"""Codes on a plane."""


@dataclass(frozen=True)
class Strip:
    """Some rows and their reconstructions.

    Attributes
    ----------
    name : Words
    rows, ours, pca : ndarray (n, D)
    """

    name: Words
    rows: NDArray[np.generic]
    ours: Floats
    pca: Floats


@dataclass(frozen=True)
class Shown:
    """What pictures are drawn from; of the given model, not of other seeds.

    Attributes
    ----------
    sample_shape : tuple of int or None
        Of a row, if rows are pictures.
    strips : tuple of Strip
        Rows with the largest errors, with errors in the middle and with the smallest errors; none
        if rows are not pictures.
    planes : dict of str to ndarray (n, 2)
        Codes by method, as `on_a_plane` places them.
    n_components : int
    n_rows : int
        Held-out rows, of which the planes show some.
    classes : ndarray (n,) of str or None
        Of the codes on the planes.
    class_names : tuple of str
    clusters : ndarray (C, C) or None
        Rows by class and matched cluster.
    facts : tuple of (Words or str, Words or str)
        Names and values that describe the model.
    """

    sample_shape: tuple[int, ...] | None
    strips: tuple[Strip, ...]
    planes: Mapping[str, NDArray[np.float64]]
    n_components: int
    n_rows: int
    classes: NDArray[np.object_] | None
    class_names: tuple[str, ...]
    clusters: NDArray[np.int64] | None
    facts: tuple[tuple[Label, Label], ...]


def gather(measured: Measurement, clusters: NDArray[np.int64] | None) -> Shown:
    """Choose what is shown of a model and of the rows it was measured on."""
    model, data = measured.model, measured.data
    chosen = evenly_spread(len(data.rows), MOST_POINTS)
    classes = None
    if data.classes is not None:
        classes = np.array(data.class_names, dtype=object)[data.classes[chosen]]
    return Shown(
        sample_shape=model.picture_shape,
        strips=() if model.picture_shape is None else _strips(measured),
        planes={
            name: on_a_plane(trip.codes[chosen], measured.seed)
            for name, trip in measured.trips.items()
        },
        n_components=model.n_components,
        n_rows=len(data.rows),
        classes=classes,
        class_names=data.class_names,
        clusters=clusters,
        facts=_facts(model),
    )


def _strips(measured: Measurement) -> tuple[Strip, ...]:
    rows, trips = measured.data.rows, measured.trips
    order = np.argsort(trips["narrows"].errors, kind="stable")[::-1]
    n = min(max(3, min(STRIP_ROWS, MOST_PIXELS // rows.shape[1])), len(order) // 3)
    middle = (len(order) - n) // 2
    parts = [
        (say("scorecard.pictures.largest"), order[:n]),
        (say("scorecard.pictures.middle"), order[middle : middle + n]),
        (say("scorecard.pictures.smallest"), order[-n:]),
    ]
    if n == 0:
        parts = [(say("scorecard.pictures.all"), order)]
    found = []
    for name, chosen in parts:
        originals = np.asarray(rows[chosen])
        ours, pca = (trips[m].inference.reconstruct(originals) for m in ("narrows", "pca"))
        found.append(Strip(name, originals, ours, pca))
    return tuple(found)


def on_a_plane(Z: Floats, seed: int = 0) -> NDArray[np.float64]:
    """Return codes (N, K) as places on a plane (N, 2).

    Codes of two numbers stay as they are. Of more numbers the first two principal components are
    taken. One number gets a random height, up to a quarter of its range, so that points do not hide
    each other.
    """
    codes: NDArray[np.float64] = Z.astype(np.float64)
    if codes.shape[1] == 2:
        return codes
    if codes.shape[1] == 1:
        height = np.random.default_rng(seed).uniform(-0.125, 0.125, len(codes))
        reach = float(np.ptp(codes)) or 1.0
        return np.column_stack([codes[:, 0], height * reach])
    centred = codes - codes.mean(axis=0)
    _, _, axes = np.linalg.svd(centred.T @ centred)
    places: NDArray[np.float64] = centred @ axes[:2].T
    return places


def _facts(model: Model) -> tuple[tuple[Label, Label], ...]:
    given, record = model.params, model.record
    start = ", ".join(f"{name}={given.get(name)!r}" for name in ("init", "scaling"))
    return (
        (say("scorecard.model.n_components"), f"{model.n_components:,}"),
        (say("scorecard.model.n_features"), f"{model.n_features:,}"),
        (say("scorecard.model.network"), repr(model.architecture)),
        (say("scorecard.model.objective"), repr(model.objective)),
        (say("scorecard.model.start"), start),
        (say("scorecard.model.trained_on"), say("scorecard.model.rows", n=model.pca.n_samples_)),
        (say("scorecard.model.steps"), f"{record.best_step:,} / {record.n_steps:,}"),
        ("random_state", str(given.get("random_state"))),
    )
