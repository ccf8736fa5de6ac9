"""How good samples are: how similar to real pictures, and how much of their variety they have.

Legend: N real rows, M generated rows, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.errors import DataError
from narrows.evaluation.digit_features import HEIGHT, WIDTH, digit_features

NTH_NEIGHBOR = 3
"""The neighbor that lies on the border of the ball about a row."""
LEAST = 2 * (NTH_NEIGHBOR + 1)
"""Pictures of either kind that can be compared."""
WORKING_MIB = 64
"""Memory of a block of distances, at most."""
Features = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class SampleQuality:
    """Samples compared with real pictures, by the features of the classifier of digits.

    Attributes
    ----------
    n_samples : int
    frechet : float
        Squared Fréchet distance between samples and real pictures. Over the training digits of
        MNIST the features have a mean variance of 1.
    frechet_floor : float
        The same between two random halves of the real pictures. Fewer rows make the distance a
        little larger, so it can be larger than ``frechet`` of very good samples.
    precision, recall : float
        Part of the samples that lie among real pictures; part of the real pictures that lie among
        samples.
    """

    n_samples: int
    frechet: float
    frechet_floor: float
    precision: float
    recall: float


def sample_quality(generated: Any, real: Any, random_state: int = 0) -> SampleQuality:
    """Compare generated pictures with real ones.

    Parameters
    ----------
    generated : array-like (M, 784), (M, 28, 28) or (M, 28, 28, 1)
        Grey values in [0, 1], light on dark.
    real : array-like
        N pictures in the same form.
    random_state : int, default=0
        Of the two halves of the real pictures.

    Raises
    ------
    DataError
        For another shape or range, or fewer than 8 pictures of either kind.
    """
    ours, theirs = digit_features(generated), digit_features(real)
    if min(len(ours), len(theirs)) < LEAST:
        raise DataError(
            f"{len(ours)} samples and {len(theirs)} real pictures are too few to compare; give at"
            f" least {LEAST} of each."
        )
    order = np.random.default_rng(random_state).permutation(len(theirs))
    half = len(theirs) // 2
    precision, recall = precision_recall(theirs, ours)
    return SampleQuality(
        n_samples=len(ours),
        frechet=frechet_distance(theirs, ours),
        frechet_floor=frechet_distance(theirs[order[:half]], theirs[order[half:]]),
        precision=precision,
        recall=recall,
    )


def as_grey_pictures(
    X: NDArray[np.generic], bounds: tuple[float, float] | None
) -> NDArray[np.float64] | None:
    """Return rows (N, 784) as grey values in [0, 1], or None if they are no such pictures.

    Parameters
    ----------
    X : ndarray (N, D)
    bounds : (float, float) or None
        Of the values: (0, 1) and (0, 255) are those of pictures.
    """
    if X.shape[1:] != (HEIGHT * WIDTH,) or bounds is None or bounds not in ((0, 1), (0, 255)):
        return None
    return np.clip(np.asarray(X, dtype=np.float64) / bounds[1], 0, 1)


def frechet_distance(a: Features, b: Features) -> float:
    """Return the squared Fréchet distance between the normal distributions fitted to features.

    ::

        ‖μ_a − μ_b‖² + tr(C_a + C_b − 2 (C_a C_b)^½)

    Reference: M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local
    Nash equilibrium", NIPS 2017, eq. 6, who use the features of another network. More rows give
    smaller distances, so compare only distances of equally many rows.

    Parameters
    ----------
    a, b : ndarray (N, F) and (M, F)
        At least two rows each.
    """
    (mean_a, covariance_a), (mean_b, covariance_b) = (_moments(rows) for rows in (a, b))
    root = _square_root(covariance_a)
    # C_a C_b has the eigenvalues of the symmetric C_a^½ C_b C_a^½, which are never negative.
    values = np.linalg.eigvalsh(root @ covariance_b @ root)
    cross = np.sqrt(np.clip(values, 0, None)).sum()
    spread = np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross
    return float(np.square(mean_a - mean_b).sum() + max(spread, 0.0))


def _moments(rows: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = np.asarray(rows, dtype=np.float64)
    return rows.mean(axis=0), np.atleast_2d(np.cov(rows, rowvar=False))


def _square_root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(covariance)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return root


def precision_recall(
    real: Features, generated: Features, k: int = NTH_NEIGHBOR
) -> tuple[float, float]:
    """Return the part of generated rows that lie among real ones, and the reverse.

    Each row of a set has a ball about it that reaches to its k-th neighbor in the set. A row lies
    among the rows of a set if it lies in one of their balls.

    Reference: T. Kynkäänniemi et al., "Improved precision and recall metric for assessing
    generative models", NeurIPS 2019, eqs. 1 to 3.

    Parameters
    ----------
    real, generated : ndarray (N, F) and (M, F)
        More than ``k`` rows each.
    k : int, default=3
    """
    real, generated = (np.asarray(rows, dtype=np.float64) for rows in (real, generated))
    return (
        float(_among(generated, real, k).mean()),
        float(_among(real, generated, k).mean()),
    )


def _among(rows: Features, others: Features, k: int) -> NDArray[np.bool_]:
    """Tell for each row (n,) whether it lies in a ball about one of the others."""
    # Place 0 is the row itself, at a distance of 0.
    radii = _reduced(others, others, lambda distances: np.partition(distances, k, axis=1)[:, k])
    among: NDArray[np.bool_] = _reduced(
        rows, others, lambda distances: (distances <= radii).any(axis=1)
    )
    return among


def _reduced(a: Features, b: Features, reduce: Any) -> NDArray[Any]:
    """Apply a function to blocks of the distances (n, m) between rows; join its results."""
    from sklearn.metrics import pairwise_distances_chunked

    blocks = pairwise_distances_chunked(
        a,
        None if a is b else b,
        reduce_func=lambda distances, start: reduce(distances),
        working_memory=WORKING_MIB,
    )
    return np.concatenate(list(blocks))
