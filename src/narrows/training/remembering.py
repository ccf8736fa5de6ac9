"""What an `Autoencoder` keeps of a fit: the network, its numbers, and codes of training rows.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from narrows.model.inference import Floats, Inference
from narrows.model.sampling import MOST_CODES
from narrows.model.trust import trust_scale
from narrows.networks import Autoencoding
from narrows.objectives.priors import Normal
from narrows.sources.array import ArraySource
from narrows.sources.split import RowNumbers, held_out_rows
from narrows.training.plan import Plan
from narrows.training.select import Outcome

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

MOST_SUMMARISED, MOST_JUDGED = 5_000, 2_500
"""RowNumbers whose codes are summarised for trust, and rows that it is held against."""
CODED_VALUES = 1 << 24
"""Values of training rows (128 MiB in float64) that are encoded at once after a fit."""


def keep_model(
    ae: Autoencoder,
    outcome: Outcome,
    plan: Plan,
    bounds: tuple[float, float] | None,
    explained: float | None = None,
) -> list[str]:
    """Take over what a fit gave; return a sentence for each thing to complain of.

    Parameters
    ----------
    ae : Autoencoder
    outcome : Outcome
        Its held-out errors become those of a shorter code, where one is chosen.
    plan : Plan
    bounds : (float, float) or None
        In data units.
    explained : float, optional
        Part of the held-out variance that the smallest sufficient code is asked for by.
    """
    curve, complaints = outcome.curve, []
    ae.n_components_ = size = plan.n_components
    ae.__dict__.pop("size_curve_", None)
    if curve is not None:
        ae.size_curve_ = curve
    if curve is not None and explained is not None:
        found = curve.smallest(explained)
        if found is None:
            complaints = [
                f"{size} numbers explain {curve.explained[-1]:.4g} of the variance of held-out"
                f" rows, less than the {explained:g} asked for; these rows are not enough to"
                " learn more. The model has all of them."
            ]
        else:
            ae.n_components_ = size = found
            place = int(np.searchsorted(curve.n_components, size))
            outcome.validation_error = float(curve.error[place])
            outcome.pca_validation_error = float(curve.pca_error[place])
    ae.bounds_ = bounds
    ae.pca_ = outcome.pca.first(size)
    ae.n_steps_, ae.best_step_ = outcome.n_steps, outcome.best_step
    ae.history_ = outcome.history
    ae.validation_error_ = outcome.validation_error
    ae.pca_validation_error_ = outcome.pca_validation_error
    ae.device_ = str(plan.device)
    ae.precision_ = str(plan.dtype).removeprefix("torch.")
    ae._network_part, ae._objective = plan.network, plan.objective
    keep_network(ae, copy.deepcopy(outcome.net).cpu())
    variance = float(column_moments(ae)[1].mean())
    ratio = 1.0 - ae.validation_error_ / variance if variance > 0 else 0.0
    ae.explained_variance_ratio_ = np.float64(ratio)
    return complaints


def keep_network(ae: Autoencoder, net: Autoencoding) -> None:
    """Put a network on the CPU in the place of an earlier one, to be used from now on."""
    ae.network_ = net.eval()
    ae._inference = Inference(net, ae._objective, ae.bounds_, ae.n_components_)


def keep_codes(ae: Autoencoder, source: ArraySource, seed: int, *, further: bool = False) -> Floats:
    """Keep the codes of some training rows, and their normal prior; return these rows' codes.

    Further codes join those that were kept before. As long as they are too few for a normal
    distribution of K numbers, priors that a model came with stand.
    """
    chosen = held_out_rows(source.n_rows, min(source.n_rows, MOST_CODES), seed)
    n_block = max(1, CODED_VALUES // source.n_features)
    blocks = [chosen[first : first + n_block] for first in range(0, len(chosen), n_block)]
    codes = np.concatenate([ae._inference.encode(source.take(rows)) for rows in blocks])
    kept = codes
    if further and ae._codes is not None:
        kept = np.concatenate([ae._codes, codes])[-MOST_CODES:]
    ae._codes, ae._prior_seed = kept, seed
    if not (further and ae.priors_ and len(kept) <= ae.n_components_):
        ae.priors_ = {"normal": Normal.fit(torch.from_numpy(kept).double(), seed)}
    return codes


def keep_trust(ae: Autoencoder, source: ArraySource, plan: Plan) -> None:
    """Keep what trust is measured by: training rows summarised, and rows held out.

    Where the returned model has seen all rows, it is held against these.
    """
    held = held_out_rows(plan.n_rows, plan.n_held_out or plan.n_rows, plan.seed)
    seen = np.setdiff1d(np.arange(plan.n_rows), held) if plan.n_held_out else held
    most = CODED_VALUES // source.n_features
    ae._trust = trust_scale(
        ae._inference,
        source.take(_spread_out(seen, min(most, MOST_SUMMARISED))),
        source.take(_spread_out(held, min(most, MOST_JUDGED))),
        float(ae.validation_error_),
        plan.seed,
    )


def _spread_out(rows: RowNumbers, most: int) -> RowNumbers:
    """Return some row numbers, evenly spread, at least one."""
    n = max(1, min(len(rows), most))
    return rows[np.linspace(0, len(rows) - 1, n).astype(np.int64)]


def column_moments(ae: Autoencoder) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of the training columns, (D,) each, in data units."""
    mean, variances = ae.pca_.mean_, ae.pca_.variances_
    divisor = ae.network_.scaling.divisor.numpy()
    if divisor.size == 1:
        return mean, variances
    # The PCA of scaling="standard" is that of the scaled columns.
    return mean * divisor + ae.network_.scaling.shift.numpy(), variances * divisor**2


def spread(ae: Autoencoder, rows: NDArray[np.generic]) -> float:
    """Return the mean squared deviation of rows (N, D) from the training mean, per value."""
    mean, _ = column_moments(ae)
    blocks = ArraySource(rows).blocks()
    return sum(float(np.square(block - mean).sum()) for block in blocks) / rows.size
