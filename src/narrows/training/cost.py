"""How long a fit will take, from one short timing: a guess to plan by, not a promise."""

from __future__ import annotations

import time

import torch

from narrows.linear.pca import pca_flops
from narrows.training.plan import Plan

TIMED_SECONDS = 0.1
"""Seconds that the matrix product is timed for."""
STEP_SECONDS = 1.2e-3
"""Seconds of a step that no arithmetic explains: a hundred small calls of torch, and the batch."""
REACHED = 0.6
"""Part of the rate of a bare matrix product that training reaches."""
USUAL_RATE = 2e10
"""Floating-point operations per second that most machines reach; work that takes long even so is
timed."""


def estimate_seconds(plan: Plan, max_seconds: float | None = None) -> float:
    """Guess the seconds that a fit takes, its PCA left out.

    Parameters
    ----------
    plan : Plan
    max_seconds : float, optional
        The limit that the user set, which is the answer where it decides the number of steps.

    Returns
    -------
    float
        Seconds.
    """
    if plan.n_steps is None:
        assert max_seconds is not None, "without a number of steps, time decides"
        return max_seconds
    arithmetic = plan.n_nets * plan.flops(plan.n_steps) / (REACHED * matrix_rate(plan))
    seconds = arithmetic + plan.n_runs * plan.n_steps * STEP_SECONDS
    return seconds if max_seconds is None else min(seconds, max_seconds)


def shortage(plan: Plan, max_seconds: float) -> str | None:
    """Say so where PCA leaves no time to train a network in; None where it does, or may.

    Parameters
    ----------
    plan : Plan
    max_seconds : float
    """
    of_pca = pca_flops(plan.split.n_train_rows, plan.n_features, plan.n_axes)
    if plan.cells is not None or of_pca < USUAL_RATE * max_seconds:
        return None
    pca = of_pca / (REACHED * matrix_rate(plan, torch.float64))
    if pca < max_seconds:
        return None
    return (
        f"PCA of these rows takes about {pca:.3g} s, and max_seconds={max_seconds:g} leaves no time"
        " to train a network, so the model will be PCA. Give more seconds, or fewer rows or"
        " features."
    )


def matrix_rate(plan: Plan, dtype: torch.dtype | None = None) -> float:
    """Time a matrix product as tall as a batch, in the dtype that training computes in.

    Parameters
    ----------
    plan : Plan
    dtype : torch.dtype, optional
        Another one.

    Returns
    -------
    float
        Floating-point operations per second.
    """
    width, dtype = 512, dtype or plan.dtype
    left = torch.ones(plan.batch_size, width, dtype=dtype, device=plan.device)
    right = torch.ones(width, width, dtype=dtype, device=plan.device)
    (left @ right).sum().item()  # the first product also loads the library
    started, products, spent = time.perf_counter(), 0, 0.0
    while spent < TIMED_SECONDS:
        for _ in range(8):
            product = left @ right
        product[0, 0].item()  # waits for a device that computes in the background
        products += 8
        spent = time.perf_counter() - started
    return 2.0 * plan.batch_size * width * width * products / spent
