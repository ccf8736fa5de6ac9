"""A normalising flow: an invertible network that turns a normal distribution into any other.

Legend: N codes, K code size, H hidden width.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from narrows.common.adam import AdamSteps
from narrows.linear.varies import CODES, deviations
from narrows.networks.layers import empty_linear
from narrows.objectives.priors.base import FittedPrior
from narrows.objectives.priors.normal import ClassNormals

N_COUPLINGS = 6
LARGEST_LOG_SCALE = 2.0
"""Bound on the logarithm of the scale of one coupling, in either direction."""
FIT_STEPS, FIT_BATCH, FIT_LEARNING_RATE = 1_000, 512, 2e-3
HELD_OUT_SHARE, CHECK_EVERY = 0.1, 100


class Coupling(nn.Module):
    """Scale and shift half of the numbers, as a function of the other half.

    ::

        u = [a, b]      a' = a,  b' = b · exp(s(a)) + t(a)

    Parameters
    ----------
    mask : Tensor (K,) of 0 and 1
        1 where numbers stay unchanged.
    hidden : int
        Width of its two hidden layers.
    generator : torch.Generator
    """

    mask: Tensor

    def __init__(self, mask: Tensor, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        n_components = len(mask)
        self.register_buffer("mask", mask)
        self.net = nn.Sequential(
            _linear(n_components, hidden, generator),
            nn.GELU(),
            _linear(hidden, hidden, generator),
            nn.GELU(),
            _linear(hidden, 2 * n_components, generator, silent=True),
        )

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map codes (..., K); return them and the log determinant (...,)."""
        log_scale, shift = self._maps(z)
        return z * torch.exp(log_scale) + shift, log_scale.sum(dim=-1)

    def inverse(self, u: Tensor) -> Tensor:
        """Undo the map of (..., K)."""
        log_scale, shift = self._maps(u)
        return (u - shift) * torch.exp(-log_scale)

    def _maps(self, z: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self.net(z * self.mask).chunk(2, dim=-1)
        moved = 1 - self.mask
        bounded = LARGEST_LOG_SCALE * torch.tanh(log_scale / LARGEST_LOG_SCALE)
        return bounded * moved, shift * moved


class Flow(FittedPrior):
    """A normalising flow of affine couplings over a normal distribution.

    ::

        z ──coupling──▶ … ──coupling──▶ u ~ base        log p(z) = log p(u) + log |du/dz|

    Reference: L. Dinh, J. Sohl-Dickstein and S. Bengio, "Density estimation using Real NVP",
    ICLR 2017. Before training it is the base.

    Parameters
    ----------
    n_components : int
        K.
    shares : sequence of float
        Part of the rows in each class, C of them, for the base; () for no classes.
    generator : torch.Generator
        Draws the weights.
    """

    name: ClassVar[str] = "flow"
    shift: Tensor
    scale: Tensor

    def __init__(
        self, n_components: int, shares: Sequence[float] = (), *, generator: torch.Generator
    ) -> None:
        super().__init__()
        hidden = _hidden(n_components)
        self.register_buffer("shift", torch.zeros(n_components))
        self.register_buffer("scale", torch.ones(n_components))
        self.base = ClassNormals(n_components, shares)
        self.couplings = nn.ModuleList(
            Coupling(_mask(n_components, number), hidden, generator)
            for number in range(N_COUPLINGS)
        )

    @staticmethod
    def count(n_components: int, n_classes: int) -> int:
        """Count the numbers in its tensors."""
        hidden, size = _hidden(n_components), n_components
        layers = (size + 1) * hidden + (hidden + 1) * hidden + (hidden + 1) * 2 * size
        return 2 * size + N_COUPLINGS * (layers + size) + ClassNormals.count(size, n_classes)

    @classmethod
    def fit(cls, codes: Tensor, seed: int) -> Flow:
        """Train on codes (N, K) by maximum likelihood; keep the best state on held-out codes."""
        generator = torch.Generator().manual_seed(seed)
        flow = cls(codes.shape[1], generator=generator)
        scale = torch.from_numpy(deviations(codes.numpy(), CODES)).to(codes)
        flow.shift.copy_(codes.mean(dim=0))
        flow.scale.copy_(torch.where(scale > 0, scale, torch.ones_like(scale)))
        codes = codes.float()[torch.randperm(len(codes), generator=generator)]
        n_held_out = max(1, math.ceil(HELD_OUT_SHARE * len(codes)))
        held_out, seen = codes[:n_held_out], codes[n_held_out:]
        if len(seen) > 1 and bool((scale > 0).any()):  # else there is no shape to learn
            _train(flow, seen, held_out, generator)
        return flow.requires_grad_(False)

    @classmethod
    def blank(cls, n_components: int, tensors: Mapping[str, Tensor]) -> Flow:
        """Return one whose tensors a file will fill."""
        del tensors
        return cls(n_components, generator=torch.Generator().manual_seed(0))

    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density (...,) of codes (..., K), of classes (...,) where given."""
        u = (z - self.shift) / self.scale
        log_volume = -self.scale.log().sum()
        for coupling in self.couplings:
            u, more = coupling(u)
            log_volume = log_volume + more
        return self.base.log_prob(u, y) + log_volume

    def meet_classes(self, parts: Iterable[tuple[Tensor, Tensor, Tensor | None]]) -> None:
        """Set the classes of the base, which the untrained couplings leave as they are."""
        self.base.meet_classes(parts)

    @torch.no_grad()
    def sample(
        self, n: int, generator: torch.Generator, temperature: float = 1.0, y: Tensor | None = None
    ) -> Tensor:
        """Draw codes (N, K), of classes (N,) where given."""
        u = self.base.sample(n, generator, temperature, y).to(self.scale)
        for coupling in reversed(self.couplings):
            assert isinstance(coupling, Coupling)
            u = coupling.inverse(u)
        return u * self.scale + self.shift


def _train(flow: Flow, seen: Tensor, held_out: Tensor, generator: torch.Generator) -> None:
    optimizer = AdamSteps([{"params": list(flow.parameters())}], weight_decay=1e-2)
    best, least = copy.deepcopy(flow.state_dict()), math.inf
    for step in range(FIT_STEPS + 1):
        if step % CHECK_EVERY == 0:
            with torch.no_grad():
                loss = -float(flow.log_prob(held_out).mean())
            if loss < least:
                best, least = copy.deepcopy(flow.state_dict()), loss
        for group in optimizer.param_groups:
            group["lr"] = FIT_LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * step / FIT_STEPS))
        rows = torch.randint(len(seen), (min(FIT_BATCH, len(seen)),), generator=generator)
        flow.zero_grad()
        (-flow.log_prob(seen[rows]).mean()).backward()
        optimizer.step()
    flow.load_state_dict(best)
    for parameter in flow.parameters():
        parameter.grad = None


def _mask(n_components: int, number: int) -> Tensor:
    """Choose the half that stays: each odd coupling moves what the even one before it kept."""
    if n_components == 1:
        return torch.zeros(1)
    # The mask depends on the code size and the coupling alone.
    seed = torch.Generator().manual_seed(number // 2)
    half = (torch.randperm(n_components, generator=seed) < n_components // 2).float()
    return half if number % 2 == 0 else 1 - half


def _hidden(n_components: int) -> int:
    return min(256, max(32, 8 * n_components))


def _linear(
    inputs: int, outputs: int, generator: torch.Generator, *, silent: bool = False
) -> nn.Linear:
    layer = empty_linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.normal_(std=0.0 if silent else 1 / math.sqrt(inputs), generator=generator)
        layer.bias.zero_()
    return layer
