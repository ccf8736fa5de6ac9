"""The scorecard of a model on rows that it never saw, with PCA's numbers beside it.

Legend: N rows, M training rows, D features.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.common.limits import Limit, check, integer, is_integer
from narrows.common.seeds import seed_of
from narrows.common.threads import one_blas_thread
from narrows.common.warn import warn
from narrows.errors import DataError
from narrows.estimator import Autoencoder
from narrows.evaluation import generation
from narrows.evaluation.clusters import clusters
from narrows.evaluation.costs import costs
from narrows.evaluation.neighbors import neighbors
from narrows.evaluation.probes import nothing_to_probe, probes
from narrows.evaluation.reconstruction import reconstruction, worst_columns
from narrows.evaluation.report import Report
from narrows.evaluation.round_trip import Measurement
from narrows.evaluation.rows import MeasuredRows, check_estimator, read_rows
from narrows.evaluation.sample_quality import LEAST, SampleQuality, as_grey_pictures
from narrows.evaluation.scores import Section, merged
from narrows.evaluation.seeds import MOST_SEEDS, check_seeds, fits_with_classes, fitted_again
from narrows.evaluation.shown import Shown, gather
from narrows.evaluation.splitting import split
from narrows.evaluation.views import views
from narrows.model.density import Density, density_of, is_probabilistic
from narrows.model.model import Model

_SAMPLES = Limit(lambda n: is_integer(n) and (n == 0 or n >= LEAST), f"0, or an integer ≥ {LEAST}")
__all__ = ["Report", "evaluate"]


def evaluate(  # many arguments: each is an option of the scorecard, by keyword
    ae: Autoencoder,
    X: Any,
    y: Any = None,
    *,
    X_train: Any = None,
    y_train: Any = None,
    seeds: int = 1,
    samples: int = 0,
    prior: str = "auto",
    importance_samples: int = 50,
    random_state: Any = 0,
    verbose: int = 0,
) -> Report:
    """Measure a fitted model on rows that it never saw.

    Reconstruction, neighbours, seconds and bytes are measured on any rows, errors by column on
    tables. With labels also 10-NN accuracy, what probes read from the codes, and how well clusters
    of codes agree with the classes. PCA's numbers stand beside ours; for probes also those of the
    rows themselves and of an untrained network of the same architecture. Probes and clusters are
    tested on other rows than they learn from.

    Errors are in the unit in which the model was trained, which the report names: squared data
    units or, with ``scaling="standard"``, squared standard deviations of each column.

    Parameters
    ----------
    ae : Autoencoder
        Fitted.
    X : array, frame or tensor (N, D), (N, H, W) or (N, H, W, C)
        Held-out rows.
    y : array-like (N,), optional
        Labels. Only 10-NN accuracy and probes learn from them.
    X_train : as X, (M, D), optional
        The rows that the model was trained on; a model does not hold them. Seeds need them. With
        ``y_train``, at most 10,000 of them, evenly chosen, vote for 10-NN accuracy, and probes and
        clusters learn from them. Without, 10-NN accuracy is a leave-one-out accuracy of ``X``, and
        probes and clusters learn from one half of ``X`` and are tested on the other.
    y_train : array-like (M,), optional
        Labels of the training rows. Without ``y`` they serve further seeds alone, of an objective
        that learns from classes.
    seeds : int, default=1
        Models to measure: the given one, and others fitted on ``X_train`` with the same parameters
        and other seeds. Numbers are then means, with Student's 95 % interval.
    samples : int, default=0
        Pictures to draw from a prior and to compare with the rows, if these are grey pictures of
        28 × 28 pixels; 10,000 are usual, and take seconds.
    prior : str, default="auto"
        The prior to draw them from, as for `Autoencoder.sample`.
    importance_samples : int, default=50
        Codes per row for the estimate of the log-likelihood of a VAE or IWAE; 0 leaves it out.
        5,000 are usual for numbers to publish, and take a hundred times as long.
    random_state : int, RandomState or None, default=0
        Of all that is drawn: halves of the rows, labels, starts of clusters, samples.
    verbose : int, default=0
        1 says on standard error which seed is being fitted.

    Returns
    -------
    Report
        To print, or to save as ``.json`` or ``.html``.

    Raises
    ------
    DataError
        If there is not one label per row, or fewer than 12 rows have labels; for training rows
        that are ``X``, or their labels without use; for fewer than 8 rows to compare samples with,
        or a prior that the model cannot fit.
    DataTypeError
        If ``ae`` is no `Autoencoder`.
    ParameterError
        For ``seeds`` below 1, or above it without ``X_train``; for 1 to 7 ``samples`` or a number
        below 0, ``importance_samples`` below 0, or an unknown prior.
    """
    check_estimator("evaluate(ae, X, y)", ae)
    counts = {"samples": samples, "importance_samples": importance_samples, "seeds": seeds}
    limits = {"samples": _SAMPLES, "importance_samples": integer(0), "seeds": integer(1)}
    check("evaluate", counts, limits)
    model = ae.model_
    prior_name = model.fitted_prior_for(prior)
    check_seeds(ae, seeds, X_train, y_train)
    if y_train is not None and y is None and not fits_with_classes(ae, seeds):
        raise DataError(
            "y_train was given without labels of the held-out rows, so nothing would use it; give"
            " these too, or leave y_train out."
        )
    data = read_rows(ae, X, y, X_train, y_train)
    known = is_integer(random_state) and random_state >= 0
    seed = int(random_state) % MOST_SEEDS if known else seed_of(random_state)
    n_samples = _n_samples(model, data, samples)
    if n_samples and prior_name not in (None, *model.priors):
        model = model.with_prior(prior)
    asked = _Asked(n_samples, prior, importance_samples)
    cards = [_card(Measurement.of(model, data, seed), asked)]
    for number in range(1, seeds):
        if verbose:
            print(f"narrows: fitting seed {number + 1} of {seeds}", file=sys.stderr, flush=True)
        again, seconds = fitted_again(ae, number, X_train, y_train)
        measured = Measurement.of(again.model_, data, (seed + number) % MOST_SEEDS)
        cards.append(_card(measured, asked, seconds))
    return _report(model, data, cards)


def _n_samples(model: Model, data: MeasuredRows, samples: int) -> int:
    """Return how many samples can be compared with the rows: those asked for, or none."""
    if not samples or as_grey_pictures(data.rows[:1], model.bounds) is not None:
        return samples
    warn(
        "Only samples of grey pictures of 28 × 28 pixels with bounds (0, 1) or (0, 255) can be"
        f" measured; this model has rows of {model.n_features:,} values and bounds"
        f" {model.bounds}, so its samples are not measured."
    )
    return 0


@dataclass(frozen=True)
class _Asked:
    """What a scorecard has beside its usual numbers."""

    samples: int
    prior: str
    importance_samples: int


@dataclass(frozen=True)
class _Card:
    """The numbers of one seed."""

    sections: list[Section]
    shown: Shown
    samples: SampleQuality | None
    density: Density | None


def _card(measured: Measurement, asked: _Asked, fit_seconds: float | None = None) -> _Card:
    """Measure one model."""
    model, rows = measured.model, measured.data.rows
    sections = reconstruction(measured)
    # Products here are small; shared out over threads, they take up to four times as long.
    with one_blas_thread():
        sections.append(neighbors(measured))
        more, table = _of_classes(measured)
    sections += more
    density, quality = None, None
    if asked.importance_samples and is_probabilistic(model):
        random = np.random.RandomState(measured.seed)
        density = density_of(model, rows, asked.importance_samples, random)
        sections.append(generation.likelihood(density))
    if asked.samples:
        quality = generation.quality(measured, asked.samples, asked.prior)
        sections.append(generation.samples(quality))
    sections.append(costs(measured, fit_seconds))
    return _Card(sections, gather(measured, table), quality, density)


def _of_classes(measured: Measurement) -> tuple[list[Section], NDArray[np.int64] | None]:
    """Return probes and clusters, and a table of rows by class and cluster, if there are classes.

    If the labels are not used as classes, return a section that says why.
    """
    data, seed = measured.data, measured.seed
    chosen = split(data, seed)
    if chosen is None:
        return [nothing_to_probe(data.no_classes)] if data.no_classes else [], None
    inputs = {
        name: (view(chosen.learn), view(chosen.test))
        for name, view in views(measured.model, seed).items()
    }
    found, table = clusters(chosen, inputs, seed)
    return [probes(chosen, inputs, seed), found], table


def _report(model: Model, data: MeasuredRows, cards: list[_Card]) -> Report:
    sections = tuple(
        worst_columns(part) if part.key == "column_errors" else part
        for part in merged([card.sections for card in cards])
    )
    means = {
        (part.key, line.key, name): score.mean
        for part in sections
        for line in part.measures
        for name, score in line.scores.items()
    }
    return Report(
        n_rows=len(data.rows),
        n_features=data.rows.shape[1],
        n_components=model.n_components,
        error_unit=model.error_unit,
        error=means["reconstruction", "error", "narrows"],
        pca_error=means["reconstruction", "error", "pca"],
        score=means["reconstruction", "score", "narrows"],
        pca_score=means["reconstruction", "score", "pca"],
        worst_error=means["reconstruction", "error_95", "narrows"],
        knn_accuracy=means.get(("neighbours", "knn_accuracy", "narrows")),
        pca_knn_accuracy=means.get(("neighbours", "knn_accuracy", "pca")),
        samples=cards[0].samples,
        density=cards[0].density,
        n_seeds=len(cards),
        measured=sections[:-1],
        costs=sections[-1],
        shown=cards[0].shown,
    )
