"""Principal components of rows that come in blocks: what training starts from and is compared with.

Sums are those of `narrows.linear.moments`. Large products are torch's, for its number of threads
is a thread's own, while that of NumPy's BLAS is the process's.

Legend: N rows, D columns, K components, b block.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import Tensor, nn

from narrows.common.threads import on_one_thread, one_blas_thread
from narrows.linear.moments import Blocks, CentredBlocks, Moments, centred_blocks, moments_of
from narrows.linear.patches import Cells
from narrows.linear.varies import EPSILON, EXACT, Array64, Rounding

WIDEST_COVARIANCE = 4096
"""Columns up to which the D × D covariance is formed (128 MiB in float64)."""
MOST_SKETCHED = 512
"""Components at the most that are looked at beyond that."""
EIGEN_FLOPS, FEW_EIGEN_FLOPS = 9.0, 3.0
"""Operations of all eigenvectors of a symmetric n × n matrix, and of few, as a part of n³."""
FEW, LARGE = 0.25, 100
"""Part of the eigenvectors up to which some are found in less time than all, and rows of a matrix
from which the time counts."""
LEAST_IN_FLOAT32 = 1e-4
"""Part of the first component's variance, and of all of it, that float32 still tells rightly."""
_ROUNDING = 1e-12
_OVERSAMPLING, _POWER_ITERATIONS = 10, 6


VARIES = 1e-9
"""Part of the largest variance from which a direction counts as one in which rows vary."""


@dataclass(frozen=True)
class PrincipalComponents:
    """A principal component analysis, with scikit-learn's attribute names.

    Attributes
    ----------
    mean_ : ndarray (D,), float64
        Mean of each column.
    components_ : ndarray (K, D), float64
        Orthonormal rows by falling variance, the largest entry of each positive; rows beyond the
        rank of the data are zero.
    explained_variance_, explained_variance_ratio_, singular_values_ : ndarray (K,), float64
        As in `sklearn.decomposition.PCA`.
    variances_ : ndarray (D,), float64
        Of the columns (divisor n_samples_ − 1).
    n_samples_ : int
        Rows seen.
    cells : Cells or None
        How pictures that are too large for axes of their own are cut. Then ``components_`` are
        those of a cell, the same for all, about the mean at its place; ``explained_variance_`` is
        the mean over cells; and scores come axis by axis, each for all cells.
    """

    mean_: Array64
    components_: Array64
    explained_variance_: Array64
    explained_variance_ratio_: Array64
    singular_values_: Array64
    variances_: Array64
    n_samples_: int
    cells: Cells | None = None

    @property
    def n_components_(self) -> int:
        """Code size K."""
        return len(self.components_) * (1 if self.cells is None else self.cells.n_cells)

    @property
    def n_directions(self) -> int:
        """Directions in which rows vary by more than rounding."""
        explained = self.explained_variance_
        return int((explained > VARIES * explained.max(initial=0.0)).sum())

    def first(self, n_components: int) -> PrincipalComponents:
        """Return the first of these components alone."""
        by_component = "components_ explained_variance_ explained_variance_ratio_ singular_values_"
        kept = {name: getattr(self, name)[:n_components] for name in by_component.split()}
        return replace(self, **kept)

    def transform(self, X: NDArray[np.floating]) -> Array64:
        """Project rows (n, D) to their scores (n, K)."""
        centred = np.asarray(X, dtype=np.float64) - self.mean_
        if self.cells is None:
            return (torch.from_numpy(centred) @ torch.from_numpy(self.components_).T).numpy()
        scores = self.cells.gather(torch.from_numpy(centred)).numpy() @ self.components_.T
        return np.moveaxis(scores, -1, 1).reshape(len(scores), -1)

    def inverse_transform(self, Z: NDArray[np.floating]) -> Array64:
        """Rebuild rows (n, D) from scores (n, K)."""
        scores = np.asarray(Z, dtype=np.float64)
        if self.cells is None:
            rows = torch.from_numpy(scores) @ torch.from_numpy(self.components_)
            return rows.numpy() + self.mean_
        cells = self.cells
        scores = scores.reshape(len(scores), -1, cells.rows, cells.columns)
        whole = cells.spread(torch.from_numpy(np.moveaxis(scores, 1, -1) @ self.components_))
        return whole.numpy().reshape(len(scores), -1) + self.mean_


def fit_pca(
    blocks: Blocks,
    n_components: int,
    seed: int,
    rounding: Rounding = EXACT,
    *,
    in_float32: bool = False,
) -> PrincipalComponents:
    """Fit principal components to rows that can be read several times, block by block.

    The eigenvectors come from the covariance up to 4,096 columns, from the Gram matrix where rows
    are fewer than columns, and from a seeded randomised range finder otherwise (Halko, Martinsson
    and Tropp, "Finding structure with randomness", SIAM Review 53, 2011, algorithm 4.4).

    Parameters
    ----------
    blocks : callable
        Returns a fresh iterator over float64 blocks (b, D) each time it is called.
    n_components : int
        Code size K ≤ D.
    seed : int
        Seeds the range finder; without effect on the two exact ways.
    rounding : Rounding
        Of the data. Columns that vary by no more count as constant.
    in_float32 : bool
        Multiply rows in float32, in half the time, and add up in float64. Where a component has
        less than 1e-4 of the variance of the first, or all of them leave less than 1e-4 of the
        variance over, all is done again in float64.

    Returns
    -------
    PrincipalComponents
    """
    dtype = torch.float32 if in_float32 else torch.float64
    moments = moments_of(blocks, rounding, WIDEST_COVARIANCE, dtype)
    if in_float32 and moments.scatter is not None:
        found = _from_scatter(moments, n_components) if moments.is_finite else None
        if found is not None and _suffices(found):
            return found
        moments = moments_of(blocks, rounding, WIDEST_COVARIANCE)
    n_columns = len(moments.shift)
    if moments.n_rows < n_columns and moments.n_rows <= WIDEST_COVARIANCE:
        squares, axes = _from_gram(centred_blocks(blocks, moments), n_components)
    elif moments.scatter is not None:
        return _from_scatter(moments, n_components)
    else:
        centred = centred_blocks(blocks, moments)
        squares, axes = _from_sketch(centred, n_columns, n_components, seed)
    return _assemble(squares, axes, moments, n_components)


def pca_flops(n_rows: int, n_columns: int, n_components: int) -> float:
    """Return about the floating-point operations of `fit_pca`."""
    side = min(n_rows, n_columns)
    if side <= WIDEST_COVARIANCE:
        of_eigen = FEW_EIGEN_FLOPS if n_components <= FEW * side else EIGEN_FLOPS
        return float(n_rows) * n_columns * side + of_eigen * side**3
    width = min(n_components + _OVERSAMPLING, n_columns)
    return 4.0 * n_rows * n_columns * width * (_POWER_ITERATIONS + 1)


def components_needed(
    blocks: Blocks, explained: float, seed: int, rounding: Rounding = EXACT
) -> int | None:
    """Return how many components explain a part of the variance of rows, as ``PCA(explained)``.

    Where rows and columns are more than 4,096 each, only the first 512 are looked at; None where
    they do not suffice.

    Parameters
    ----------
    blocks : callable
        As in `fit_pca`.
    explained : float
        From 0 to 1.
    seed : int
    rounding : Rounding
        As in `fit_pca`.
    """
    moments = moments_of(blocks, rounding, WIDEST_COVARIANCE)
    n_columns = len(moments.shift)
    if moments.n_rows < n_columns and moments.n_rows <= WIDEST_COVARIANCE:
        centred = centred_blocks(blocks, moments)
        squares = on_one_thread(torch.linalg.eigvalsh, _gram(centred), "U").numpy()
    elif moments.scatter is not None:
        squares = on_one_thread(torch.linalg.eigvalsh, moments.centred_scatter(), "U").numpy()
    else:
        squares = fit_pca(blocks, MOST_SKETCHED, seed, rounding).singular_values_[::-1] ** 2
    total = float(moments.variances.sum()) * max(moments.n_rows - 1, 1)
    if total == 0:  # constant rows
        return 1
    reached = np.cumsum(squares[::-1].clip(min=0)) / total
    enough = np.flatnonzero(reached >= explained - _ROUNDING)
    return int(enough[0]) + 1 if len(enough) else None


def fit_pca_of_cells(
    blocks: Blocks, n_components: int, cells: Cells, seed: int, rounding: Rounding = EXACT
) -> PrincipalComponents:
    """Fit principal components to the cells of pictures: the same axes for all cells.

    Parameters
    ----------
    blocks : callable
        As in `fit_pca`.
    n_components : int
        Code size K; each cell has ``K / cells.n_cells`` numbers of it.
    cells : Cells
    seed : int
    rounding : Rounding
        As in `fit_pca`.

    Returns
    -------
    PrincipalComponents
    """
    moments = moments_of(blocks, rounding)

    def cut() -> Iterable[Array64]:
        for block in blocks():
            gathered = cells.gather(torch.from_numpy(block - moments.mean))
            yield gathered.reshape(-1, cells.size).numpy()

    farthest = float(np.abs(moments.mean).max() + np.abs(rounding.origin).max())
    of_cells = replace(rounding, origin=farthest)
    found = fit_pca(cut, n_components // cells.n_cells, seed, of_cells)
    total = float(moments.variances.sum())
    explained = found.explained_variance_ * cells.n_cells
    return replace(
        found,
        mean_=moments.mean,
        variances_=moments.variances,
        explained_variance_ratio_=explained / total if total > 0 else np.zeros_like(explained),
        n_samples_=moments.n_rows,
        cells=cells,
    )


def _suffices(found: PrincipalComponents) -> bool:
    """Tell whether float32 was exact enough for what its components explain, and leave over."""
    explained, total = found.explained_variance_, float(found.variances_.sum())
    left_over = total - float(explained.sum())
    return bool(
        explained[-1] > LEAST_IN_FLOAT32 * explained[0] and left_over > LEAST_IN_FLOAT32 * total
    )


def _from_scatter(moments: Moments, n_components: int) -> PrincipalComponents:
    squares, vectors = _eigenvectors(moments.centred_scatter(), n_components)
    return _assemble(squares, vectors.T, moments, n_components)


def _eigenvectors(upper: Tensor, n_largest: int) -> tuple[Array64, Array64]:
    """Return the largest eigenvalues (k,), falling, and their vectors (n, k).

    Of a symmetric matrix (n, n), whose upper half alone is read.
    """
    n = len(upper)
    if n < LARGE or n_largest > FEW * n:
        squares, vectors = on_one_thread(torch.linalg.eigh, upper, "U")
        squares, vectors = squares.numpy(), vectors.numpy()
    else:
        few = n - n_largest, n - 1
        with one_blas_thread():
            squares, vectors = eigh(upper.numpy(), lower=False, subset_by_index=few)
    return squares[::-1][:n_largest].copy(), vectors[:, ::-1][:, :n_largest].copy()


def _gram(centred: CentredBlocks) -> Tensor:
    """Return the products (N, N) of all pairs of rows: the upper half."""
    strips = []
    for number, rows in enumerate(centred(), start=1):
        earlier = itertools.islice(centred(), number)
        strips.append(torch.cat([rows @ others.T for others in earlier], dim=1))
    n_rows = sum(map(len, strips))
    return torch.cat([nn.functional.pad(s, (0, n_rows - s.shape[1])) for s in strips]).T


def _from_gram(centred: CentredBlocks, n_components: int) -> tuple[Array64, Array64]:
    """Take the axes from A Aᵀ, which is smaller than AᵀA where rows are fewer than columns."""
    found = _eigenvectors(_gram(centred), n_components)
    squares, vectors = map(torch.from_numpy, found)
    weights = vectors / squares.clamp(min=torch.finfo(torch.float64).tiny).sqrt()
    first, axes = 0, torch.zeros(())
    for block in centred():
        axes = axes + weights[first : first + len(block)].T @ block
        first += len(block)
    return squares.numpy(), axes.numpy()


def _from_sketch(
    centred: CentredBlocks, n_columns: int, n_components: int, seed: int
) -> tuple[Array64, Array64]:
    width = min(n_components + _OVERSAMPLING, n_columns)
    basis = torch.from_numpy(np.random.default_rng(seed).standard_normal((n_columns, width)))

    def scatter_times(basis_DW: Tensor) -> Tensor:
        product = torch.zeros_like(basis_DW)
        for block in centred():
            product += block.T @ (block @ basis_DW)
        return product

    for _ in range(_POWER_ITERATIONS):
        basis, _ = on_one_thread(torch.linalg.qr, scatter_times(basis))
    squares, rotation = on_one_thread(torch.linalg.eigh, basis.T @ scatter_times(basis))
    axes = (basis @ rotation.flip(1)).T[:n_components]
    return squares.flip(0)[:n_components].numpy(), axes.numpy()


def _assemble(
    squares: Array64, axes: Array64, moments: Moments, n_components: int
) -> PrincipalComponents:
    """Fix signs, blank what lies beyond the rank, and name the parts as scikit-learn does."""
    n_rows, mean, variances = moments.n_rows, moments.mean, moments.variances
    total = float(variances.sum()) * max(n_rows - 1, 1)
    squares = np.maximum(squares, 0.0)
    largest = squares.max(initial=0.0)
    real = (squares > largest * min(n_rows, len(mean)) * EPSILON) & (total > 0)
    components = np.zeros((n_components, len(mean)))
    components[: len(axes)][real] = axes[real]
    kept = np.zeros(n_components)
    kept[: len(squares)][real] = squares[real]
    strongest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(n_components), strongest])
    components *= np.where(signs == 0, 1.0, signs)[:, None]
    return PrincipalComponents(
        mean_=mean,
        components_=components,
        explained_variance_=kept / max(n_rows - 1, 1),
        explained_variance_ratio_=kept / total if total > 0 else np.zeros(n_components),
        singular_values_=np.sqrt(kept),
        variances_=variances,
        n_samples_=n_rows,
    )
