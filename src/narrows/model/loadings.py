"""Local loadings in words: which features change most as a code moves, spot by spot.

Legend: n codes, K numbers of a code, D features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from narrows.common.blocks import evenly_spread
from narrows.common.limits import check, integer, nothing
from narrows.common.threads import compute_threads, one_blas_thread
from narrows.model.model import model_of
from narrows.sources.inputs import codes_of

if TYPE_CHECKING:
    import pandas as pd

USUAL_SPOTS = 5
MOST_CODES = 10_000
"""Codes that spots are chosen among."""


def loadings_table(
    ae: Any, Z: Any, *, spots: int = USUAL_SPOTS, top: int | None = 10
) -> pd.DataFrame:
    """Say which features change most as each number of a code moves, at some codes.

    Parameters
    ----------
    ae : Autoencoder or Model
        Fitted.
    Z : array-like (n, K)
        Codes.
    spots : int, default=5
        Codes to look at, as `representatives` chooses them; all of them where there are no more.
    top : int or None, default=10
        Features for each number of each code; None for all.

    Returns
    -------
    DataFrame
        One line for each feature, the strongest first, with the columns

        spot : row of ``Z``;
        number : which number of the code moves, from 0;
        feature : name of the column, or ``x0``, ``x1`` … where columns had none;
        loading : derivative of the decoded feature, in data units per unit of the code;
        strength : its absolute value in units of the network, by which lines are sorted. With
        ``scaling="standard"`` these are deviations of each column; otherwise all columns share one
        unit, and those of large numbers come first.

    Raises
    ------
    DataError
        As `Autoencoder.loadings`.
    DataTypeError
        If ``ae`` is no model.
    ParameterError
        For ``spots`` or ``top`` below 1.
    """
    import pandas as pd

    model = model_of("loadings_table", ae)
    given = {"spots": spots, "top": top}
    check("loadings_table", given, {"spots": integer(1), "top": integer(1) | nothing()})
    codes = codes_of(Z)
    model.check_codes(codes)
    chosen = representatives(codes, spots)
    slopes = model.loadings(codes[chosen])
    unit = np.broadcast_to(model.net.scaling.divisor.numpy(), slopes.shape[1])
    names = np.array(model.names, dtype=object)
    lines = []
    for spot, slopes_DK in zip(chosen, slopes, strict=True):
        for number, slope_D in enumerate(slopes_DK.T):
            strength = np.abs(slope_D) / unit
            order = np.argsort(-strength, kind="stable")[:top]
            lines.append(
                pd.DataFrame(
                    {
                        "spot": int(spot),
                        "number": number,
                        "feature": names[order],
                        "loading": slope_D[order],
                        "strength": strength[order],
                    }
                )
            )
    return pd.concat(lines, ignore_index=True)


def representatives(codes: NDArray[Any], most: int) -> NDArray[np.intp]:
    """Choose codes that stand for all: those nearest to the middles of as many groups.

    Parameters
    ----------
    codes : ndarray (n, K)
    most : int

    Returns
    -------
    ndarray (m,)
        Rows, that of the largest group first; all in their order where there are no more than
        ``most``.
    """
    if len(codes) <= most:
        return np.arange(len(codes))
    from sklearn.cluster import KMeans
    from sklearn.metrics import pairwise_distances_argmin

    rows = evenly_spread(len(codes), MOST_CODES)
    some = codes[rows].astype(np.float64)
    n_groups = min(most, len(np.unique(some, axis=0)))
    with compute_threads(1), one_blas_thread():  # sums of several are added in an order of chance
        groups = KMeans(n_groups, n_init=4, random_state=0).fit(some)
    sizes = np.bincount(groups.labels_, minlength=n_groups)
    nearest = pairwise_distances_argmin(groups.cluster_centers_, some)
    # The middles of two groups may have the same nearest code.
    kept = dict.fromkeys(nearest[np.argsort(-sizes, kind="stable")].tolist())
    return rows[list(kept)]
