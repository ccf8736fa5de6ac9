"""A trained model as a value: what it can do by itself.

Rows and codes that its methods take are arrays that have been checked (`narrows.sources.inputs`
does that for `Autoencoder`).

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from narrows.common.blocks import rows_at_once, slices
from narrows.errors import DataError, DataTypeError, ParameterError
from narrows.linear.varies import rounding_of, without_noise
from narrows.model import sampling, serialise
from narrows.model.fitted import Fitted
from narrows.model.inference import Floats, Inference
from narrows.objectives.priors import PRIORS, Normal, Prior

BLOCK_VALUES = 1 << 22
"""Values (32 MiB in float64) that are looked at together."""
_SEEN_BY_INFERENCE = {"net", "objective", "bounds", "n_components"}
SMALLEST_SIDE = 8
"""Pixels on a side from which flat rows may be taken for square pictures."""


class Model(Fitted):
    """A trained autoencoder. It never changes; what would change it returns another one."""

    @cached_property
    def inference(self) -> Inference:
        """The network, ready for use."""
        return Inference(self.net, self.objective, self.bounds, self.n_components)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be made again."""
        return {name: value for name, value in vars(self).items() if name != "inference"}

    def changed(self, **fields: Any) -> Self:
        """Return a copy with some fields changed."""
        copied = replace(self, **fields)
        if "inference" in vars(self) and not _SEEN_BY_INFERENCE & fields.keys():
            vars(copied)["inference"] = self.inference
        return copied

    # ------------------------------------------------------------------ codes

    def encode(self, X: NDArray[np.generic]) -> Floats:
        """Return the codes (N, K) of rows (N, D): float32 for float32, float64 for all else."""
        return self.inference.encode(X)

    def decode(self, Z: NDArray[np.generic]) -> Floats:
        """Return the rows (N, D) that codes (N, K) decode to, within the bounds."""
        return self.inference.decode(Z)

    def loadings(self, Z: NDArray[np.generic]) -> Floats:
        """Return the derivatives (N, D, K) of decoded rows by the numbers of codes (N, K)."""
        return self.inference.loadings(Z)

    def errors(self, X: NDArray[np.generic], Z: Floats | None = None) -> NDArray[np.float64]:
        """Return the mean squared error per value (N,) of rows (N, D), in `error_unit`.

        After the round trip; or of decoding, where their codes (N, K) are given.
        """
        return self.inference.squared_errors(X, Z, reported=True)

    def variance(self, X: NDArray[np.generic], *, reported: bool = False) -> float:
        """Return the mean squared deviation of rows (N, D) from the training mean, per value.

        In squared data units; if ``reported``, in `error_unit`, as `errors` are.
        """
        mean, _ = self.column_moments()
        squares = np.zeros(X.shape[1])
        for part in slices(len(X), rows_at_once(X.shape[1], BLOCK_VALUES)):
            squares += self.inference.squares(X[part], mean, reported=False).sum(axis=0)
        divisor = self.net.scaling.divisor.numpy()
        unit = divisor if reported and divisor.size > 1 else 1.0
        variances = without_noise(squares / len(X), mean, len(X), rounding_of(X.dtype))
        return float((variances / unit**2).mean())

    def check_codes(self, Z: NDArray[np.generic]) -> None:
        """Check the number of columns of codes (N, k); only ordered codes may be cut short.

        Raises
        ------
        DataError
        """
        given, size = Z.shape[1], self.n_components
        if given > size or (given < size and not self.ordered):
            shorter = " Codes of a model of ordered=True may be cut short." if given < size else ""
            raise DataError(
                f"Z has {given} columns, but a code of this model has {size}. Pass what"
                f" `transform` returned.{shorter}"
            )

    def trust(self, Z: Floats, X: NDArray[np.generic] | None = None) -> NDArray[np.float64]:
        """Return trust (N,) in codes (N, K), or in their rows (N, D).

        Raises
        ------
        DataError
            For codes that are cut short, another number of rows than codes, or a model that has
            not measured it.
        """
        if Z.shape[1] < self.n_components:
            raise DataError(
                f"Z has {Z.shape[1]} columns, and trust is measured on whole codes of"
                f" {self.n_components}. Pass what `transform` returned."
            )
        if self.trust_scale is None:
            raise DataError(
                "This model cannot tell trust: models of partial_fit, and files of early versions"
                " of narrows, have not measured how strange held-out rows are. Use fit."
            )
        if X is None:
            return self.trust_scale.trust(self.inference, Z)
        if len(X) != len(Z):
            raise DataError(f"Z has {len(Z)} codes and X {len(X)} rows; give the row of each code.")
        reported = self.trust_scale.reported_units
        errors = self.inference.squared_errors(X, Z, reported=reported)
        return self.trust_scale.trust(self.inference, Z, errors)

    # ------------------------------------------------------------------ priors and samples

    @property
    def own_prior(self) -> Prior | None:
        """The prior that the family was trained to follow, in the network's units."""
        return self.objective.trained_prior(self.net)

    def prior(self, name: str) -> Prior:
        """Return a prior fitted to codes, by name; it is fitted where it has not been yet.

        Raises
        ------
        DataError
            Where it must be fitted, and the model holds no codes.
        """
        known = self.priors.get(name)
        return self.with_prior(name).priors[name] if known is None else known

    def with_prior(self, name: str, Z: Floats | None = None) -> Self:
        """Return a model with a prior fitted to codes (n, K): those given, or those it holds.

        Raises
        ------
        ParameterError
            For an unknown name.
        DataError
            Without codes.
        """
        sampling.check_prior_name(name)
        codes = self.codes if Z is None else Z
        if codes is None:
            raise DataError(
                f"This model was read from a file, which holds no codes of training rows to fit a"
                f" {name!r} prior to. Call fit_prior({name!r}, X) with such rows, or fit it before"
                f" saving (on the command line: `narrows fit ... --prior {name}`)."
            )
        known = torch.from_numpy(codes.astype(np.float64))
        fitted = PRIORS[name].fit(known, self.prior_seed)
        return self.changed(priors={**self.priors, name: fitted})

    def fitted_prior_for(self, prior: str, *, classes: bool = False) -> str | None:
        """Return the name of the fitted prior that `sample` draws from; None for the family's own.

        Raises
        ------
        ParameterError
            For an unknown name, or classes with a prior that knows none.
        """
        sampling.check_prior_name(prior, more=("auto",))
        own = self.own_prior
        if own is not None and prior in ("auto", own.name):
            return None
        if classes and self.classes is not None:
            raise ParameterError(
                f"A {prior!r} prior fitted to codes knows no classes; use prior='auto' with y."
            )
        return "normal" if prior == "auto" else prior

    def sample(
        self, n: int, *, prior: str = "auto", temperature: float = 1.0, y: Any = None, seed: int = 0
    ) -> Floats:
        """Draw codes from a prior and decode them: rows (n, D), float32 where it can hold them.

        Raises
        ------
        ParameterError, DataError
            As `Autoencoder.sample`.
        """
        sampling.check_options("sample", n=n, temperature=temperature)
        name = self.fitted_prior_for(prior, classes=y is not None)
        classes = sampling.class_numbers(y, self.classes, n)
        own = self.own_prior
        if name is None and own is not None:
            codes = sampling.drawn_codes(own, n, temperature, classes, seed)
            codes = codes * float(self.net.code_unit)
        else:
            fitted = self.prior(name or "normal")
            codes = sampling.drawn_codes(fitted, n, temperature, classes, seed)
        return self.decode(sampling.in_float32(codes, self.net.scaling))

    def interpolate(self, start: Floats, end: Floats, steps: int, how: str) -> Floats:
        """Decode the way (steps, D) from one code (K,) to another."""
        sampling.check_options("interpolate", steps=steps, how=how)
        centre = self.normal_prior.mean.numpy() if how == "spherical" else np.zeros_like(start)
        return self.decode(sampling.between(start, end, centre, steps, how).astype(start.dtype))

    def traverse(self, code: Floats, dimension: int, steps: int, span: float) -> Floats:
        """Decode a code (K,) with one of its numbers moved: rows (steps, D)."""
        sampling.check_options("traverse", steps=steps, span=span)
        sampling.check_dimension(dimension, self.n_components)
        deviation = float(self.normal_prior.deviations[dimension])
        return self.decode(sampling.along(code, int(dimension), deviation, steps, span))

    def lattice(self, steps: int = 15) -> Floats:
        """Return codes (steps², 2) on a lattice over the plane of a code of two numbers.

        They are float32 where it can hold them. They follow N(0, 1) where codes were trained to
        follow it, else the normal distribution of each number over training rows.

        Raises
        ------
        ParameterError
            For a model with another number of components, or fewer steps than two.
        """
        sampling.check_options("lattice", steps=steps)
        if self.n_components != 2:
            raise ParameterError(
                f"A lattice is drawn over two numbers, but a code of this model has"
                f" {self.n_components}. Fit n_components=2, or use traverse."
            )
        own = self.own_prior
        if own is not None and own.is_standard:
            deviation = float(self.net.code_unit)
            codes = sampling.lattice_codes(np.zeros(2), np.full(2, deviation), steps)
        else:
            mean, deviations = self.normal_prior.mean, self.normal_prior.deviations
            codes = sampling.lattice_codes(mean.numpy(), deviations.numpy(), steps)
        return sampling.in_float32(codes, self.net.scaling)

    @property
    def normal_prior(self) -> Normal:
        """The normal distribution of the codes of training rows."""
        normal = self.prior("normal")
        assert isinstance(normal, Normal)
        return normal

    # ------------------------------------------------------------------ what it knows of its rows

    @property
    def names(self) -> list[str]:
        """The names of the columns, or ``x0``, ``x1`` and so on."""
        return list(self.feature_names or (f"x{number}" for number in range(self.n_features)))

    @property
    def picture_shape(self) -> tuple[int, ...] | None:
        """The shape (H, W) or (H, W, C) of a row, or None where rows are no pictures.

        Flat rows count as pictures where they cannot be taken for a table: square, at least 8 × 8,
        without names of columns, and with the bounds of pixels, (0, 1) or (0, 255).
        """
        shape = self.sample_shape
        if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4)):
            return tuple(shape)
        side = math.isqrt(self.n_features)
        pixels = self.bounds in ((0.0, 1.0), (0.0, 255.0)) and self.feature_names is None
        square = len(shape) == 1 and side * side == self.n_features
        return (side, side) if square and side >= SMALLEST_SIDE and pixels else None

    # ------------------------------------------------------------------ files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one ``.safetensors`` file; an older file is replaced in one step.

        Raises
        ------
        ParameterError
            If the network holds NaN or infinity.
        OSError
        """
        serialise.write(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], own_parts: Mapping[str, Any] | None = None) -> Self:
        """Read a model file.

        Parameters
        ----------
        path : path-like
        own_parts : mapping, optional
            A user's own ``"network"`` and ``"objective"``, which no file holds.

        Raises
        ------
        ModelFileError, ParameterError, OSError
            As `narrows.load`.
        """
        return cls(**serialise.read(path, own_parts or {}))


def model_of(owner: str, ae: Any) -> Model:
    """Return the model of a fitted `Autoencoder`, or the model that was given.

    Raises
    ------
    DataTypeError
        If it is neither; ``owner`` is the function that was called.
    sklearn.exceptions.NotFittedError
    """
    if isinstance(ae, Model):
        return ae
    if not hasattr(ae, "inverse_transform") or not hasattr(ae, "get_params"):
        raise DataTypeError(
            f"{owner} takes a fitted Autoencoder first, and was given {type(ae).__name__}."
        )
    model = getattr(ae, "model_", None)
    if isinstance(model, Model):
        return model
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(ae)
    raise DataTypeError(f"{owner} takes a fitted Autoencoder first, not a {type(ae).__name__}.")
