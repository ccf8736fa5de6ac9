"""Convolutions over pictures of any height, width and number of channels.

Feature maps have their channels last, as pictures and flat rows do.

Legend: B batch, D features, K code size, H height, W width, C channels of a map.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn

from narrows.common.limits import MOST, boolean, integer, one_of, parameter, real, widths
from narrows.common.sizes import MANY_ROWS
from narrows.errors import ParameterError
from narrows.linear.patches import Cells, as_picture
from narrows.networks.base import Network, Widths
from narrows.networks.layers import empty_linear, with_memory
from narrows.networks.prefixes import ReadsPrefix

SMALLEST_CONTRAST = 1e-2
"""Root mean square below which a row counts as flat, in the network's units."""
WIDENED = 2
"""Channels inside a residual block, as a multiple of those outside."""
PHOTOGRAPH_CHANNELS, PHOTOGRAPH_CODE = 3, 8
"""Channels and code size from which ``homogeneous="auto"`` is True."""
MOST_STAGES = 12
FIRST = {(True, True): 128, (True, False): 512, (False, True): 64, (False, False): 128}
"""Channels of the first map, by whether the network is homogeneous and whether rows are few."""


class _Shrink(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - torch.tanh(x)


_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "shrink": _Shrink,
}
_ODD = ("shrink", "tanh")


class Extent(NamedTuple):
    """Height, width and channels of a picture or of a feature map."""

    height: int
    width: int
    channels: int

    @property
    def size(self) -> int:
        """Numbers in it."""
        return self.height * self.width * self.channels


@dataclass(frozen=True)
class Conv(Network):
    """Residual convolutional encoder with a mirrored decoder.

    ::

        picture ─ squares ─ blocks ─ [halving ─ blocks ─ …] ─ hidden ─ K          (encoder)
        K ─ hidden ─ [blocks ─ doubling ─ …] ─ blocks ─ squares ─ picture         (decoder)

    The first convolution cuts the picture into squares, and each further stage halves height and
    width; sides that do not divide are filled up with zeros. A residual block is a convolution
    within each channel and two across channels (Z. Liu et al., "A ConvNet for the 2020s", CVPR
    2022).

    Not for: rows that are no pictures.

    Parameters
    ----------
    patch : "auto" or int, default="auto"
        Largest height and width of the squares, in pixels. Their number follows from it; they are
        then made as equal as possible.
    channels : "auto" or sequence of int, default="auto"
        Channels of the map that squares become, and of the map of each further stage.
    blocks : "auto" or int, default="auto"
        Residual blocks per stage.
    kernel : int, default=3
        Height and width of a block's convolution; odd.
    hidden : "auto" or sequence of int, default="auto"
        Widths of fully connected layers between the last map and the code.
    homogeneous : "auto" or bool, default="auto"
        Whether ``f(a x) = a f(x)`` for any number a, so that neither the contrast nor the sign of
        a pattern matters. There are no biases then. Photographs behave like this, so that fewer
        are needed for training; writing, dark on light, does not. ``"auto"`` is True for three
        channels or more and codes of 8 numbers or more, where the encoder gives only the code.
    activation : {"auto", "gelu", "relu", "silu", "tanh", "shrink"}, default="auto"
        ``"shrink"`` is ``x − tanh x``, which moves numbers towards zero, small ones nearly to it.
        ``"auto"`` is ``"shrink"`` with ``homogeneous`` (which needs it or ``"tanh"``), else
        ``"gelu"``.
    dropout : "auto" or float in [0, 1), default="auto"
        Part of the activations, drawn at random, that each step of training sets to zero.
        ``"auto"`` is 0.6 below 10,000 rows and 0.3 from there on, and 0 without ``homogeneous``.
    """

    name: ClassVar[str] = "conv"
    bfloat16: ClassVar[bool] = True

    patch: str | int = parameter(
        "auto", one_of("auto") | integer(1, MOST), "side of the squares, pixels"
    )
    channels: str | tuple[int, ...] = parameter(
        "auto", one_of("auto") | widths(MOST_STAGES), "channels of the maps, stage by stage"
    )
    blocks: str | int = parameter(
        "auto", one_of("auto") | integer(0, 64), "residual blocks per stage"
    )
    kernel: int = parameter(3, integer(1, 63), "side of a block's convolution, odd")
    hidden: str | tuple[int, ...] = parameter(
        "auto", one_of("auto") | widths(), "widths of the layers between maps and code"
    )
    homogeneous: str | bool = parameter(
        "auto", one_of("auto") | boolean(), "whether contrast and sign make no difference"
    )
    activation: str = parameter("auto", one_of("auto", *_ACTIVATIONS), "after each layer")
    dropout: str | float = parameter(
        "auto", one_of("auto") | real(0, 1), "part of the activations that a step sets to zero"
    )

    def resolved(self, widths: Widths, n_rows: int) -> Conv:
        """Return a copy in which no field is ``"auto"``.

        Raises
        ------
        ParameterError
            Where rows are no pictures, or fields do not fit each other.
        """
        picture, few = _picture(widths), n_rows < MANY_ROWS
        homogeneous = self.homogeneous
        if homogeneous == "auto":
            photograph = picture.channels >= PHOTOGRAPH_CHANNELS
            # Log variances, which some encoders give too, do not scale with a row.
            alone = widths.encoder_out == widths.code
            homogeneous = photograph and alone and widths.code >= PHOTOGRAPH_CODE
        patch = self.patch
        if patch == "auto":
            patch = _auto_patch(picture, homogeneous=bool(homogeneous))
        grid = [math.ceil(side / int(patch)) for side in picture[:2]]
        copy = self.filled(
            {
                "homogeneous": homogeneous,
                "patch": patch,
                "channels": _auto_channels(grid, FIRST[bool(homogeneous), few]),
                "blocks": 0 if homogeneous or max(grid) == 1 else 1,
                "hidden": (64,) if few else (256,),
                "activation": "shrink" if homogeneous else "gelu",
                "dropout": (0.6 if few else 0.3) if homogeneous else 0.0,
            }
        )
        copy._check()
        return copy

    def _check(self) -> None:
        complaints = []
        if self.kernel % 2 == 0:
            complaints.append(f"`kernel` of Conv must be odd, got {self.kernel}.")
        if not 1 <= len(self.channels) <= MOST_STAGES:
            complaints.append(
                f"`channels` of Conv must name 1 to {MOST_STAGES} stages, got {self.channels!r}."
            )
        if self.homogeneous and self.activation not in _ODD:
            complaints.append(
                f"homogeneous=True of Conv needs activation='shrink' or 'tanh', which treat both"
                f" signs alike, got {self.activation!r}."
            )
        if complaints:
            raise ParameterError(" ".join(complaints))

    def linear_ends(self) -> bool:
        """Tell that neither code nor output passes an activation."""
        return True

    def n_parameters(self, widths: Widths) -> int:
        """Count weights and biases of encoder and decoder."""
        layers = self._layers(widths)
        return sum((inputs + self._bias) * outputs for inputs, outputs, _ in layers)

    def n_products(self, widths: Widths) -> int:
        """Count the multiplications of a forward pass of one row, through encoder and decoder."""
        return sum(inputs * outputs * places for inputs, outputs, places in self._layers(widths))

    def _layers(self, widths: Widths) -> Iterator[tuple[int, int, int]]:
        """Give what enters and leaves each layer that `_modules` makes, and how often in a row."""
        extents = self._extents(_picture(widths))
        n_outputs = widths.decoder_out // widths.features
        for sizes in self._dense_sizes(widths, extents[-1]):
            yield from ((*sides, 1) for sides in pairwise(sizes))
        for fine, coarse in pairwise(extents):
            n_maps = n_outputs if fine is extents[0] else 1
            size, channels = _cells(fine, coarse).size, coarse.channels
            wide = WIDENED * channels
            block = [(self.kernel**2, channels), (channels, wide), (wide, channels)]
            sides = [(size, channels), (channels, n_maps * size), *block * (2 * int(self.blocks))]
            yield from ((*pair, coarse.height * coarse.width) for pair in sides)

    def _dense_sizes(self, widths: Widths, last: Extent) -> tuple[list[int], list[int]]:
        """Return the sizes between the last map and the code, there and back."""
        hidden = [int(width) for width in self.hidden]
        # For codes that may be cut short, the decoder also reads which numbers are given, unless
        # it is homogeneous.
        read = widths.code * (1 + (widths.ordered and not self.homogeneous))
        return [last.size, *hidden, widths.encoder_out], [read, *reversed(hidden), last.size]

    def build(self, widths: Widths, generator: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """Return a fresh (encoder, decoder) drawn from the generator alone."""
        encoder, decoder = self._modules(widths)
        for module in (encoder, decoder):
            _draw(with_memory(module), generator)
        if widths.ordered:
            decoder = ReadsPrefix(decoder, widths.code, told=not self.homogeneous)
        return encoder, decoder

    def _modules(self, widths: Widths) -> tuple[nn.Module, nn.Module]:
        """Return encoder and decoder without memory, on torch's "meta" device."""
        picture = _picture(widths)
        extents = self._extents(picture)
        into_code, from_code = self._dense_sizes(widths, extents[-1])
        down: list[nn.Module] = []
        for fine, coarse in pairwise(extents):
            down += [_Gather(fine, coarse, self._bias), *self._stage(coarse.channels)]
        encoder: nn.Module = nn.Sequential(
            nn.Unflatten(1, tuple(picture)), *down, nn.Flatten(), *self._dense(into_code)
        )
        up: list[nn.Module] = []
        n_outputs = widths.decoder_out // widths.features
        for fine, coarse in pairwise(extents):
            n_maps = n_outputs if fine is extents[0] else 1
            up = [*self._stage(coarse.channels), _Spread(coarse, fine, n_maps, self._bias), *up]
        decoder: nn.Module = nn.Sequential(
            *self._dense(from_code), nn.Unflatten(1, tuple(extents[-1])), *up, nn.Flatten()
        )
        if self.homogeneous:
            encoder, decoder = _Homogeneous(encoder), _Homogeneous(decoder)
        return encoder, decoder

    @property
    def _bias(self) -> bool:
        return not self.homogeneous

    def _extents(self, picture: Extent) -> list[Extent]:
        """Return the extents of the picture and of each stage's map."""
        found, side = [picture], int(self.patch)
        for channels in self.channels:
            height, width, _ = found[-1]
            found.append(Extent(math.ceil(height / side), math.ceil(width / side), int(channels)))
            side = 2
        return found

    def _stage(self, channels: int) -> list[nn.Module]:
        activation = _ACTIVATIONS[self.activation]
        blocks = [
            _Block(channels, self.kernel, activation(), self._bias) for _ in range(int(self.blocks))
        ]
        return [*blocks, *self._activation()]

    def _activation(self) -> list[nn.Module]:
        activation = _ACTIVATIONS[self.activation]()
        return [activation, nn.Dropout(float(self.dropout))] if self.dropout else [activation]

    def _dense(self, sizes: list[int]) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes[:-1]):
            layers += [_linear(inputs, outputs, self._bias), *self._activation()]
        return [*layers, _linear(sizes[-2], sizes[-1], self._bias)]


def _picture(widths: Widths) -> Extent:
    """Return the extent of a row that is a picture.

    Raises
    ------
    ParameterError
        If it is none, or a family needs outputs that are no pictures.
    """
    shape = widths.sample_shape
    picture = as_picture(shape)
    if picture is None or math.prod(shape) != widths.features:
        raise ParameterError(
            f"network='conv' needs pictures, but rows have shape {shape or (widths.features,)}."
            " Give sample_shape=(height, width) or (height, width, channels), or pass X of shape"
            " (n, height, width); for other data use network='mlp'."
        )
    if widths.decoder_out % widths.features:
        raise ParameterError(
            f"network='conv' gives whole pictures of {widths.features} values, but this objective"
            f" asks its decoder for {widths.decoder_out} numbers. Use network='mlp'."
        )
    return Extent(*picture)


def _auto_patch(picture: Extent, *, homogeneous: bool) -> int:
    """Choose squares of 16 pixels in photographs, else such that about 4 × 4 cover a picture."""
    side = max(picture.height, picture.width)
    return 16 if homogeneous else min(max(math.ceil(side / 4), 2), 8)


def _auto_channels(grid: list[int], first: int) -> tuple[int, ...]:
    """Choose one stage for the squares, and more until the map is 4 × 4 or smaller."""
    n_halvings = max(0, math.ceil(math.log2(max(grid) / 4)))
    return (first,) + (max(first, 128),) * n_halvings


class _Homogeneous(nn.Module):
    """Give ``r f(x / r)``, r the root mean square of a row, so that contrast does not matter."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        contrast = (x.square().mean(dim=1, keepdim=True) + SMALLEST_CONTRAST**2).sqrt()
        scaled = cast("Tensor", self.inner(x / contrast))
        return contrast * scaled


class _Gather(nn.Module):
    """Convolve (B, H, W, C) with a kernel as large as its stride, to a coarser map."""

    def __init__(self, fine: Extent, coarse: Extent, bias: bool) -> None:
        super().__init__()
        self.cells = _cells(fine, coarse)
        self.linear = _linear(self.cells.size, coarse.channels, bias)

    def forward(self, x: Tensor) -> Tensor:
        cells = self.cells
        gathered: Tensor = self.linear(cells.gather(x).reshape(-1, cells.size))
        return gathered.reshape(-1, cells.rows, cells.columns, gathered.shape[-1])


class _Spread(nn.Module):
    """The mirror of `_Gather`: a transposed convolution, to several maps one after the other."""

    def __init__(self, coarse: Extent, fine: Extent, n_maps: int, bias: bool) -> None:
        super().__init__()
        self.cells = _cells(fine, coarse)
        self.n_maps = n_maps
        self.linear = _linear(coarse.channels, n_maps * self.cells.size, bias)

    def forward(self, x: Tensor) -> Tensor:
        cells = self.cells
        spread: Tensor = self.linear(x.reshape(-1, x.shape[-1]))
        spread = spread.reshape(-1, cells.n_cells, self.n_maps, cells.size).transpose(1, 2)
        maps = cells.spread(spread)
        return maps.reshape(-1, self.n_maps * cells.height, cells.width, cells.channels)


class _Block(nn.Module):
    """Add to a map the result of a convolution within its channels and two across them."""

    def __init__(self, channels: int, kernel: int, activation: nn.Module, bias: bool) -> None:
        super().__init__()
        self.within = nn.Conv2d(
            channels,
            channels,
            kernel,
            padding=kernel // 2,
            groups=channels,
            bias=bias,
            device="meta",
        )
        self.widen = _linear(channels, WIDENED * channels, bias)
        self.activation = activation
        self.narrow = _linear(WIDENED * channels, channels, bias)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.within(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        wide = self.widen(seen.reshape(-1, x.shape[-1]))
        change: Tensor = self.narrow(self.activation(wide))
        return x + change.reshape(x.shape)


def _linear(inputs: int, outputs: int, bias: bool) -> nn.Linear:
    return empty_linear(inputs, outputs, bias=bias, device="meta")


def _cells(fine: Extent, coarse: Extent) -> Cells:
    """Return how a map is cut into one cell for each place of a coarser map."""
    return Cells(*fine, coarse.height, coarse.width)


@torch.no_grad()
def _draw(module: nn.Module, generator: torch.Generator) -> None:
    """Draw weights from N(0, 1/inputs); a convolution within channels starts near the identity."""
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            inputs = layer.weight[0].numel()
            layer.weight.normal_(std=1 / math.sqrt(inputs), generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()
        if isinstance(layer, nn.Conv2d):
            middle = layer.kernel_size[0] // 2
            layer.weight[:, :, middle, middle] += 1
