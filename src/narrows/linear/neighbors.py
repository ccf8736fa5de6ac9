"""Nearest neighbours of rows: exact by blocks of products, or nearly so by pynndescent.

Legend: N rows, M queries, D features, E features and a length, k neighbours.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrows.common.blocks import rows_at_once, slices
from narrows.common.threads import compute_threads
from narrows.errors import MissingExtra
from narrows.linear.moments import Blocks
from narrows.linear.pca import PrincipalComponents
from narrows.linear.scaling import Scaling

Floats32 = NDArray[np.float32]
Numbers = NDArray[np.int64]
MOST_EXACT = 120_000
"""Rows up to which neighbours are exact: about a quarter of a minute on two cores."""
STRETCH = 64
"""Columns in a group, whose smallest distance is found first."""
BLOCK_BYTES = 1 << 24
"""Bytes of distances that are computed at once: about a processor's cache."""


def compact(blocks: Blocks, pca: PrincipalComponents, scaling: Scaling) -> Floats32:
    """Return rows by their scores (N, axes) on the components of a PCA, in the network's units.

    Parameters
    ----------
    blocks : callable
        Gives all rows in float64 blocks (n, D).
    pca : PrincipalComponents
        Of the rows, or of the scaled columns where each column has its own divisor.
    scaling : Scaling
    """
    own = scaling.divisor.numel() > 1
    unit = 1.0 if own else float(scaling.divisor[0])
    found = []
    for block in blocks():
        rows = scaling(torch.from_numpy(block)).numpy() if own else block
        found.append((pca.transform(rows) / unit).astype(np.float32))
    return np.concatenate(found)


def is_exact(n_rows: int) -> bool:
    """Tell whether the neighbours of so many rows are found exactly."""
    return n_rows <= MOST_EXACT


def neighbor_memory(n_rows: int, n_features: int, n_neighbors: int) -> int:
    """Return the bytes that a search among so many rows takes, its result included."""
    rows, found = 4 * n_rows * n_features, 8 * n_rows * n_neighbors
    if is_exact(n_rows):
        return rows + found + 2 * min(BLOCK_BYTES, 4 * n_rows * n_rows)
    # Measured: candidates, heaps and trees of pynndescent.
    return rows + found + n_rows * (24 * n_neighbors + 4 * n_features + 2_000)


def nearest_rows(rows: Floats32, n_neighbors: int, seed: int) -> Numbers:
    """Return for each row the numbers (N, k) of its nearest other rows, the nearest first.

    Parameters
    ----------
    rows : ndarray (N, D), float32
    n_neighbors : int
        k < N; a single row is its own neighbour.
    seed : int
        Of the search that is not exact.

    Raises
    ------
    MissingExtra
        Beyond 120,000 rows without pynndescent.
    """
    if len(rows) == 1:
        return np.zeros((1, 1), dtype=np.int64)
    if is_exact(len(rows)):
        return nearest(rows, rows, n_neighbors, same=True)
    try:
        from pynndescent import NNDescent
    except ImportError as error:
        raise MissingExtra(
            f"{len(rows):,} rows are too many for exact neighbours (at most {MOST_EXACT:,}), and"
            " pynndescent is not installed: pip install 'narrows[map]'."
        ) from error
    with compute_threads(torch.get_num_threads()):  # numba sets another number for good
        index = NNDescent(rows, n_neighbors=n_neighbors + 1, random_state=seed)
    return _without_self(np.asarray(index.neighbor_graph[0], dtype=np.int64))


def _without_self(found: Numbers) -> Numbers:
    """Drop each row's own number from (N, k + 1) numbers, or the last where its own is missing.

    -1, where the search found too few, is replaced by the row's own number.
    """
    found = np.where(found < 0, np.arange(len(found))[:, None], found)
    own = found == np.arange(len(found))[:, None]
    own[~own.any(axis=1), -1] = True
    own &= own.cumsum(axis=1) == 1
    kept: Numbers = found[~own].reshape(len(found), -1)
    return kept


@torch.no_grad()
def nearest(queries: Floats32, rows: Floats32, n_neighbors: int, *, same: bool = False) -> Numbers:
    """Return for each query the numbers (M, k) of its nearest rows, the nearest first.

    Parameters
    ----------
    queries, rows : ndarray (M, D) and (N, D), float32
        Centred, since distances are computed from products.
    n_neighbors : int
    same : bool
        Whether queries are the rows themselves; no row is then its own neighbour.

    The search is exact, except for the order of distances that differ by less than the rounding
    of the rows' squared lengths in float32.
    """
    x_ND, q_MD = torch.from_numpy(rows), torch.from_numpy(queries)
    # One product gives half the squared distance, minus half the squared length of the query.
    lengths = x_ND.square().sum(dim=1, keepdim=True) / 2
    x_EN = torch.cat([x_ND, lengths], dim=1).T
    q_ME = torch.cat([-q_MD, torch.ones(len(q_MD), 1)], dim=1)
    size = rows_at_once(len(rows), BLOCK_BYTES // 4, len(queries))
    found = np.empty((len(queries), n_neighbors), dtype=np.int64)
    distances = torch.empty(size, len(rows))
    for part in slices(len(queries), size):
        apart = torch.mm(q_ME[part], x_EN, out=distances[: part.stop - part.start])
        if same:
            apart.diagonal(offset=part.start).fill_(torch.inf)
        found[part] = _smallest(apart, n_neighbors).numpy()
    return found


def _smallest(values: Tensor, k: int) -> Tensor:
    """Return the places (M, k) of the smallest of values (M, N), the smallest first.

    The k smallest lie in the k groups of columns with the smallest minima. Finding minima is
    several times faster than sorting whole rows.
    """
    n_rows, n_values = values.shape
    if n_values <= 4 * k * STRETCH:
        return values.topk(k, dim=1, largest=False).indices
    whole = n_values - n_values % STRETCH
    lowest = values[:, :whole].reshape(n_rows, -1, STRETCH).amin(dim=2)
    starts = lowest.topk(k, dim=1, largest=False).indices * STRETCH
    within = torch.arange(STRETCH)
    places = (starts[:, :, None] + within).reshape(n_rows, -1)
    rest = torch.arange(whole, n_values).expand(n_rows, -1)
    places = torch.cat([places, rest], dim=1)
    order = values.gather(1, places).topk(k, dim=1, largest=False).indices
    return places.gather(1, order)
