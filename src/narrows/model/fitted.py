"""All that a fit leaves behind, as plain fields.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from narrows.linear.pca import PrincipalComponents
from narrows.model.inference import Floats
from narrows.model.size_curve import SizeCurve
from narrows.model.trust import TrustScale
from narrows.networks import Autoencoding, Network
from narrows.objectives import Objective
from narrows.objectives.priors import Prior
from narrows.sources.split import Split

HistoryRow = dict[str, float]
ENDINGS = (
    "steps",
    "budget",
    "patience",
    "nothing to gain",
    "callback",
    "interrupted",
    "late",
    "diverged",
    "unknown",
)
"""Why a training ended: all planned steps were taken; ``max_seconds`` was over; held-out errors no
longer fell; PCA had left nothing; a callback or Ctrl-C ended it; it had fallen behind
``max_seconds``, so that ``max_steps`` cannot repeat it; its loss was no longer finite. In files
that earlier versions wrote, it may not be known."""
DATA_UNITS, DEVIATIONS = "squared data units", "squared standard deviations of each column"
"""Units of errors: the second where each column is scaled by its own standard deviation."""


class Movement(NamedTuple):
    """How far codes moved from one model to the next, as parts of the width of all codes.

    Attributes
    ----------
    median, far : float
        Of the distances: half of the rows moved no farther, and 95 % of them.
    width : float
        Of the earlier codes, in their units: the longest side of a box around all but the
        outermost hundredth on either side.
    n_rows : int
        That were compared, of those that `fit` was given.
    """

    median: float
    far: float
    width: float
    n_rows: int

    def __str__(self) -> str:
        return (
            f"median {self.median:.2%} of the width of all codes, 95 % of rows within"
            f" {self.far:.2%}"
        )


@dataclass(frozen=True, eq=False)
class Record:
    """What `fit` decided and measured.

    Attributes
    ----------
    n_steps, best_step : int
        Steps that a run was planned for, and the step of the state returned.
    history : tuple of dict
        A row per epoch of the first run.
    validation_error, pca_validation_error : float
        Mean squared error per value on held-out rows, ours and PCA's; NaN where none were.
    explained_variance_ratio : float
    device, precision : str
    n_threads : int
    ended : str
        One of `ENDINGS`.
    split : Split or None
        Which rows were held out; None where it is not known.
    saw_all : bool
        Whether the model has learned from all rows, those that were held out before included.
    """

    n_steps: int = 0
    best_step: int = 0
    history: tuple[HistoryRow, ...] = ()
    validation_error: float = math.nan
    pca_validation_error: float = math.nan
    explained_variance_ratio: float = math.nan
    device: str = "cpu"
    precision: str = "float32"
    n_threads: int = 1
    ended: str = "unknown"
    split: Split | None = None
    saw_all: bool = True

    @property
    def unseen(self) -> NDArray[np.int64] | None:
        """Numbers of the rows that the model has never learned from; None where there are none."""
        return None if self.saw_all or self.split is None else self.split.parts()[0]

    @property
    def repeatable(self) -> bool:
        """Tell whether ``max_steps=n_steps`` repeats the training."""
        return self.ended in ("steps", "budget", "patience", "nothing to gain")


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted:
    """The fields of a trained model; `narrows.model.Model` adds what one can do with them.

    Attributes
    ----------
    net : Autoencoding
        Scaling, encoder and decoder, on the CPU.
    architecture : Network
        What the network was built by.
    objective : Objective
        The family, with its settings.
    n_components : int
        Numbers in a code that is handed out, K.
    sample_shape : tuple of int
        Shape of one row.
    came_shaped : bool
        Whether the rows came as pictures, and are given back so.
    bounds : (float, float) or None
        Range of reconstructions, in data units.
    pca : PrincipalComponents
        That training started from; of the scaled columns where each has its own divisor.
    feature_names : tuple of str or None
        Names of the columns.
    classes : ndarray (C,) or None
        Labels that the family learned from, in the order of their numbers.
    priors : mapping of str to Prior
        What was fitted to codes, by name.
    prior_seed : int
    codes : ndarray (n, K) or None
        Codes of some training rows; never in a file.
    trust_scale : TrustScale or None
    size_curve : SizeCurve or None
        Held-out errors of every prefix of ordered codes.
    movement : Movement or None
        How far codes moved from an earlier model's; never in a file.
    record : Record
    params : mapping of str to object
        The parameters that `fit` was given, as JSON has them.
    """

    net: Autoencoding
    architecture: Network
    objective: Objective
    n_components: int
    sample_shape: tuple[int, ...]
    pca: PrincipalComponents
    came_shaped: bool = False
    bounds: tuple[float, float] | None = None
    feature_names: tuple[str, ...] | None = None
    classes: NDArray[Any] | None = None
    priors: Mapping[str, Prior] = field(default_factory=dict)
    prior_seed: int = 0
    codes: Floats | None = None
    trust_scale: TrustScale | None = None
    size_curve: SizeCurve | None = None
    movement: Movement | None = None
    record: Record = field(default_factory=Record)
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_features(self) -> int:
        """Values in a row, D."""
        return len(self.pca.mean_)

    @property
    def code_size(self) -> int:
        """Numbers that the network itself works with, of which codes may be the first."""
        return self.net.code_size or self.n_components

    @property
    def ordered(self) -> bool:
        """Whether codes may be cut short."""
        return self.net.code_size is not None

    @property
    def n_classes(self) -> int:
        """Classes that the family learned from; 0 without."""
        return 0 if self.classes is None else len(self.classes)

    @property
    def error_unit(self) -> str:
        """The unit of errors that are reported: the one in which the model was trained."""
        return DATA_UNITS if self.net.scaling.divisor.numel() == 1 else DEVIATIONS

    def column_moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and variance of the training columns, (D,) each, in data units."""
        mean, variances = self.pca.mean_, self.pca.variances_
        divisor = self.net.scaling.divisor.numpy()
        if divisor.size == 1:
            return mean, variances
        # The PCA of scaling="standard" is that of the scaled columns.
        return mean * divisor + self.net.scaling.shift.numpy(), variances * divisor**2
