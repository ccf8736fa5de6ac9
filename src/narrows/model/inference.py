"""Encoding and decoding, bit for bit the same for a row alone, in any batch and in any order.

Rows go through the network in blocks of a fixed size, the last one padded, because a matrix
product of another height may add its terms in another order (`narrows.model.steady`). Nothing is
rounded to bfloat16 here.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrows.common.blocks import rows_at_once, slices
from narrows.common.threads import without_warnings
from narrows.model.halves import decoded, encoded
from narrows.model.steady import BLOCK_VALUES, Heights, Steady
from narrows.networks import Autoencoding, on_cpu
from narrows.objectives import Objective

Block = Callable[[Autoencoding, Tensor], Tensor]
Floats = NDArray[np.floating[Any]]


class Inference:
    """A network frozen for use.

    Parameters
    ----------
    net : Autoencoding
        Copied per dtype when first used; later changes of it have no effect on a copy made.
    objective : Objective
    bounds : (float, float) or None
        That reconstructions are clipped to, in data units.
    n_components : int, optional
        Numbers of a code that are handed out, of a network whose codes may be cut short; all by
        default.
    """

    def __init__(
        self,
        net: Autoencoding,
        objective: Objective,
        bounds: tuple[float, float] | None,
        n_components: int | None = None,
    ) -> None:
        self._net = net
        self._n_components = n_components
        self._objective = objective
        self._bounds = bounds
        self._by_dtype: dict[torch.dtype, Autoencoding] = {}
        self._heights: dict[tuple[str, torch.dtype], Heights] = {}

    def _as(self, dtype: torch.dtype) -> Autoencoding:
        if dtype not in self._by_dtype:
            self._by_dtype[dtype] = on_cpu(self._net).to(dtype).eval()
        return self._by_dtype[dtype]

    def encode(self, X: NDArray[np.generic]) -> Floats:
        """Return codes (N, K) of rows (N, D): float32 for float32, float64 for all else."""

        def block(net: Autoencoding, x_BD: Tensor) -> Tensor:
            return encoded(net, self._objective, x_BD)

        codes = self._in_blocks("encode", block, X)
        shorter = self._n_components is not None and self._n_components < codes.shape[1]
        return codes[:, : self._n_components].copy() if shorter else codes

    def decode(self, Z: NDArray[np.generic]) -> Floats:
        """Return rows (N, D) of codes (N, K), clipped to the bounds; dtypes as in `encode`.

        Codes may have fewer columns where the network was trained for that.
        """
        return self._in_blocks("decode", self._decoded, Z)

    def loadings(self, Z: NDArray[np.generic]) -> Floats:
        """Return the derivatives (N, D, K) of decoded rows by the numbers of codes (N, K).

        Columns as in `decode`; zero where the bounds cut a value off. By forward differentiation,
        one number of the code after the other.
        """
        n_given = Z.shape[1]

        def block(net: Autoencoding, z_BK: Tensor) -> Tensor:
            slopes = []
            for number in range(n_given):
                direction = torch.zeros_like(z_BK)
                direction[:, number] = 1
                slopes.append(torch.func.jvp(partial(self._decoded, net), (z_BK,), (direction,))[1])
            return torch.stack(slopes, dim=2).flatten(1)

        _load_forward_rules()
        return self._in_blocks("loadings", block, Z).reshape(len(Z), -1, n_given)

    def _decoded(self, net: Autoencoding, z_BK: Tensor) -> Tensor:
        return decoded(net, self._objective, self._bounds, z_BK)

    def reconstruct(self, X: NDArray[np.generic]) -> Floats:
        """Return the rows (N, D) that come back through the code."""
        return self.decode(self.encode(X))

    def squared_errors(
        self, X: NDArray[np.generic], Z: Floats | None = None, *, reported: bool = False
    ) -> NDArray[np.float64]:
        """Return the mean squared error per value (N,) of rows (N, D) after the round trip.

        Or of decoding, where their codes (N, K) are known. In squared data units; if ``reported``,
        and each column has its own divisor, in squared standard deviations of each column.
        """
        errors = np.empty(len(X))
        for part in slices(len(X), rows_at_once(X.shape[1], BLOCK_VALUES, 4096)):
            codes = self.encode(X[part]) if Z is None else Z[part]
            found = self.squares(X[part], self.decode(codes), reported=reported)
            errors[part] = found.mean(axis=1)
        return errors

    def squares(
        self, X: NDArray[np.generic], X_hat: NDArray[np.floating[Any]], *, reported: bool
    ) -> NDArray[np.float64]:
        """Return the squared differences (N, D) of rows (N, D) and what stands for them.

        In the unit that `squared_errors` explains.
        """
        divisor = self._net.scaling.divisor.numpy()
        unit = divisor if reported and divisor.size > 1 else 1.0
        return np.square((X_hat - X.astype(np.float64)) / unit)

    def error_unit(self, *, reported: bool) -> float:
        """Return the root mean squared error that is 1 in the network's units.

        In data units, or in those that `squared_errors` reports.
        """
        divisor = self._net.scaling.divisor.double()
        return 1.0 if reported and divisor.numel() > 1 else float(divisor.square().mean().sqrt())

    def drift(self, Z: Floats) -> NDArray[np.float64]:
        """Return how far codes (N, K) move when decoded and encoded again: distances (N,)."""
        distances = np.empty(len(Z))
        width = self.decode(Z[:1]).shape[1]
        for part in slices(len(Z), rows_at_once(width, BLOCK_VALUES, 4096)):
            moved = self.encode(self.decode(Z[part])).astype(np.float64) - Z[part]
            distances[part] = np.linalg.norm(moved, axis=1)
        return distances

    @torch.no_grad()
    def _in_blocks(self, way: str, block: Block, rows: NDArray[np.generic]) -> Floats:
        """Map rows through a function in fixed blocks, and drop the padding of the last."""
        numpy_dtype = np.float32 if rows.dtype == np.float32 else np.float64
        net = self._as(torch.float32 if numpy_dtype == np.float32 else torch.float64)
        with Steady():
            heights = self._heights_of(way, partial(block, net), net, rows.shape[1])
            first, found = 0, np.empty((0, 0), dtype=numpy_dtype)
            while first < len(rows):
                part = np.zeros((heights.next(len(rows) - first), rows.shape[1]), numpy_dtype)
                n_real = min(len(part), len(rows) - first)
                part[:n_real] = rows[first : first + n_real]
                result = block(net, torch.from_numpy(part)).numpy()
                if not first:
                    found = np.empty((len(rows), result.shape[1]), dtype=numpy_dtype)
                found[first : first + n_real] = result[:n_real]
                first += n_real
        return found

    def _heights_of(
        self, way: str, block: Callable[[Tensor], Tensor], net: Autoencoding, width: int
    ) -> Heights:
        """Return how many rows go through at once."""
        dtype = net.code_unit.dtype

        def draw(n_rows: int) -> Tensor:
            generator = torch.Generator().manual_seed(0)
            rows = torch.randn(n_rows, width, generator=generator, dtype=dtype)
            # Like those of the data, so that no network is asked about anything strange.
            return net.scaling.inverse(rows) if way == "encode" else rows * net.code_unit

        if (way, dtype) not in self._heights:
            self._heights[way, dtype] = Heights(block, draw)
        return self._heights[way, dtype]


@functools.cache
def _load_forward_rules() -> None:
    """Let torch load its rules of forward differentiation, by its deprecated TorchScript."""
    with without_warnings(DeprecationWarning):
        torch.func.jvp(torch.sin, (torch.zeros(1),), (torch.ones(1),))
