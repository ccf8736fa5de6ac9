"""What families without a likelihood share, whose codes are to follow N(0, 1).

Legend: B batch, M rows of another set, K code size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from narrows.linear.varies import CODES, deviations
from narrows.networks.linear_plus import LinearPath

KERNEL_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Squared widths of the kernels, as fractions of the mean squared distance of two draws, 2K."""
SMALLEST_GAIN = 0.25
"""Smallest gain of the decoder's network, as a part of the deviation that PCA explains."""
SIZES = (0.25, 4.0)
"""Root mean squares of codes, which should be 1, beyond which a fit has gone wrong."""


def start(path: LinearPath) -> LinearPath:
    """Return PCA with codes of deviation 1, which the network may move by as much.

    A plain autoencoder moves codes and rows only as far as PCA's error. Here codes must take
    another distribution, however small that error is, and the decoder must undo it.
    """
    spread = float(path.deviations.square().sum() / len(path.back_weight)) ** 0.5
    path = path.whitened()
    return path._replace(
        into_gain=torch.ones_like(path.into_gain),
        back_gain=path.back_gain.clamp(min=SMALLEST_GAIN * spread),
    )


def kernel(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean of inverse multiquadratic kernels (B, M) between rows (B, K) and (M, K).

    ``k(a, b) = mean over s of 2Ks / (2Ks + ‖a − b‖²)``, within (0, 1]: I. Tolstikhin et al.,
    "Wasserstein auto-encoders", ICLR 2018, section 4, there summed over s.
    """
    squares_BM = torch.addmm(b.square().sum(dim=1), a, b.T, alpha=-2)
    squares_BM = (squares_BM + a.square().sum(dim=1, keepdim=True)).clamp(min=0)
    total_BM = torch.zeros_like(squares_BM)
    for scale in KERNEL_SCALES:
        width = 2 * a.shape[1] * scale
        total_BM = total_BM + width / (width + squares_BM)
    return total_BM / len(KERNEL_SCALES)


def squared_discrepancies(z: Tensor, prior: Tensor) -> Tensor:
    """Return values per row (B,) whose mean is MMD² between codes and draws, (B, K) each.

    With h(i, j) = k(zᵢ, zⱼ) + k(pᵢ, pⱼ) − k(zᵢ, pⱼ) − k(zⱼ, pᵢ), row i gets the mean of h(i, j)
    over j ≠ i. The mean over rows is then the unbiased U-statistic of A. Gretton et al., "A
    kernel two-sample test", JMLR 13, 2012, eq. 4. It may be negative; for a single row it is 0.
    """
    with torch.no_grad():
        of_draws_B = _others(kernel(prior, prior))
    between_BB = kernel(z, prior)
    own_B = between_BB.diagonal()
    crossed_B = between_BB.sum(dim=1) + between_BB.sum(dim=0) - 2 * own_B
    return (_others(kernel(z, z)) + of_draws_B - crossed_B) / max(len(z) - 1, 1)


def _others(kernel_BB: Tensor) -> Tensor:
    return kernel_BB.sum(dim=1) - kernel_BB.diagonal()


def draw(generator: torch.Generator, x: Tensor, n_components: int) -> Tensor:
    """Return draws (B, K) from N(0, 1) for rows (B, D), on their device."""
    return torch.randn(len(x), n_components, generator=generator, device=x.device)


def diagnose(z: Tensor, what_to_type: str) -> list[str]:
    """Say where codes (N, K) are far larger or smaller than draws from N(0, 1)."""
    varying_K = torch.from_numpy(deviations(z.numpy(), CODES) > 0)
    if len(z) < 2 or not bool(varying_K.any()):
        return []
    size = float(z[:, varying_K].square().mean().sqrt())
    if SIZES[0] <= size <= SIZES[1]:
        return []
    return [
        f"The numbers of the code should be about 1 in size, as draws from N(0, 1) are, but are"
        f" about {size:.2g}, so that samples are unlike the data. Try {what_to_type}, or"
        " sample(prior='mixture')."
    ]
