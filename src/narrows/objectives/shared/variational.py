"""The formulas of the variational families: distributions of codes, and their densities.

Legend: S importance samples, B batch, D features, K code size, L latent: 2K.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from narrows.networks.autoencoding import Autoencoding
from narrows.networks.linear_plus import LinearPath
from narrows.objectives.priors import Prior
from narrows.objectives.shared.likelihoods import LIKELIHOODS, LOG_2PI, residual_deviation

SMALLEST_SHARE = 1e-3
"""Floor on the part of a score's variance that is not noise in probabilistic PCA."""
ACTIVE_VARIANCE = 0.01
"""A number of the code is active if its posterior mean varies over rows by at least this."""
LOG_VARIANCES = (-14.0, 6.0)
"""Range to which the logarithm of a posterior variance is clipped."""


class Latent(nn.Module):
    """The prior and the learned scales of a variational family.

    Parameters
    ----------
    prior : Prior
    log_scale : Tensor
        (0,), (1,) or (D,): of the likelihood, in the network's units.
    """

    def __init__(self, prior: Prior, log_scale: Tensor) -> None:
        super().__init__()
        self.prior = prior
        if log_scale.numel():
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale, persistent=False)


def start_as_probabilistic_pca(path: LinearPath, likelihood: str) -> LinearPath:
    """Turn PCA into probabilistic PCA: codes of variance 1 with their posterior variances.

    With λ the variances of the scores and s² the variance of the noise, the posterior mean of a
    code is ``√(λ − s²) / λ`` times the score, its variance ``s² / λ``, and the decoder multiplies
    by ``√(λ − s²)`` (Tipping and Bishop 1999, eq. 7 to 9).
    """
    variances = path.deviations.square()
    noise = min(residual_deviation(path) ** 2, float(variances.max()))
    signal = (variances - noise).clamp(min=SMALLEST_SHARE * variances).sqrt()
    posterior = (noise / variances).clamp(math.exp(LOG_VARIANCES[0]), 1.0)
    into = signal / variances
    path, _ = LIKELIHOODS[likelihood].start(path)
    return path._replace(
        into_weight=torch.cat(
            [path.into_weight * into[:, None], torch.zeros_like(path.into_weight)]
        ),
        into_bias=torch.cat([path.into_bias * into, posterior.log()]),
        into_gain=torch.cat([path.into_gain / path.deviations, torch.ones_like(posterior)]),
        back_weight=path.back_weight * signal,
        deviations=torch.ones_like(path.deviations),
        code_unit=1.0,
    )


def posterior(net: Autoencoding, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and log variance of q(z|x), (B, K) each, float32 or wider."""
    encoded_BL = net.encoder(x)
    encoded_BL = encoded_BL.float() if encoded_BL.dtype == torch.bfloat16 else encoded_BL
    mean_BK, log_variance_BK = encoded_BL.chunk(2, dim=-1)
    return mean_BK, log_variance_BK.clamp(*LOG_VARIANCES)


def decoded(net: Autoencoding, z: Tensor, like: Tensor) -> Tensor:
    """Return the outputs (..., D) for codes (..., K), computed in the dtype of a tensor."""
    flat = z.reshape(-1, z.shape[-1]).to(like.dtype)
    a: Tensor = net.decoder(flat)
    a = a.float() if a.dtype == torch.bfloat16 else a
    return a.reshape(*z.shape[:-1], -1)


def log_posterior(noise: Tensor, log_variance: Tensor) -> Tensor:
    """Return log q(z|x) (...,) of ``z = mean + deviation · noise``, noise (..., K), in nats."""
    density: Tensor = -0.5 * (noise.square() + log_variance + LOG_2PI).sum(dim=-1)
    return density


def latent(net: Autoencoding) -> Latent:
    """Return the prior and the scales in a network."""
    extra = net.extra
    assert isinstance(extra, Latent)
    return extra


def log_weights(
    net: Autoencoding,
    x: Tensor,
    noise: Tensor,
    likelihood: str,
    y: Tensor | None = None,
    *,
    held: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return log p(x|z) p(z) / q(z|x), its part log p(x|z), and the codes z.

    Parameters
    ----------
    net : Autoencoding
    x : Tensor (B, D)
        In the network's units.
    noise : Tensor (S, B, K)
        Standard normal; ``z = mean + deviation · noise``.
    likelihood : str
    y : Tensor (B,), optional
    held : bool, default=False
        Whether no gradient flows through the parameters of q's density (but through z), as doubly
        reparameterised gradients need.

    Returns
    -------
    weights : Tensor (S, B)
        In nats.
    likelihood : Tensor (S, B)
        Its part log p(x|z).
    z : Tensor (S, B, K)
    """
    mean_BK, log_variance_BK = posterior(net, x)
    z_SBK = mean_BK + torch.exp(0.5 * log_variance_BK) * noise
    parts = latent(net)
    chosen = LIKELIHOODS[likelihood]
    a_SBD = decoded(net, z_SBK, x)
    log_likelihood_SB = chosen.log_prob(net, a_SBD, x.to(a_SBD.dtype), parts.log_scale)
    if held:
        fixed, log_variance = mean_BK.detach(), log_variance_BK.detach()
        noise = (z_SBK - fixed) * torch.exp(-0.5 * log_variance)
        log_q = log_posterior(noise, log_variance)
    else:
        log_q = log_posterior(noise, log_variance_BK)
    classes = None if y is None else y.expand(noise.shape[:-1])
    weights_SB = log_likelihood_SB + parts.prior.log_prob(z_SBK, classes) - log_q
    return weights_SB, log_likelihood_SB, z_SBK


def draw(
    generator: torch.Generator, x: Tensor, shape: tuple[int, ...], *, binarize: bool
) -> dict[str, Tensor]:
    """Return standard normal ``epsilon`` of a shape, and ``threshold`` (B, D) for binary pixels."""
    noise = {"epsilon": torch.randn(shape, generator=generator, device=x.device)}
    if binarize:
        noise["threshold"] = torch.rand(x.shape, generator=generator, device=x.device)
    return noise


def seen(x: Tensor, noise: dict[str, Tensor]) -> Tensor:
    """Return rows (B, D), drawn as 0 or 1 where the noise holds thresholds."""
    if "threshold" not in noise:
        return x
    return (noise["threshold"] < x.float()).to(x.dtype)


def collapse(net: Autoencoding, x: Tensor, advice: str) -> list[str]:
    """Say so where codes have collapsed to the prior although rows (N, D) have structure.

    Codes have collapsed if no posterior mean varies over rows by more than 0.01 (Y. Burda et al.,
    "Importance weighted autoencoders", ICLR 2016, section 5). Rows have structure if the largest
    variance of a direction is twice that of noise of equal variance in all D columns, which is
    ``(1 + √(D/N))²`` times the mean (V. Marchenko and L. Pastur, 1967).
    """
    spread_K = posterior(net, x)[0].var(dim=0, correction=0)
    if len(x) < 2 or bool((spread_K > ACTIVE_VARIANCE).any()):
        return []
    squares = torch.linalg.svdvals((x - x.mean(dim=0)).double()).square()
    edge = (1 + math.sqrt(x.shape[1] / len(x))) ** 2
    if squares[0] < 2 * edge * squares.sum() / x.shape[1]:
        return []  # rows are noise
    return [
        f"All {len(spread_K)} numbers of the code have collapsed to the prior: they carry nothing"
        f" about the rows. {advice}"
    ]
