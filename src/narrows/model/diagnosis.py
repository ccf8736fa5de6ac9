"""What went wrong in a fit that ended as if all were well, in words, with what to type.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from narrows.common.blocks import evenly_spread
from narrows.linear.pca import PrincipalComponents
from narrows.model.inference import Floats
from narrows.networks import Autoencoding, converted
from narrows.objectives import Objective

FEWEST_ROWS, MOST_ROWS, MOST_VALUES = 10, 2_048, 1 << 24
"""Training rows from which something can be told, and rows and values shown at the most."""
SAME = 1e-12
"""Part of the largest variance up to which a number of the code has collapsed."""


def rows_to_show(n_rows: int, n_features: int) -> NDArray[np.int64]:
    """Return the numbers of rows to diagnose by, evenly spread over all."""
    most = max(FEWEST_ROWS, min(MOST_ROWS, MOST_VALUES // n_features))
    return evenly_spread(n_rows, most)


@torch.no_grad()
def diagnose(
    objective: Objective,
    net: Autoencoding,
    rows: NDArray[np.generic],
    codes: Floats,
    pca: PrincipalComponents,
    learning_rate: float,
) -> list[str]:
    """Return a sentence for each thing that is wrong with a trained model; mostly none.

    A family that knows what is wrong knows the better remedy, so the check that all share comes
    second.

    Parameters
    ----------
    objective : Objective
    net : Autoencoding
        On the CPU.
    rows : ndarray (N, D)
        Some training rows, as `rows_to_show` chooses them, in data units.
    codes : ndarray (N, K)
        Of training rows, these or more.
    pca : PrincipalComponents
        Of the rows that training started from.
    learning_rate : float
        Of the fit.
    """
    x_ND = net.scaling(torch.from_numpy(rows.astype(np.float64))).float()
    if len(x_ND) < FEWEST_ROWS or torch.equal(x_ND, x_ND[:1].expand_as(x_ND)):
        return []  # nothing can be learned from these
    frozen = converted(net, torch.float32).eval()
    return objective.diagnose(frozen, x_ND) or collapsed_numbers(codes, pca, learning_rate)


def collapsed_numbers(codes: Floats, pca: PrincipalComponents, learning_rate: float) -> list[str]:
    """Say where numbers of codes (N, K) are the same for every row, and the data are not.

    As many numbers as PCA finds directions in which the data vary can be told apart.
    """
    variances = codes.astype(np.float64).var(axis=0)
    varying = int((variances > SAME * variances.max()).sum())
    missing = (directions := pca.n_directions) - varying
    if missing <= 0:
        return []
    fewer = f", or n_components={varying}" if varying else ""
    return [
        f"{missing} of {codes.shape[1]} numbers of the code are the same for every row, although"
        f" the data vary in {directions} directions or more: these numbers have collapsed. Try"
        f" learning_rate={learning_rate / 10:.2g}{fewer}."
    ]
