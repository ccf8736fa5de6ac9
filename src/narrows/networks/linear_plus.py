"""A linear path beside any network, set so that the sum starts as principal components.

::

    z = V x + σ f(x)          x̂ = Vᵀ z + ρ g(z / σ)          f and g give zeros at the start

x is centred and in the network's units; V holds the principal axes as rows, σ the standard
deviations of the scores, ρ the root mean square of PCA's error. So the non-linear path reads and
writes numbers near one, whatever the variances are.

Legend: B batch, D features, K code size, P numbers in a cell, Q numbers of its code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from narrows.common.threads import on_one_thread
from narrows.errors import ParameterError
from narrows.linear.patches import Cells

_WITH_WEIGHTS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)


class LinearPath(NamedTuple):
    """Linear maps that encoder and decoder start from, and the units of the network beside them.

    For PCA they are ``z = axes x + into`` and ``x̂ = axesᵀ z + back``; a family may change them.

    Attributes
    ----------
    into_weight, into_bias, into_gain : Tensor (E, D), (E,), (E,)
        Of the encoder, with E outputs.
    back_weight, back_bias, back_gain : Tensor (D, K), (D,), (1,) or (D,)
        Of the decoder.
    deviations : Tensor (K,)
        Standard deviations of the numbers of a code, never zero.
    left_over : float
        Root mean square of the error of the path, per feature.
    code_unit : float
        Users get codes multiplied by this.
    divisor : Tensor (1,) or (D,)
        Of the scaling, for families with parameters in data units.
    back_is_fixed : bool
        Whether the linear path of the decoder is not trained.
    """

    into_weight: Tensor
    into_bias: Tensor
    into_gain: Tensor
    back_weight: Tensor
    back_bias: Tensor
    back_gain: Tensor
    deviations: Tensor
    left_over: float
    code_unit: float
    divisor: Tensor = torch.ones(1)
    back_is_fixed: bool = False

    def whitened(self) -> LinearPath:
        """Return the same map with codes of deviation 1."""
        return self._replace(
            into_weight=self.into_weight / self.deviations[:, None],
            into_bias=self.into_bias / self.deviations,
            into_gain=self.into_gain / self.deviations,
            back_weight=self.back_weight * self.deviations,
            deviations=torch.ones_like(self.deviations),
            code_unit=1.0,
        )

    def around(
        self, encoder: nn.Module, decoder: nn.Module, axes: Axes | None = None
    ) -> tuple[nn.Module, LinearPlus]:
        """Return encoder and decoder with this path beside them.

        Parameters
        ----------
        encoder, decoder : nn.Module
        axes : Axes, optional
            What the encoder reads instead of the features; the axes of this path are the first.
        """
        one = torch.ones(1, dtype=self.deviations.dtype)
        back = self.back_weight.contiguous(), self.back_bias
        there: nn.Module
        if axes is None:
            there = LinearPlus(encoder, self.into_weight, self.into_bias, one, self.into_gain)
        else:
            # The same map, as a function of scores on the axes.
            into = self.into_weight @ on_one_thread(torch.linalg.pinv, axes.weight)
            bias = self.into_bias - into @ axes.bias
            there = OnAxes(LinearPlus(encoder, into, bias, one, self.into_gain), *axes)
        back_again = LinearPlus(decoder, *back, self.deviations, self.back_gain)
        back_again.weight.requires_grad_(not self.back_is_fixed)
        return there, back_again


class Axes(NamedTuple):
    """Principal axes that rows are scored on: ``weight @ x + bias``, of (A, D) and (A,)."""

    weight: Tensor
    bias: Tensor


CellMap = Callable[[Tensor, Tensor, Tensor, Cells], Tensor]
"""`gathered` or `spread`."""


class CellPath(NamedTuple):
    """The same for pictures cut into cells: PCA of a cell, as a convolution.

    Attributes
    ----------
    cells : Cells
    axes : Tensor (Q, P)
        Of a cell of P numbers; the code has Q numbers for each cell, axis by axis.
    mean : Tensor (D,)
        Of the pictures.
    deviations : Tensor (K,)
    left_over, code_unit : float
        As for `LinearPath`.
    """

    cells: Cells
    axes: Tensor
    mean: Tensor
    deviations: Tensor
    left_over: float
    code_unit: float

    @property
    def into_bias(self) -> Tensor:
        """Of the encoder (K,): minus the code of the mean."""
        return -gathered(self.mean[None], self.axes, None, self.cells)[0]

    def around(self, encoder: nn.Module, decoder: nn.Module) -> tuple[LinearPlus, LinearPlus]:
        """Return encoder and decoder with this path beside them."""
        one = torch.ones(1, dtype=self.axes.dtype)
        into = self.axes.clone(), self.into_bias
        back = self.axes.T.contiguous(), self.mean
        into_gain = self.deviations.clamp(max=self.left_over * math.sqrt(len(self.mean)))
        return (
            CellPlus(gathered, self.cells, encoder, *into, one, into_gain),
            CellPlus(spread, self.cells, decoder, *back, self.deviations, self.left_over * one),
        )


def gathered(x: Tensor, weight: Tensor, bias: Tensor | None, cells: Cells) -> Tensor:
    """Map pictures (B, D) cell by cell, by a weight (Q, P), to codes (B, K)."""
    scores = nn.functional.linear(cells.gather(x), weight)
    code = scores.permute(0, 3, 1, 2).flatten(1)
    return code if bias is None else code + bias


def spread(z: Tensor, weight: Tensor, bias: Tensor, cells: Cells) -> Tensor:
    """Map codes (B, K) cell by cell, by a weight (P, Q), to pictures (B, D)."""
    scores = z.reshape(len(z), -1, cells.rows, cells.columns).permute(0, 2, 3, 1)
    return cells.spread(nn.functional.linear(scores, weight)).flatten(1) + bias


class LinearPlus(nn.Module):
    """Give ``x @ weightᵀ + bias + gain * inner(x / unit)``.

    Parameters
    ----------
    inner : nn.Module
        The non-linear path (B, inputs) to (B, outputs); its last layer is set to zero.
    weight : Tensor (outputs, inputs)
        The linear path, trained with the rest.
    bias : Tensor (outputs,)
        Fixed: it centres the data, and is zero where scaling does.
    unit : Tensor (inputs,) or (1,)
        Fixed: divides the input of the non-linear path.
    gain : Tensor (outputs,) or (1,)
        Fixed: multiplies its output.
    """

    bias: Tensor
    unit: Tensor
    gain: Tensor

    def __init__(
        self, inner: nn.Module, weight: Tensor, bias: Tensor, unit: Tensor, gain: Tensor
    ) -> None:
        super().__init__()
        silence(inner)
        self.inner = inner
        self.weight = nn.Parameter(weight)
        self.register_buffer("bias", bias)
        self.register_buffer("unit", unit)
        self.register_buffer("gain", gain)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs) to (B, outputs)."""
        curved = cast("Tensor", self.inner(x / self.unit))
        return torch.addcmul(self.linear(x), self.gain, curved)

    def linear(self, x: Tensor) -> Tensor:
        """Return the linear path alone (B, outputs)."""
        return nn.functional.linear(x, self.weight, self.bias)


class CellPlus(LinearPlus):
    """`LinearPlus` with a linear path cell by cell: `gathered` to a code, or `spread` back."""

    def __init__(self, path: CellMap, cells: Cells, *args: Any) -> None:
        super().__init__(*args)
        self.path = path
        self.cells = cells

    def linear(self, x: Tensor) -> Tensor:
        """Return the linear path alone, (B, K) or (B, D)."""
        return self.path(x, self.weight, self.bias, self.cells)


class OnAxes(nn.Module):
    """An encoder that reads the scores of rows on principal axes instead of their features.

    Parameters
    ----------
    inner : nn.Module
        (B, A) to (B, outputs).
    weight, bias : Tensor (A, D) and (A,)
        Fixed: the axes, and the bias that centres the scores.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, inner: nn.Module, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.inner = inner
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, D) to (B, outputs)."""
        found: Tensor = self.inner(self.scores(x))
        return found

    def scores(self, x: Tensor) -> Tensor:
        """Return what the encoder reads, (B, A)."""
        return nn.functional.linear(x, self.weight, self.bias)


@torch.no_grad()
def silence(module: nn.Module) -> nn.Module:
    """Set the last layer with weights of a module to zero, so that the module gives zeros.

    Returns
    -------
    nn.Module
        That layer: the last one in the order of registration.

    Raises
    ------
    ParameterError
        If there is none.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, _WITH_WEIGHTS)]
    if not layers:
        raise ParameterError(
            f"{type(module).__name__} holds no nn.Linear and no convolution, so init='pca' finds"
            " no last layer to set to zero. Use init='random'."
        )
    last = layers[-1]
    last.weight.zero_()
    if last.bias is not None:
        last.bias.zero_()
    return last
