"""The scorecard of a model, on rows that it never saw, PCA beside it.

Legend: N rows, M training rows, D features.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from narrows.common.limits import check, integer, is_integer
from narrows.common.seeds import seed_of
from narrows.common.threads import one_blas_thread
from narrows.common.warn import warn
from narrows.errors import DataTypeError
from narrows.evaluation import generation
from narrows.evaluation.classifiers import ClassifierResult, classify, knn_accuracy
from narrows.evaluation.clusters import clusters
from narrows.evaluation.costs import costs
from narrows.evaluation.density import measure_density
from narrows.evaluation.neighbors import neighbors
from narrows.evaluation.probes import nothing_to_probe, probes
from narrows.evaluation.reconstruction import reconstruction, round_trip
from narrows.evaluation.report import Report
from narrows.evaluation.rows import MeasuredRows, read_rows
from narrows.evaluation.sample_quality import SampleQuality, as_grey_pictures
from narrows.evaluation.scores import Section, merged
from narrows.evaluation.seeds import check_seeds, fitted_again
from narrows.evaluation.shown import Shown, gather
from narrows.evaluation.splitting import split
from narrows.evaluation.views import pca_inference, views
from narrows.model.density import Density, is_probabilistic
from narrows.model.sampling import check_prior_name

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

MOST_SEEDS = 1 << 32
"""Seeds that scikit-learn takes."""
__all__ = ["ClassifierResult", "Report", "classify", "evaluate", "knn_accuracy", "pca_inference"]


def evaluate(
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

    Reconstruction, neighbours, seconds and bytes are measured of any rows; with labels also what
    probes read from the codes, and how well clusters of codes agree with the classes. PCA's numbers
    stand beside ours, and where they say more, those of the rows themselves and of a network of the
    same architecture that was never trained. What learns from rows is tested on others.

    Parameters
    ----------
    ae : Autoencoder
        Fitted.
    X : array, frame or tensor (N, D), (N, H, W) or (N, H, W, C)
        Held-out rows.
    y : array-like (N,), optional
        Labels. No number but those of probes learns from them.
    X_train : as X, (M, D), optional
        The rows that the model was trained on, which a model does not hold. Seeds need them, and
        with ``y_train`` probes and clusters learn from at most 10,000 of them. Without, they learn
        from one half of ``X`` and are tested on the other.
    y_train : array-like (M,), optional
        Labels of the training rows.
    seeds : int, default=1
        Models to measure: the given one, and others with its parameters and further seeds, fitted
        on ``X_train``. Numbers are then means, with Student's 95 % interval.
    samples : int, default=0
        Pictures to draw from a prior and to compare with the rows, where these are grey pictures
        of 28 × 28 pixels; 10,000 are usual, and take seconds.
    prior : str, default="auto"
        What to draw them from, as for `Autoencoder.sample`.
    importance_samples : int, default=50
        Codes per row that the log-likelihood of a VAE or IWAE is estimated with; 0 leaves it out.
        5,000 are usual for numbers to publish, and take a hundred times as long.
    random_state : int, RandomState or None, default=0
        Seeds what is drawn: rows, labels, starts of clusters, samples.
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
        that are ``X``; or for fewer than 8 samples or rows to compare.
    DataTypeError
        If ``ae`` is no model.
    ParameterError
        For ``seeds`` below 1, or above it without ``X_train``; for ``samples`` or
        ``importance_samples`` below 0, or an unknown prior.
    """
    from sklearn.utils.validation import check_is_fitted

    from narrows.estimator import Autoencoder

    if not isinstance(ae, Autoencoder):  # scikit-learn would print the whole array
        raise DataTypeError(
            "evaluate(ae, X, y) takes a fitted Autoencoder first, then the rows; its first"
            f" argument is of type {type(ae).__name__}."
        )
    check_is_fitted(ae)
    counts = {"samples": samples, "importance_samples": importance_samples}
    check("evaluate", counts, dict.fromkeys(counts, integer(0)))
    check("evaluate", {"seeds": seeds}, {"seeds": integer(1)})
    check_prior_name(prior, more=("auto",))
    check_seeds(ae, seeds, X_train, y_train)
    data = read_rows(ae, X, y, X_train, y_train)
    if samples and as_grey_pictures(data.rows[:1], ae.bounds_) is None:
        samples = 0
        warn(
            "Samples are compared with rows where these are grey pictures of 28 × 28 pixels with"
            f" bounds (0, 1) or (0, 255); this model has rows of {data.rows.shape[1]:,} values and"
            f" bounds {ae.bounds_}, so its samples are not measured."
        )
    known = is_integer(random_state) and random_state >= 0
    seed = int(random_state) % MOST_SEEDS if known else seed_of(random_state)
    asked = _Asked(samples, prior, importance_samples, seed)
    cards = [_measured(ae, data, asked, 0)]
    for number in range(1, seeds):
        if verbose:
            print(f"narrows: fitting seed {number + 1} of {seeds}", file=sys.stderr, flush=True)
        again, seconds = fitted_again(ae, number, X_train, y_train)
        cards.append(_measured(again, data, asked, number, seconds))
    return _report(ae, data, cards)


@dataclass(frozen=True)
class _Asked:
    """What a scorecard is to have beside its numbers, and the seed of what is drawn."""

    samples: int
    prior: str
    importance_samples: int
    seed: int


@dataclass(frozen=True)
class _Card:
    """The numbers of one seed."""

    sections: list[Section]
    shown: Shown
    samples: SampleQuality | None
    density: Density | None


def _measured(
    ae: Autoencoder,
    data: MeasuredRows,
    asked: _Asked,
    number: int,
    fit_seconds: float | None = None,
) -> _Card:
    """Measure one model, with a number that sets what is drawn apart from other seeds."""
    seed = asked.seed + number
    trips = {
        "narrows": round_trip(ae.model_.inference, data.rows),
        "pca": round_trip(pca_inference(ae), data.rows),
    }
    sections = reconstruction(ae, data, trips)
    # Products here are small; shared out over threads, they take up to four times as long.
    with one_blas_thread():
        sections.append(neighbors(ae, data, trips, seed))
        more, table = _of_classes(ae, data, seed)
    sections += more
    density, quality = None, None
    if asked.importance_samples and is_probabilistic(ae.model_):
        density = measure_density(ae, data.X, n_samples=asked.importance_samples, random_state=seed)
        sections.append(generation.likelihood(density))
    if asked.samples:
        quality = generation.quality(ae, data, asked.samples, asked.prior, seed)
        sections.append(generation.samples(quality))
    sections.append(costs(ae, data, trips, fit_seconds))
    return _Card(sections, gather(ae, data, trips, table, seed), quality, density)


def _of_classes(
    ae: Autoencoder, data: MeasuredRows, seed: int
) -> tuple[list[Section], NDArray[np.int64] | None]:
    """Return what needs classes, and rows by class and cluster; a word where labels are none."""
    chosen, reason = split(data, seed), data.no_classes()
    if chosen is None:
        return ([] if reason is None else [nothing_to_probe(reason)]), None
    inputs = {
        name: (view(chosen.learn), view(chosen.test)) for name, view in views(ae, seed).items()
    }
    found, table = clusters(chosen, inputs, seed)
    return [probes(chosen, inputs, seed), found], table


def _report(ae: Autoencoder, data: MeasuredRows, cards: list[_Card]) -> Report:
    sections = merged([card.sections for card in cards])
    means = {
        (part.key, line.key, name): score.mean
        for part in sections
        for line in part.measures
        for name, score in line.scores.items()
    }
    return Report(
        n_rows=len(data.rows),
        n_features=data.rows.shape[1],
        n_components=ae.n_components_,
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
