"""New codes: drawn from a prior, on the way between two, or along one number of a code.

Legend: N codes, K code size.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from narrows.common.limits import complaint, integer, is_integer, one_of, real
from narrows.common.seeds import seed_of
from narrows.errors import DataError, ParameterError, near_miss
from narrows.objectives.priors import PRIORS, ClassNormals, Normal, Prior

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

MOST_CODES = 30_000
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


def sample(
    ae: Autoencoder, n: int, prior: str, temperature: float, y: Any, random_state: Any
) -> Codes:
    """Draw codes from a prior and decode them, for `Autoencoder.sample`."""
    check_options("sample", n=n, temperature=temperature)
    source = _chosen_prior(ae, prior, conditional=y is not None)
    numbers = class_numbers(y, ae._classes, n)
    classes = None if numbers is None else torch.from_numpy(numbers)
    generator = torch.Generator().manual_seed(seed_of(random_state))
    with torch.no_grad():
        codes: Codes = source.sample(n, generator, temperature, classes).double().numpy()
    if source is own_prior(ae):
        codes = codes * float(ae.network_.code_unit)
    with np.errstate(over="ignore"):
        in_float32 = codes.astype(np.float32)
    return ae.inverse_transform(in_float32 if np.isfinite(in_float32).all() else codes)


def fit_prior(ae: Autoencoder, name: str, X: Any = None) -> Prior:
    """Fit a prior to the codes of rows, or to those that were kept, and leave it in ``priors_``.

    Raises
    ------
    ParameterError
        For an unknown name.
    DataError
        Without rows where the model holds no codes.
    """
    check_name(name)
    codes = ae._codes if X is None else ae.transform(X)
    if codes is None:
        raise DataError(
            f"This model was read from a file, which holds no codes of training rows to fit a"
            f" {name!r} prior to. Call fit_prior({name!r}, X) with such rows, or fit it before"
            f" saving (on the command line: `narrows fit ... --prior {name}`)."
        )
    fitted: Prior = PRIORS[name].fit(torch.from_numpy(codes.astype(np.float64)), ae._prior_seed)
    ae.priors_[name] = fitted
    return fitted


def own_prior(ae: Autoencoder) -> Prior | None:
    """Return the prior that the family was trained to follow, in the network's units."""
    return ae._objective.trained_prior(ae.network_)


def normal_prior(ae: Autoencoder) -> Normal:
    """Return the normal distribution of the codes of training rows."""
    normal = ae.priors_.get("normal") or fit_prior(ae, "normal")
    assert isinstance(normal, Normal)
    return normal


def _chosen_prior(ae: Autoencoder, name: str, *, conditional: bool) -> Prior:
    check_name(name, more=("auto",))
    own = own_prior(ae)
    if own is not None and name in ("auto", own.name):
        return own
    if conditional and ae._classes is not None:
        raise ParameterError(
            f"A {name!r} prior fitted to codes knows no classes; use prior='auto' with y."
        )
    if name == "auto":
        return normal_prior(ae)
    return ae.priors_.get(name) or fit_prior(ae, name)


def interpolate(ae: Autoencoder, a: Any, b: Any, steps: int, how: str) -> Codes:
    """Decode the way from one row's code to another's, for `Autoencoder.interpolate`."""
    check_options("interpolate", steps=steps, how=how)
    start, end = (_code(ae, row) for row in (a, b))
    centre = normal_prior(ae).mean.numpy() if how == "spherical" else np.zeros_like(start)
    return ae.inverse_transform(between(start, end, centre, steps, how).astype(start.dtype))


def traverse(ae: Autoencoder, x: Any, dimension: int, steps: int, span: float) -> Codes:
    """Decode a row's code with one of its numbers moved, for `Autoencoder.traverse`."""
    check_options("traverse", steps=steps, span=span)
    if not is_integer(dimension) or not 0 <= dimension < ae.n_components_:
        raise ParameterError(
            f"`dimension` of traverse must be an integer from 0 to {ae.n_components_ - 1},"
            f" got {dimension!r}."
        )
    deviation = float(normal_prior(ae).deviations[dimension])
    return ae.inverse_transform(along(_code(ae, x), int(dimension), deviation, steps, span))


def _code(ae: Autoencoder, row: Any) -> Codes:
    """Return the code (K,) of one row, given alone or as an array of one."""
    if hasattr(row, "to_frame") and not hasattr(row, "columns"):  # a row of a data frame
        row = row.to_frame().T
    array = row if hasattr(row, "shape") else np.asarray(row)
    if array.shape in ((ae.n_features_in_,), ae.sample_shape_):
        array = array[None]
    if len(array) != 1:
        raise DataError(
            f"One row was expected, of shape {ae.sample_shape_} or"
            f" ({ae.n_features_in_},), got an array of shape {array.shape}."
        )
    code: Codes = ae.transform(array)[0]
    return code


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
    own = own_prior(ae)
    if isinstance(own, ClassNormals) and not own.n_classes:
        mean, deviations = np.zeros(2), np.full(2, ae.network_.code_unit)
    else:
        fitted = normal_prior(ae)
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
