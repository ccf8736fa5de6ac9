"""New codes: drawn from a prior, on the way between two, or along one number of a code.

Legend: N codes, K code size.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from narrows.common.limits import check, integer, one_of, real
from narrows.errors import DataError, ParameterError, near_miss
from narrows.linear.scaling import Scaling
from narrows.objectives.priors import PRIORS, Prior

Codes = NDArray[np.floating[Any]]
FLOAT32 = np.finfo(np.float32)
_LIMITS = {
    "n": integer(1),
    "steps": integer(2),
    "temperature": real(0),
    "span": real(0, low_open=True),
    "how": one_of("linear", "spherical"),
}


def check_options(owner: str, **options: Any) -> None:
    """Check ``n``, ``steps``, ``temperature``, ``span`` and ``how`` of a call, all at once.

    Raises
    ------
    ParameterError
    """
    check(owner, options, {name: _LIMITS[name] for name in options})


def check_dimension(dimension: object, n_components: int) -> None:
    """Check the place of a number in a code, from 0.

    Raises
    ------
    ParameterError
    """
    check("traverse", {"dimension": dimension}, {"dimension": integer(0, n_components - 1)})


def check_prior_name(name: object, *, more: tuple[str, ...] = ()) -> None:
    """Check that a name is that of a prior that can be fitted, or one of ``more``.

    Raises
    ------
    ParameterError
    """
    names = (*more, *PRIORS)
    if not isinstance(name, str) or name not in names:
        listed = ", ".join(repr(known) for known in names)
        raise ParameterError(f"`prior` must be {listed}, got {name!r}.{near_miss(name, names)}")


def drawn_codes(
    prior: Prior, n: int, temperature: float, classes: NDArray[np.int64] | None, seed: int
) -> Codes:
    """Draw codes (n, K) from a prior, float64.

    Parameters
    ----------
    prior : Prior
    n : int
    temperature : float
        Factor on the deviations of what is drawn.
    classes : ndarray (n,) or None
        Numbers of classes, for a prior that knows them.
    seed : int
    """
    numbers = None if classes is None else torch.from_numpy(classes)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        codes: Codes = prior.sample(n, generator, temperature, numbers).double().numpy()
    return codes


def in_float32(codes: Codes, scaling: Scaling) -> Codes:
    """Round codes to float32 where it can hold them, and the rows that they stand for."""
    size = np.abs(codes).max(initial=0.0)
    holds = size == 0 or FLOAT32.tiny <= size <= FLOAT32.max
    return codes.astype(np.float32) if holds and scaling.fits_float32() else codes


def between(start: Codes, end: Codes, centre: Codes, steps: int, how: str) -> Codes:
    """Return codes (steps, K) from ``start`` to ``end``, both (K,), the ends included.

    ``"linear"`` goes straight. ``"spherical"`` turns about ``centre`` (K,) at a constant angle
    per step, while the distance from it changes evenly. Codes between two typical ones then stay
    at a typical distance (K. Shoemake, "Animating rotation with quaternion curves", SIGGRAPH
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
    if np.sin(angle) < 1e-6:  # the same or opposite directions: no plane to turn in
        return straight
    sides = np.sin((1 - share) * angle) * a / lengths[0] + np.sin(share * angle) * b / lengths[1]
    length = (1 - share) * lengths[0] + share * lengths[1]
    return np.asarray(centre + length * sides / np.sin(angle))


def along(code: Codes, dimension: int, deviation: float, steps: int, span: float) -> Codes:
    """Return a code (K,) ``steps`` times, one number moved over ± ``span`` deviations."""
    moved = np.repeat(code[None], steps, axis=0)
    moved[:, dimension] += np.linspace(-span, span, steps) * deviation
    return moved


def lattice_codes(mean: Codes, deviations: Codes, steps: int) -> Codes:
    """Return codes (steps², 2), float64, on a lattice over a plane.

    They lie at even quantiles of a normal distribution with ``mean`` and ``deviations`` (2,) along
    each axis, so that each place of a decoded plane is about as large as codes are frequent there.

    Reference: D. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014, figure 4.
    """
    quantiles = np.array([NormalDist().inv_cdf((i + 0.5) / steps) for i in range(steps)])
    x, y = (centre + quantiles * side for centre, side in zip(mean, deviations, strict=True))
    codes: Codes = np.stack([np.tile(x, steps), np.repeat(y, steps)], axis=1)
    return codes


def class_numbers(y: Any, classes: NDArray[Any] | None, n: int) -> NDArray[np.int64] | None:
    """Return the numbers (n,) of classes given as one label or as one per row.

    Parameters
    ----------
    y : label, array-like (n,) or None
    classes : ndarray (C,) or None
        All labels, in the order of their numbers.
    n : int

    Raises
    ------
    DataError
        For labels that `fit` did not see, or another number of them than ``n``.
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
