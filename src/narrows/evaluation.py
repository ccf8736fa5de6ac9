"""Numbers that say how good a model is, on rows that it never saw, PCA beside it.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from narrows.density import Density, is_probabilistic, measure_density
from narrows.errors import DataError, DataTypeError, NarrowsWarning
from narrows.fields import check, integer
from narrows.generating import check_name
from narrows.inference import Inference
from narrows.objectives import Reconstruction
from narrows.sample_quality import SampleQuality, as_grey_pictures, sample_quality
from narrows.starting import pca_network

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

NEIGHBOURS = 10


@dataclass(frozen=True)
class Report:
    """How well rows come back, and what their codes know of the labels.

    Attributes
    ----------
    n_rows, n_features, n_components : int
    error, pca_error : float
        Mean squared error per value in data units, clipped to the same bounds; PCA's is that of
        the rows that training started from, at the same code size.
    score, pca_score : float
        Part of the variance about the training mean that comes back; 1 is perfect.
    worst_error : float
        95th percentile over rows of the mean squared error per value.
    knn_accuracy, pca_knn_accuracy : float or None
        Part of the rows whose label is the most frequent one among the 10 nearest other rows, by
        codes; None without labels.
    samples : SampleQuality or None
        Fréchet distance, precision and recall of samples, where they were asked for.
    density : Density or None
        Log-likelihood, its bound and its parts, in nats per row; None for a family that gives no
        density.
    """

    n_rows: int
    n_features: int
    n_components: int
    error: float
    pca_error: float
    score: float
    pca_score: float
    worst_error: float
    knn_accuracy: float | None = None
    pca_knn_accuracy: float | None = None
    samples: SampleQuality | None = None
    density: Density | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers by name, ready for JSON."""
        return asdict(self)

    def lines(self) -> list[tuple[str, str]]:
        """Return pairs of a name and a number in words, for a table."""
        ratio = f" ({self.error / self.pca_error:.2f} of PCA's)" if self.pca_error > 0 else ""
        found = [
            ("rows × features", f"{self.n_rows:,} × {self.n_features:,}"),
            ("numbers in a code", f"{self.n_components}"),
            ("mean squared error", f"{self.error:.5g}{ratio}"),
            ("PCA's error", f"{self.pca_error:.5g}"),
            ("variance explained", f"{self.score:.4f} (PCA {self.pca_score:.4f})"),
            ("error, 95th percentile", f"{self.worst_error:.5g}"),
        ]
        if self.knn_accuracy is not None:
            accuracies = f"{self.knn_accuracy:.4f} (PCA {self.pca_knn_accuracy:.4f})"
            found.append((f"{NEIGHBOURS}-NN accuracy of codes", accuracies))
        if self.density is not None:
            found += self.density.lines()
        if self.samples is not None:
            found += self.samples.lines()
        return found

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.lines())
        return "\n".join(f"{name:<{width}}  {value}" for name, value in self.lines())


def evaluate(
    ae: Autoencoder,
    X: Any,
    y: Any = None,
    *,
    samples: int = 0,
    prior: str = "auto",
    importance_samples: int = 50,
    random_state: Any = 0,
) -> Report:
    """Measure a fitted model on rows, which should be rows that it never saw.

    Parameters
    ----------
    ae : Autoencoder
        Fitted.
    X : array, frame or tensor (N, D), (N, H, W) or (N, H, W, C)
    y : array-like (N,), optional
        Labels, for the accuracy of neighbours in the space of codes.
    samples : int, default=0
        Pictures to draw from a prior and to compare with the rows, where these are grey pictures
        of 28 × 28 pixels; 10,000 are usual, and take seconds.
    prior : str, default="auto"
        What to draw them from, as for `Autoencoder.sample`.
    importance_samples : int, default=50
        Codes per row that the log-likelihood of a VAE or IWAE is estimated with; 0 leaves it out.
        5,000 are usual for numbers to publish, and take a hundred times as long.
    random_state : int, RandomState or None, default=0
        Seeds what is drawn.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        If ``y`` does not have one label per row, or fewer than 12 rows have labels; or for fewer
        than 8 samples or rows to compare.
    DataTypeError
        If ``ae`` is no model.
    ParameterError
        For ``samples`` or ``importance_samples`` below 0, or an unknown prior.
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
    check_name(prior, more=("auto",))
    rows = ae._read(X, reset=False)
    labels = None if y is None else _checked_labels(y, len(rows))
    ours, pca = ae._inference, pca_inference(ae)
    errors, pca_errors = ours.squared_errors(rows), pca.squared_errors(rows)
    spread = ae._spread(rows)
    density = None
    if importance_samples and is_probabilistic(ae):
        density = measure_density(ae, X, n_samples=importance_samples, random_state=random_state)
    accuracies: list[float | None] = [None, None]
    if labels is not None:
        accuracies = [knn_accuracy(model.encode(rows), labels) for model in (ours, pca)]
    return Report(
        n_rows=len(rows),
        n_features=rows.shape[1],
        n_components=ae.n_components_,
        error=float(errors.mean()),
        pca_error=float(pca_errors.mean()),
        score=float(1 - errors.mean() / spread) if spread > 0 else 0.0,
        pca_score=float(1 - pca_errors.mean() / spread) if spread > 0 else 0.0,
        worst_error=float(np.quantile(errors, 0.95)),
        knn_accuracy=accuracies[0],
        pca_knn_accuracy=accuracies[1],
        samples=_quality_of_samples(ae, rows, samples, prior, random_state) if samples else None,
        density=density,
    )


def pca_inference(ae: Autoencoder) -> Inference:
    """Return the PCA that a model started from, ready to encode and decode as the model does."""
    net = pca_network(ae.pca_, ae.network_.scaling)
    return Inference(net, Reconstruction(), ae.bounds_)


def _quality_of_samples(
    ae: Autoencoder, rows: NDArray[np.generic], n: int, prior: str, random_state: Any
) -> SampleQuality | None:
    """Compare samples with rows (N, D) where both are pictures that the features are made for."""
    real = as_grey_pictures(rows, ae.bounds_)
    if real is None:
        warnings.warn(
            "Samples are compared with rows where these are grey pictures of 28 × 28 pixels with"
            f" bounds (0, 1) or (0, 255); this model has rows of {rows.shape[1]:,} values and"
            f" bounds {ae.bounds_}, so its samples are not measured.",
            NarrowsWarning,
            stacklevel=3,
        )
        return None
    generated = ae.sample(n, prior=prior, random_state=random_state).reshape(n, -1)
    return sample_quality(as_grey_pictures(generated, ae.bounds_), real)


def _checked_labels(y: Any, n_rows: int) -> NDArray[Any]:
    labels = np.asarray(y)
    if labels.shape != (n_rows,):
        raise DataError(
            f"y has shape {labels.shape}, but X has {n_rows} rows; give one label per row."
        )
    if n_rows < NEIGHBOURS + 2:
        raise DataError(
            f"{n_rows} rows are too few for the accuracy of {NEIGHBOURS} neighbours; give at least"
            f" {NEIGHBOURS + 2}, or leave y out."
        )
    return labels


def knn_accuracy(
    Z: NDArray[Any],
    y: NDArray[Any],
    Z_test: NDArray[Any] | None = None,
    y_test: NDArray[Any] | None = None,
) -> float:
    """Return how often the most frequent label among 10 nearest codes is the right one.

    Parameters
    ----------
    Z : ndarray (N, K)
    y : ndarray (N,)
    Z_test, y_test : ndarray (M, K) and (M,), optional
        Rows to judge by their neighbours in ``Z``; without them each row of ``Z`` is judged by
        its neighbours among the others.
    """
    from sklearn.neighbors import NearestNeighbors

    classes, numbers = np.unique(y, return_inverse=True)
    search = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(Z)
    near = search.kneighbors(Z_test, return_distance=False)
    votes = numbers[near]
    counts = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
    # Of the labels with the most votes the smallest wins, as in scikit-learn.
    first = (counts * (len(classes) + 1) - votes).argmax(axis=1)
    winners = votes[np.arange(len(votes)), first]
    truth = y if y_test is None else y_test
    return float(np.mean(classes[winners] == truth))


@dataclass(frozen=True)
class ClassifierResult:
    """A small neural classifier on some features.

    Attributes
    ----------
    n_inputs, n_parameters : int
    accuracy : float
        On test rows.
    seconds : float
        Of its training.
    """

    n_inputs: int
    n_parameters: int
    accuracy: float
    seconds: float


def classify(
    features: NDArray[Any],
    y: NDArray[Any],
    test_features: NDArray[Any],
    y_test: NDArray[Any],
    *,
    hidden: int,
    max_iter: int,
    random_state: int = 0,
) -> ClassifierResult:
    """Train scikit-learn's `MLPClassifier` with one hidden layer on features, and test it.

    Parameters
    ----------
    features, test_features : ndarray (N, F) and (M, F)
        Divided by one common number before training, learned from ``features``.
    y, y_test : ndarray (N,) and (M,)
    hidden : int
        Width of the hidden layer.
    max_iter : int
        Epochs.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    scale = features.std() or 1.0
    classifier = MLPClassifier(
        (hidden,), max_iter=max_iter, batch_size=256, random_state=random_state
    )
    started = time.perf_counter()
    with warnings.catch_warnings():
        # A fixed number of epochs is the plan here, not a failure to converge.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(features / scale, y)
    seconds = time.perf_counter() - started
    parameters = [*classifier.coefs_, *classifier.intercepts_]
    return ClassifierResult(
        n_inputs=features.shape[1],
        n_parameters=sum(array.size for array in parameters),
        accuracy=float(classifier.score(test_features / scale, y_test)),
        seconds=seconds,
    )
