"""Principal components of rows that come in blocks: what training starts from and is compared with.

Everything is accumulated in float64 about a shift near the mean, so that neither a large mean nor
a column a million times larger than the others spoils the result. Large products are torch's, for
its number of threads is a thread's own, while that of NumPy's BLAS is the process's.

Legend: N rows, D columns, K components, b block.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import Tensor, nn

from narrows.common.blocks import slices
from narrows.common.threads import on_one_thread, one_blas_thread
from narrows.linear.patches import Cells
from narrows.linear.varies import EPSILON, EXACT, Array64, Rounding, without_noise

Blocks = Callable[[], Iterable[Array64]]
CentredBlocks = Callable[[], Iterable[Tensor]]

WIDEST_COVARIANCE = 4096
"""Columns up to which the D × D covariance is formed (128 MiB in float64)."""
MOST_SKETCHED = 512
"""Components at the most that are looked at beyond that."""
EIGEN_FLOPS, FEW_EIGEN_FLOPS = 9.0, 3.0
"""Operations of all eigenvectors of a symmetric n × n matrix, and of few, as a part of n³."""
FEW, LARGE = 0.25, 100
"""Part of the eigenvectors up to which some are found in less time than all, and rows of a matrix
from which the time counts."""
KEPT_BYTES = 1 << 30
"""Bytes of centred rows that are kept where they are needed several times."""
STRIP = 128
"""Columns whose products with all later ones are summed at once."""
SUMMED_ROWS = 2048
"""Rows whose products are summed before they join the sum of all."""
SMALLEST_IN_FLOAT32 = 1e-4
"""Smallest variance of a component, as a part of the first one's, that float32 is enough for."""
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
        less than 1e-4 of the variance of the first, all is done again in float64.

    Returns
    -------
    PrincipalComponents
    """
    if in_float32:
        moments = _moments(blocks, rounding, scatter=True, dtype=torch.float32)
        if moments.scatter is not None and np.isfinite(moments.squares).all():
            squares, vectors = _eigenvectors(moments.centred_scatter(), n_components)
            if squares[-1] > SMALLEST_IN_FLOAT32 * squares[0]:
                return _assemble(squares, vectors.T, moments, n_components)
    moments = _moments(blocks, rounding, scatter=True)
    n_columns = len(moments.shift)

    if moments.n_rows < n_columns and moments.n_rows <= WIDEST_COVARIANCE:
        squares, axes = _from_gram(_centred(blocks, moments), n_components)
    elif moments.scatter is not None:
        squares, vectors = _eigenvectors(moments.centred_scatter(), n_components)
        axes = vectors.T
    else:
        squares, axes = _from_sketch(_centred(blocks, moments), n_columns, n_components, seed)
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
    moments = _moments(blocks, rounding, scatter=True)
    n_columns = len(moments.shift)
    if moments.n_rows < n_columns and moments.n_rows <= WIDEST_COVARIANCE:
        squares = on_one_thread(torch.linalg.eigvalsh, _gram(_centred(blocks, moments))).numpy()
    elif moments.scatter is not None:
        squares = on_one_thread(torch.linalg.eigvalsh, moments.centred_scatter()).numpy()
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
    moments = _moments(blocks, rounding, scatter=False)

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


def column_moments(blocks: Blocks, rounding: Rounding = EXACT) -> tuple[Array64, Array64]:
    """Return the mean and the variance (divisor n − 1) of each column, (D,) each.

    Variances that rounding explains are 0.
    """
    moments = _moments(blocks, rounding, scatter=False)
    return moments.mean, moments.variances


def _moments(
    blocks: Blocks, rounding: Rounding, *, scatter: bool, dtype: torch.dtype = torch.float64
) -> _Moments:
    """Read all blocks once; cross products are summed if asked and narrow enough."""
    moments: _Moments | None = None
    for block in blocks():
        if moments is None:
            narrow = block.shape[1] <= WIDEST_COVARIANCE
            given = block.mean(axis=0), rounding
            moments = _Moments(*given, scatter=scatter and narrow, dtype=dtype)
        moments.add(block)
    assert moments is not None, "no rows"
    return moments


def _centred(blocks: Blocks, moments: _Moments) -> CentredBlocks:
    """Return what gives all blocks about the mean, read once where there is room for them."""

    def centred() -> Iterable[Tensor]:
        return (torch.from_numpy(block - moments.mean) for block in blocks())

    if 8 * moments.n_rows * len(moments.shift) > KEPT_BYTES:
        return centred
    kept = list(centred())
    return lambda: kept


class _Moments:
    """Count, sums and (where narrow enough) cross products of rows about a shift."""

    def __init__(
        self, shift: Array64, rounding: Rounding, *, scatter: bool, dtype: torch.dtype
    ) -> None:
        self.n_rows = 0
        self.shift = shift
        self._rounding, self._dtype = rounding, dtype
        self.sums = np.zeros_like(shift)
        self._squares = np.zeros_like(shift)
        size = (len(shift), len(shift))
        self.scatter = torch.zeros(size, dtype=torch.float64) if scatter else None

    def add(self, block: Array64) -> None:
        deviation = block - self.shift
        self.n_rows += len(block)
        self.sums += deviation.sum(axis=0)
        if self.scatter is None:
            self._squares += np.einsum("bd,bd->d", deviation, deviation)
            return
        # Only on and above the diagonal, strip by strip: half the work of the whole product.
        for rows in torch.from_numpy(deviation).to(self._dtype).split(SUMMED_ROWS):
            for part in slices(len(self.shift), STRIP):
                below = slice(part.start, None)
                self.scatter[part, below] += rows[:, part].T @ rows[:, below]

    @property
    def squares(self) -> Array64:
        return self._squares if self.scatter is None else self.scatter.diagonal().numpy()

    @property
    def offset(self) -> Array64:
        return self.sums / self.n_rows

    @property
    def mean(self) -> Array64:
        return self.shift + self.offset

    @property
    def variances(self) -> Array64:
        squares = np.maximum(self.squares - self.n_rows * self.offset**2, 0.0)
        variances = squares / max(self.n_rows - 1, 1)
        return without_noise(variances, self.mean, self.n_rows, self._rounding)

    def centred_scatter(self) -> Tensor:
        """Return the sums of products (D, D) of all pairs of columns about their means."""
        assert self.scatter is not None
        offset = torch.from_numpy(self.offset)
        centred = self.scatter - self.n_rows * torch.outer(offset, offset)
        return centred.triu() + centred.triu(1).T


def _eigenvectors(symmetric: Tensor, n_largest: int) -> tuple[Array64, Array64]:
    """Return the largest eigenvalues (k,) of a matrix (n, n), falling, and their vectors (n, k)."""
    n = len(symmetric)
    if n < LARGE or n_largest > FEW * n:
        squares, vectors = on_one_thread(torch.linalg.eigh, symmetric, "U")
        squares, vectors = squares.numpy(), vectors.numpy()
    else:
        with one_blas_thread():
            squares, vectors = eigh(symmetric.numpy(), subset_by_index=(n - n_largest, n - 1))
    return squares[::-1][:n_largest].copy(), vectors[:, ::-1][:, :n_largest].copy()


def _gram(centred: CentredBlocks) -> Tensor:
    """Return the products (N, N) of all pairs of rows."""
    strips = []
    for number, rows in enumerate(centred(), start=1):
        earlier = itertools.islice(centred(), number)
        strips.append(torch.cat([rows @ others.T for others in earlier], dim=1))
    n_rows = sum(map(len, strips))
    below = torch.cat([nn.functional.pad(s, (0, n_rows - s.shape[1])) for s in strips])
    return below.tril() + below.tril(-1).T


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
    squares: Array64, axes: Array64, moments: _Moments, n_components: int
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
