"""What a scorecard shows in pictures, as arrays: few rows, codes on a plane, a table of clusters.

Legend: N rows, D features, K code size, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from narrows.evaluation.reconstruction import RoundTrip
from narrows.evaluation.rows import MeasuredRows, some
from narrows.evaluation.views import pca_inference
from narrows.model.inference import Inference
from narrows.web.words import Label, Words, say

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

COLUMNS = 10
"""Rows of a strip."""
MOST_PIXELS = 1 << 20
"""Values of a strip, where rows are very large; it then has fewer rows, three at the least."""
MOST_POINTS = 5_000
"""Codes on a plane."""
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Strip:
    """Some rows, and what comes back of them.

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
    """What pictures are drawn from; of the given model, also where there are more seeds.

    Attributes
    ----------
    sample_shape : tuple of int or None
        Of a row that is a picture.
    strips : tuple of Strip
        The rows with the largest errors, with middling and with the smallest; none where rows are
        no pictures.
    planes : dict of str to ndarray (n, 2)
        Codes by method: as they are where they have two numbers, and their two principal
        components where they have more; one number stands beside a height of chance.
    n_components : int
    n_rows : int
        Of which the planes show some.
    classes : ndarray (n,) of int or None
        Of the codes on the planes.
    drawn_names : tuple of str
        Names of the classes that are drawn, as ``classes`` counts them.
    class_names : tuple of str
    clusters : ndarray (C, C) or None
        Rows by class and matched cluster.
    facts : tuple of (Words or str, Words or str)
        What there is to know of the model.
    """

    sample_shape: tuple[int, ...] | None
    strips: tuple[Strip, ...]
    planes: Mapping[str, NDArray[np.float64]]
    n_components: int
    n_rows: int
    classes: NDArray[np.int64] | None
    drawn_names: tuple[str, ...]
    class_names: tuple[str, ...]
    clusters: NDArray[np.int64] | None
    facts: tuple[tuple[Label, Label], ...]


def gather(
    ae: Autoencoder,
    data: MeasuredRows,
    trips: Mapping[str, RoundTrip],
    clusters: NDArray[np.int64] | None,
    seed: int,
) -> Shown:
    """Choose what is shown of a model and of the rows it was measured on."""
    shape, chosen = ae.model_.picture_shape, some(data.rows, MOST_POINTS, seed)
    classes, names = None, ()
    if data.no_classes() is None and data.classes is not None:
        # Those that are drawn, counted anew, for a figure numbers the classes that it is given.
        present, classes = np.unique(data.classes[chosen], return_inverse=True)
        names = tuple(data.class_names[number] for number in present)
    return Shown(
        sample_shape=shape,
        strips=() if shape is None else _strips(ae, data, trips["narrows"].errors),
        planes={name: on_a_plane(trip.codes[chosen], seed) for name, trip in trips.items()},
        n_components=ae.n_components_,
        n_rows=len(data.rows),
        classes=classes,
        drawn_names=names,
        class_names=() if classes is None else data.class_names,
        clusters=clusters,
        facts=_facts(ae),
    )


def _strips(ae: Autoencoder, data: MeasuredRows, errors: NDArray[np.float64]) -> tuple[Strip, ...]:
    most = max(3, min(COLUMNS, MOST_PIXELS // data.rows.shape[1]))
    order, pca = np.argsort(errors, kind="stable")[::-1], pca_inference(ae)
    if len(order) < 3:
        return (_strip(say("scorecard.pictures.all"), data, order, ae.model_.inference, pca),)
    n = min(most, len(order) // 3)
    middle = (len(order) - n) // 2
    parts = [
        (say("scorecard.pictures.largest"), order[:n]),
        (say("scorecard.pictures.middle"), order[middle : middle + n]),
        (say("scorecard.pictures.smallest"), order[-n:]),
    ]
    return tuple(_strip(name, data, rows, ae.model_.inference, pca) for name, rows in parts)


def _strip(
    name: Words, data: MeasuredRows, chosen: NDArray[np.intp], ours: Inference, pca: Inference
) -> Strip:
    rows = np.asarray(data.rows[chosen])
    return Strip(name, rows, ours.reconstruct(rows), pca.reconstruct(rows))


def on_a_plane(Z: Floats, seed: int = 0) -> NDArray[np.float64]:
    """Return codes (N, K) as places on a plane (N, 2).

    Two numbers are the place; of more the first two principal components; one number gets a
    height of chance beside it, up to a quarter of its range, so that points do not hide each other.
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


def _facts(ae: Autoencoder) -> tuple[tuple[Label, Label], ...]:
    return (
        (say("scorecard.model.n_components"), f"{ae.n_components_:,}"),
        (say("scorecard.model.n_features"), f"{ae.n_features_in_:,}"),
        (say("scorecard.model.network"), repr(ae.model_.architecture)),
        (say("scorecard.model.objective"), repr(ae.model_.objective)),
        (say("scorecard.model.start"), f"init={ae.init!r}, scaling={ae.scaling!r}"),
        (say("scorecard.model.trained_on"), say("scorecard.model.rows", n=ae.pca_.n_samples_)),
        (say("scorecard.model.steps"), f"{ae.best_step_:,} / {ae.n_steps_:,}"),
        ("random_state", str(ae.random_state).partition(" at ")[0]),
    )
