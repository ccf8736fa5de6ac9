"""A user's own encoder and decoder: two modules of torch, which are copied first.

Legend: B batch, D features, K code size.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from narrows.common.threads import torch_stream
from narrows.errors import ParameterError
from narrows.networks.base import Network, Widths, count_products
from narrows.networks.linear_plus import silence
from narrows.networks.prefixes import ReadsPrefix

RANDOM_START = "use init='random', which takes any pair"


class Own(Network):
    """The pair (encoder, decoder) that a user gives as ``network=``.

    ::

        x (B, D) ──encoder──▶ (B, K)        z (B, K) ──decoder──▶ x̂ (B, D)

    Rows come in flat, in the network's units, and go out flat; some families need other widths
    than K and D. With ``init="pca"`` the last layer with weights of each module is set to zero, so
    that training starts at PCA.

    Not for: models that others load without your code; a file holds weights, not modules.

    Parameters
    ----------
    encoder, decoder : nn.Module
        Never changed: `resolved` and `build` copy them.
    """

    name: ClassVar[str] = "own"

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        self.encoder = encoder
        self.decoder = decoder

    def __eq__(self, other: object) -> bool:
        """Tell whether the modules are built alike, whatever their weights are."""
        return isinstance(other, Own) and self._layout() == other._layout()

    def __hash__(self) -> int:
        return hash(self._layout())

    def _layout(self) -> tuple[str, str]:
        return repr(self.encoder), repr(self.decoder)

    def __repr__(self) -> str:
        return f"({type(self.encoder).__name__}, {type(self.decoder).__name__})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return nothing: a pair of modules has no fields."""
        del deep
        return {}

    def resolved(self, widths: Widths, n_rows: int) -> Own:
        """Return a copy in float32 whose layers all have their sizes.

        Raises
        ------
        ParameterError
            If the modules do not have the widths that are needed.
        """
        del n_rows
        # Copied together, so that shared weights stay shared.
        encoder, decoder = copy.deepcopy((self.encoder, self.decoder))
        for module in (encoder, decoder):
            module.to("cpu", torch.float32)
        _check_widths(encoder, "encoder", widths.features, widths.encoder_out)
        _check_widths(decoder, "decoder", widths.code, widths.decoder_out)
        return Own(encoder, decoder)

    def build(self, widths: Widths, generator: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """Return copies with the weights that were given."""
        del generator
        encoder, decoder = copy.deepcopy((self.encoder, self.decoder))
        if widths.ordered:
            return Guest(encoder), ReadsPrefix(Guest(decoder), widths.code, told=False)
        return Guest(encoder), Guest(decoder)

    def redraw(self, encoder: nn.Module, seed: int) -> None:
        """Draw the weights of the user's module anew, layer by layer."""
        with torch_stream(seed, torch.device("cpu")):
            for layer in encoder.modules():
                reset: Any = getattr(layer, "reset_parameters", None)
                if callable(reset):
                    reset()

    def n_parameters(self, widths: Widths) -> int:
        """Count the parameters of both modules."""
        del widths
        return sum(p.numel() for p in nn.ModuleList([self.encoder, self.decoder]).parameters())

    def n_products(self, widths: Widths) -> int:
        """Count the multiplications of one row, by sending two through."""
        encoder, decoder = self.build(widths, torch.Generator())
        with _apart():
            x, z = _rows(2, widths.features), _rows(2, widths.code)
            return count_products(encoder.eval(), decoder.eval(), x, z)

    def linear_ends(self) -> bool:
        """Tell that a linear path may stand beside the modules; `check_start` tests it."""
        return True

    def check_start(self, widths: Widths) -> None:
        """Check that both modules give zeros once silenced, and can leave them again.

        Raises
        ------
        ParameterError
            Naming the module that does not, and what to do.
        """
        encoder, decoder = copy.deepcopy((self.encoder, self.decoder))
        _check_silence(encoder, "encoder", widths.features)
        _check_silence(decoder, "decoder", widths.code)


class Guest(nn.Module):
    """A user's module. A batch of one row, which has no statistics, passes in evaluation mode."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs) to (B, outputs)."""
        alone = self.training and len(x) == 1
        if alone:
            self.module.eval()
        try:
            output: Tensor = self.module(x)
        finally:
            if alone:
                self.module.train()
        return output


def as_pair(value: object) -> tuple[nn.Module, nn.Module] | None:
    """Return the encoder and the decoder where a value is such a pair."""
    if isinstance(value, Sequence) and len(value) == 2:
        encoder, decoder = value
        if isinstance(encoder, nn.Module) and isinstance(decoder, nn.Module):
            return encoder, decoder
    return None


def _apart() -> contextlib.AbstractContextManager[None]:
    """Seed what layers draw, and leave torch's global stream as it was."""
    return torch_stream(0, torch.device("cpu"))


def _rows(n_rows: int, width: int) -> Tensor:
    return torch.randn(n_rows, width, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def _check_widths(module: nn.Module, which: str, inputs: int, outputs: int) -> None:
    """Send two rows through, which also gives lazy layers their sizes, from a fixed seed."""
    called = f"The {which} in `network` ({type(module).__name__})"
    needed = f"it must turn flat rows of shape (2, {inputs}) into shape (2, {outputs})"
    try:
        with _apart():
            found = module.eval()(_rows(2, inputs))
    except Exception as error:
        words = " ".join(str(error).split())
        raise ParameterError(
            f"{called} failed with {type(error).__name__}: {words}. With this data and code size"
            f" {needed}; pictures may be shaped by nn.Unflatten as its first layer."
        ) from error
    if not isinstance(found, Tensor):
        raise ParameterError(f"{called} returned a {type(found).__name__}; {needed}.")
    if tuple(found.shape) != (2, outputs):
        raise ParameterError(
            f"{called} returned shape {tuple(found.shape)}, but with this data and code size"
            f" {needed}. Change its last layer, or n_components."
        )


def _check_silence(module: nn.Module, which: str, inputs: int) -> None:
    """Check that a module gives zeros once silenced, and that its last layer has a gradient."""
    called = f"The {which} in `network`"
    last = silence(module)
    name = type(last).__name__
    x = _rows(4, inputs)
    with _apart():
        for training in (False, True):
            found = module.train(training)(x)
            worst = float(found.detach().abs().max())
            if worst != 0:
                raise ParameterError(
                    f"{called} gives {worst:.3g} where init='pca' needs 0: training starts at PCA"
                    f" and adds what the modules give, with the weights of their last layer (here"
                    f" a {name}) at zero. Leave out what follows that layer (a sigmoid, say), or"
                    f" {RANDOM_START}."
                )
        if found.requires_grad:
            (found * _rows(4, found.shape[1])).sum().backward()
    moved = [p.grad for p in last.parameters() if p.grad is not None and bool(p.grad.any())]
    if not moved:
        raise ParameterError(
            f"{called} could never leave zero, where init='pca' starts it: what follows its last"
            f" layer with weights (a {name}) lets no gradient through there, as a ReLU does, or"
            f" that layer is frozen. Leave it out, or {RANDOM_START}."
        )
