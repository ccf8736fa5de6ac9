"""Blocks in which a row gets the same bits wherever it stands, and layers that keep to that.

Whether a function keeps its promise is tried out before its first use; rows of one that does not,
as a user's own modules may not, go one by one. A matrix product of another height may add its
terms in another order. So blocks of few rows and of many are taken only where a trial gives the
bits of the usual ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from narrows.common.blocks import rows_at_once

FEW_ROWS, USUAL_ROWS, MANY_ROWS, ALIGNED_WIDTH = 8, 64, 512, 16
BLOCK_VALUES = 1 << 22
"""Values of a block of rows (16 MiB in float32), where so many rows would have more."""
KEPT_VALUES = 1 << 20
"""Values of a weight whose padded copy is kept, at the most (4 MiB in float32)."""
PADDED = 4
"""Times as many rows as are left that a block of many may have."""


class Heights:
    """How many rows go through a function at once.

    Parameters
    ----------
    function : callable
        From rows (B, D) to (B, outputs); within `Steady`.
    draw : callable
        Gives so many rows to try it with.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], draw: Callable[[int], Tensor]) -> None:
        self._function, self._draw = function, draw
        row = draw(1)
        widest = max(row.shape[1], function(row).shape[1])
        self._most = rows_at_once(widest, BLOCK_VALUES)
        rows = draw(min(USUAL_ROWS, self._most))
        self._usual = len(rows) if _keeps_bits(function, rows) else 1
        self._same: dict[int, bool] = {}

    def next(self, n_left: int) -> int:
        """Return the height of the next block, of which some rows may be padding."""
        if n_left <= FEW_ROWS < self._usual and self._gives_the_same(FEW_ROWS):
            return FEW_ROWS
        many = PADDED * n_left >= MANY_ROWS and self._most >= MANY_ROWS
        if many and self._usual == USUAL_ROWS and self._gives_the_same(MANY_ROWS):
            return MANY_ROWS
        return self._usual

    def _gives_the_same(self, height: int) -> bool:
        """Tell whether blocks of a height give the bits of the usual ones."""
        if height not in self._same:
            rows = self._draw(max(height, self._usual))
            one, other = (
                torch.cat([self._function(part.clone()) for part in rows.split(size)])
                for size in (height, self._usual)
            )
            self._same[height] = torch.equal(one, other)
        return self._same[height]


def _keeps_bits(block: Callable[[Tensor], Tensor], rows: Tensor) -> bool:
    """Tell whether rows give the same bits at other places of a block, and among zeros."""
    whole = block(rows)
    for shift in (1, len(rows) // 2 + 1):
        if not torch.equal(block(rows.roll(shift, 0)), whole.roll(shift, 0)):
            return False
    for place in (1, len(rows) - 1):
        alone = torch.zeros_like(rows)
        alone[0] = rows[place % len(rows)]
        if not torch.equal(block(alone)[0], whole[place % len(rows)]):
            return False
    return True


class Steady(TorchFunctionMode):
    """Layers whose result for a row does not depend on the row's place in the block.

    Where rows of a matrix do not begin on aligned addresses, the kernels of a processor's library
    add in an order that depends on the row; with widths that are multiples of 16 they do not.
    Convolutions in float32 are oneDNN's, which keep their order; those in float64 are products of
    matrices of any width, so there rows go one by one, as they do inside torch.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func is functional.linear:
            return _padded_linear(*args, **given)
        if func in _CONVOLUTIONS and _is_batch_of_doubles(*args[:2]):
            rows = [func(row.clone(), *args[1:], **given) for row in args[0].split(1)]
            return torch.cat(rows)
        return func(*args, **given)


_CONVOLUTIONS = {
    getattr(functional, f"conv{transposed}{axes}d")
    for transposed in ("", "_transpose")
    for axes in (1, 2, 3)
}


def _is_batch_of_doubles(x: Tensor | None = None, weight: Tensor | None = None) -> bool:
    if x is None or weight is None:  # given by name, as torch's own layers do not
        return False
    return x.dtype == torch.float64 and x.ndim == weight.ndim


def _padded_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    outputs, inputs = weight.shape
    more_in, more_out = -inputs % ALIGNED_WIDTH, -outputs % ALIGNED_WIDTH
    if more_in or more_out:
        x = functional.pad(x, (0, more_in)).contiguous() if more_in else x
        weight = _padded(weight, (0, more_in, 0, more_out))
        bias = None if bias is None else functional.pad(bias, (0, more_out))
    return functional.linear(x, weight, bias)[..., :outputs]


def _padded(weight: Tensor, more: tuple[int, ...]) -> Tensor:
    """Return a padded weight; that of a small layer is kept for as long as the layer lives."""
    if not isinstance(weight, nn.Parameter) or weight.numel() > KEPT_VALUES:
        return functional.pad(weight, more).contiguous()
    if weight not in _PADDED:
        _PADDED[weight] = functional.pad(weight, more).contiguous()
    padded: Tensor = _PADDED[weight]
    return padded


_PADDED: Any = WeakTensorKeyDictionary()
"""Padded copies of weights, which are frozen."""
