"""How well rows come back: errors over all rows, of the worst rows, by class and by column.

Legend: N rows, D features.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from narrows.evaluation.round_trip import Measurement
from narrows.evaluation.scores import Section, largest, measure
from narrows.model.fitted import DATA_UNITS, DEVIATIONS
from narrows.web.words import Words, say

PERCENTILES = (95, 99)
"""Percentiles over rows of the error, for the worst rows."""
MOST_COLUMNS = 20
"""Columns whose errors a report holds."""


def unit_words(error_unit: str) -> Words:
    """Return the unit of a model's errors in both languages."""
    return {
        DATA_UNITS: say("scorecard.units.data"),
        DEVIATIONS: say("scorecard.units.deviations"),
    }[error_unit]


def reconstruction(measured: Measurement) -> list[Section]:
    """Return the errors over all rows; by class and by column where rows have such."""
    model, trips = measured.model, measured.trips
    means = {m: float(trip.errors.mean()) for m, trip in trips.items()}
    variance = model.variance(measured.data.rows, reported=True)
    explained = {m: 1 - mean / variance if variance > 0 else 0.0 for m, mean in means.items()}
    lines = [measure("error", say("scorecard.reconstruction.error"), means, "error", "low")]
    if means["pca"] > 0:
        ratio, words = means["narrows"] / means["pca"], say("scorecard.reconstruction.error_of_pca")
        lines.append(measure("error_of_pca", words, {"narrows": ratio}, "ratio", ""))
    lines.append(measure("score", say("scorecard.reconstruction.score"), explained))
    for percent in PERCENTILES:
        worst = {m: float(np.percentile(trip.errors, percent)) for m, trip in trips.items()}
        words = say("scorecard.reconstruction.percentile", percent=percent)
        lines.append(measure(f"error_{percent}", words, worst, "error", "low"))
    title, about = say("scorecard.reconstruction.title"), "scorecard.reconstruction.about"
    unit = unit_words(model.error_unit)
    whole = Section("reconstruction", title, say(about, unit=unit), tuple(lines))
    parts = (whole, class_errors(measured), column_errors(measured))
    return [part for part in parts if part is not None]


def class_errors(measured: Measurement) -> Section | None:
    """Return the mean error of each class; None without classes."""
    classes, trips, lines = measured.data.classes, measured.trips, []
    if classes is None:
        return None
    for number in np.unique(classes):
        name = measured.data.class_names[number]
        means = {m: float(t.errors[classes == number].mean()) for m, t in trips.items()}
        lines.append(measure(name, name, means, "error", "low"))
    unit = unit_words(measured.model.error_unit)
    about = say("scorecard.class_errors.about", unit=unit)
    return Section("class_errors", say("scorecard.class_errors.title"), about, tuple(lines))


def column_errors(measured: Measurement) -> Section | None:
    """Return the error of each column of a table, as a part of the column's variance.

    None for pictures, and where no column varies. Of all columns; see `worst_columns`.
    """
    model = measured.model
    if len(model.sample_shape) > 1 or model.picture_shape is not None:
        return None
    variances = model.pca.variances_  # over the training rows, in the unit of the errors
    repeated, trips, lines = Counter(model.names), measured.trips, []
    for number, name in enumerate(model.names):
        if variances[number] > 0:
            key = name if repeated[name] == 1 else f"{name} ({number})"
            ratios = {m: t.column_errors[number] / variances[number] for m, t in trips.items()}
            lines.append(measure(key, key, ratios, "error", "low"))
    title, about = say("scorecard.column_errors.title"), say("scorecard.column_errors.about")
    return Section("column_errors", title, about, tuple(lines)) if lines else None


def worst_columns(part: Section) -> Section:
    """Keep the columns with the largest errors, the largest first; note how many others are."""
    kept = largest(part.measures, MOST_COLUMNS)
    n_more = len(part.measures) - len(kept)
    notes = (say("scorecard.column_errors.more", n=n_more),) if n_more else ()
    return replace(part, measures=tuple(kept), notes=notes)
