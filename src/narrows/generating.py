"""New codes: drawn from a prior, on the way between two, or along one number of a code.

Legend: N codes, K code size.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from narrows.errors import DataError, ParameterError, near_miss
from narrows.fields import complaint, integer, one_of, real
from narrows.priors import PRIORS, ClassNormals, Prior

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

MOST_CODES = 10_000
"""Training rows whose codes are kept in memory, to fit priors to."""
Codes = NDArray[np.floating[Any]]


def check_options(owner: str, **options: Any) -> None:
    """Check ``n``, ``steps``, ``temperature``, ``span`` and ``how`` of a call, all at once.

    Raises
    ------
    ParameterError
    """
    limits = {
        "n": integer(1),
        "steps": integer(2),
        "temperature": real(0),
        "span": real(0, low_open=True),
        "how": one_of("linear", "spherical"),
    }
    complaints = [complaint(name, owner, value, limits[name]) for name, value in options.items()]
    found = [sentence for sentence in complaints if sentence is not None]
    if found:
        raise ParameterError(" ".join(found))


def fit_prior(name: str, codes: Codes, seed: int) -> Prior:
    """Fit a prior to codes (N, K).

    Raises
    ------
    ParameterError
        For an unknown name.
    """
    check_name(name)
    fitted: Prior = PRIORS[name].fit(torch.from_numpy(codes.astype(np.float64)), seed)
    return fitted


def check_name(name: object, *, more: tuple[str, ...] = ()) -> None:
    """Check that a prior is one that can be fitted, or one of a few further words.

    Raises
    ------
    ParameterError
    """
    names = (*more, *PRIORS)
    if not isinstance(name, str) or name not in names:
        listed = ", ".join(repr(known) for known in names)
        raise ParameterError(f"`prior` must be {listed}, got {name!r}.{near_miss(name, names)}")


def draw_codes(
    prior: Prior, n: int, temperature: float, random_state: Any, y: NDArray[np.int64] | None
) -> Codes:
    """Draw codes (N, K) from a prior, float32."""
    generator = torch.Generator().manual_seed(seed_of(random_state))
    classes = None if y is None else torch.from_numpy(y)
    with torch.no_grad():
        drawn: Codes = prior.sample(n, generator, temperature, classes).float().numpy()
    return drawn


def seed_of(random_state: Any) -> int:
    """Draw a seed as scikit-learn would, but leave NumPy's global stream alone."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31 - 1))


def between(start: Codes, end: Codes, centre: Codes, steps: int, how: str) -> Codes:
    """Return codes (steps, K) from ``start`` to ``end``, both (K,), the ends included.

    ``"linear"`` goes straight; ``"spherical"`` turns about ``centre`` (K,) at a steady angle
    while the distance from it changes evenly, so that codes between two typical ones stay as far
    out as typical ones are (K. Shoemake, "Animating rotation with quaternion curves", SIGGRAPH
    1985).
    """
    share = np.linspace(0.0, 1.0, steps)[:, None]
    straight: Codes = (1 - share) * start + share * end
    if how == "linear":
        return straight
    a, b = start - centre, end - centre
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if min(lengths) == 0:
        return straight
    angle = np.arccos(np.clip(a @ b / (lengths[0] * lengths[1]), -1.0, 1.0))
    if np.sin(angle) < 1e-6:  # along one line, or turned about by a half: no one way round
        return straight
    sides = np.sin((1 - share) * angle) * a / lengths[0] + np.sin(share * angle) * b / lengths[1]
    length = (1 - share) * lengths[0] + share * lengths[1]
    return np.asarray(centre + length * sides / np.sin(angle))


def along(code: Codes, dimension: int, deviation: float, steps: int, span: float) -> Codes:
    """Return a code (K,) ``steps`` times, one number moved over ± ``span`` deviations."""
    moved = np.repeat(code[None], steps, axis=0)
    moved[:, dimension] += np.linspace(-span, span, steps) * deviation
    return moved


def lattice(ae: Autoencoder, steps: int = 15) -> Codes:
    """Return codes on a lattice over the plane of a model with two numbers.

    They lie at even quantiles of a normal distribution along each axis, so that a decoded plane
    shows each place about as large as codes are frequent there: N(0, 1) where codes were trained
    to follow it, else the normal distribution of each number over training rows.

    Parameters
    ----------
    ae : Autoencoder
        Fitted, with ``n_components=2``.
    steps : int, default=15
        Codes along each axis.

    Returns
    -------
    Z : ndarray (steps², 2), float32
        For `Autoencoder.inverse_transform` and `narrows.figures.lattice`.

    Raises
    ------
    ParameterError
        For a model with another number of components, or fewer steps than two.

    Reference: D. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014, figure 4.
    """
    check_is_fitted(ae)
    check_options("lattice", steps=steps)
    if ae.n_components_ != 2:
        raise ParameterError(
            f"A lattice is drawn over two numbers, but a code of this model has"
            f" {ae.n_components_}. Fit n_components=2, or use traverse."
        )
    own = ae._own_prior()
    if isinstance(own, ClassNormals) and not own.n_classes:
        mean, deviations = np.zeros(2), np.full(2, ae.network_.code_unit)
    else:
        fitted = ae._normal_prior()
        mean, deviations = fitted.mean.numpy(), fitted.deviations.numpy()
    quantiles = np.array([NormalDist().inv_cdf((i + 0.5) / steps) for i in range(steps)])
    x, y = (centre + quantiles * side for centre, side in zip(mean, deviations, strict=True))
    codes: Codes = np.stack([np.tile(x, steps), np.repeat(y, steps)], axis=1).astype(np.float32)
    return codes


def class_numbers(y: Any, classes: NDArray[Any] | None, n: int) -> NDArray[np.int64] | None:
    """Return the numbers (N,) of classes given as one label or as one per row.

    Raises
    ------
    DataError
        For labels that `fit` did not see, or too few of them.
    ParameterError
        If the model knows no classes.
    """
    if y is None:
        return None
    if classes is None:
        raise ParameterError(
            f"y={y!r} was given, but this model was not trained with classes. Fit"
            " objective=VAE(conditional=True) with y, or leave y out."
        )
    labels = np.full(n, y) if np.ndim(y) == 0 else np.asarray(y)
    if labels.shape != (n,):
        raise DataError(f"y has shape {labels.shape}; give one label, or one for each of {n} rows.")
    known = {label: number for number, label in enumerate(classes.tolist())}
    unknown = [label for label in labels.tolist() if label not in known]
    if unknown:
        raise DataError(
            f"y holds {unknown[0]!r}, a class that `fit` did not see; it saw"
            f" {', '.join(repr(label) for label in known)}."
        )
    return np.array([known[label] for label in labels.tolist()], dtype=np.int64)
