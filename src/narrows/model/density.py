"""How likely rows are under a probabilistic model: bounds, estimates and their errors.

Legend: N rows, S importance samples, B rows of a block, D features, K code size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrows.errors import ParameterError
from narrows.model.model import Model
from narrows.networks import Autoencoding, converted
from narrows.networks.fast_products import with_fast_products
from narrows.objectives.shared.variational import ACTIVE_VARIANCE

BLOCK_ROWS, BLOCK_SAMPLES, BLOCK_VALUES = 64, 100, 1 << 23
"""Rows, codes for each, and values (32 MiB in float32) that are decoded at once at the most."""


@dataclass(frozen=True)
class Density:
    """What a probabilistic model says of rows, in nats per row and in data units.

    Attributes
    ----------
    log_likelihood : float
        Mean of ``log 1/S Σ p(x, z_s) / q(z_s|x)``, which lies below the truth by less, the larger
        S (Y. Burda et al., "Importance weighted autoencoders", ICLR 2016, eq. 8).
    standard_error : float
        Of that mean, from the spread of the importance weights alone (delta method); how much
        the mean differs between sets of rows is not in it. NaN for a single sample.
    n_samples : int
        S.
    elbo : float
        Mean of ``log p(x, z) − log q(z|x)`` over rows and samples.
    kl : float
        Mean of ``KL(q(z|x) ‖ p(z))``, estimated at the same samples.
    active_units : int
        Numbers of the code whose posterior mean varies over rows by more than 0.01 (Burda et al.,
        section 5).
    """

    log_likelihood: float
    standard_error: float
    n_samples: int
    elbo: float
    kl: float
    active_units: int

    def lines(self) -> list[tuple[str, str]]:
        """Return pairs of a name and a number in words, for a table."""
        error = f" ± {self.standard_error:.2g} ({self.n_samples:,} importance samples)"
        error = error if self.n_samples > 1 else " (1 importance sample)"
        return [
            ("log-likelihood, nats per row", f"{self.log_likelihood:.5g}{error}"),
            ("its bound (ELBO)", f"{self.elbo:.5g}"),
            ("KL to the prior, nats per row", f"{self.kl:.4g}"),
            ("active units", f"{self.active_units}"),
        ]


def is_probabilistic(model: Model) -> bool:
    """Tell whether a model gives a density of rows."""
    return model.objective.needs.density


def density_of(
    model: Model,
    X: NDArray[np.generic],
    n_samples: int,
    random: np.random.RandomState,
) -> Density:
    """Estimate the log-likelihood of rows (N, D) by importance sampling from q(z|x).

    Raises
    ------
    ParameterError
        For a family without a density.
    """
    if not is_probabilistic(model):
        raise ParameterError(
            f"objective={model.objective.name!r} gives no density of rows; fit 'vae' or 'iwae'."
        )
    scaled: Tensor = model.net.scaling(torch.from_numpy(X.astype(np.float64)))
    rows = scaled.float()
    if model.objective.needs.binary_rows:
        rows = (torch.from_numpy(random.random_sample(rows.shape)) < rows).float()
    generator = torch.Generator().manual_seed(int(random.randint(2**31 - 1)))
    net = with_fast_products(converted(model.net, torch.float32)).eval()
    n_values = rows.shape[1] * min(n_samples, BLOCK_SAMPLES)
    n_block = max(1, min(BLOCK_ROWS, BLOCK_VALUES // n_values))
    found = [
        _block(model, net, rows[first : first + n_block], n_samples, generator)
        for first in range(0, len(rows), n_block)
    ]
    log_likelihood, squared_error, elbo, kl, code = (
        torch.cat(column).double().numpy() for column in zip(*found, strict=True)
    )
    return Density(
        log_likelihood=float(log_likelihood.mean()),
        standard_error=(math.sqrt(squared_error.sum()) / len(rows) if n_samples > 1 else math.nan),
        n_samples=n_samples,
        elbo=float(elbo.mean()),
        kl=float(kl.mean()),
        active_units=int((code.var(axis=0) > ACTIVE_VARIANCE).sum()),
    )


@torch.no_grad()
def _block(
    model: Model, net: Autoencoding, x_BD: Tensor, n_samples: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Return per row: log-likelihood, its squared error, ELBO, KL (B,) and codes (B, K)."""
    objective = model.objective
    sums, squares, elbos = [], [], []
    reconstructions = []
    for first in range(0, n_samples, BLOCK_SAMPLES):
        size = min(BLOCK_SAMPLES, n_samples - first)
        noise = torch.randn(size, len(x_BD), model.n_components, generator=generator)
        weights_SB, likelihood_SB = objective.log_weights(net, x_BD, noise)
        weights_SB = weights_SB.double()
        sums.append(torch.logsumexp(weights_SB, dim=0))
        squares.append(torch.logsumexp(2 * weights_SB, dim=0))
        elbos.append(weights_SB.sum(dim=0))
        reconstructions.append(likelihood_SB.double().sum(dim=0))
    total, square = (torch.logsumexp(torch.stack(parts), dim=0) for parts in (sums, squares))
    elbo = torch.stack(elbos).sum(dim=0) / n_samples
    kl = torch.stack(reconstructions).sum(dim=0) / n_samples - elbo
    # Var(log mean w) ≈ (S Σ w² / (Σ w)² − 1) / S
    spread = (n_samples * torch.exp(square - 2 * total) - 1).clamp(min=0) / n_samples
    return total - math.log(n_samples), spread, elbo, kl, objective.code(net, x_BD)
