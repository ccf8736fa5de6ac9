"""What is printed of a fitted model, as pairs of a name and a value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from narrows.common.limits import is_integer
from narrows.objectives.ordered import loss_of
from narrows.objectives.shared.terms import is_plain, term_words

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder

_REASONS = {
    "budget": "; max_seconds was over",
    "patience": "; stopped early, as the held-out error no longer fell",
    "callback": "; stopped early by a callback",
    "interrupted": "; stopped early by Ctrl-C",
    "late": "; ended sooner than planned to keep to max_seconds",
    "diverged": "; stopped early, as the loss was no longer finite",
}
"""Why a training ended before its planned steps, by `Record.ended`."""


def error_lines(ae: Autoencoder) -> list[tuple[str, str]]:
    """Return the held-out errors of a model and of PCA."""
    ours, pca = float(ae.validation_error_), float(ae.pca_validation_error_)
    if math.isnan(ours):
        return [("held-out error", "not measured, as nothing was held out")]
    ratio = f" ({ours / pca:.2f} of PCA's)" if pca > 0 else ""
    return [
        ("held-out error", f"{ours:.5g}{ratio}, in {ae.model_.error_unit}"),
        ("PCA's error", f"{pca:.5g}"),
        ("variance explained", f"{float(ae.explained_variance_ratio_):.4f}"),
    ]


def movement_lines(ae: Autoencoder) -> list[tuple[str, str]]:
    """Return how far codes moved from those of the earlier model that training started from."""
    return [("moved", str(ae.movement_))] if hasattr(ae, "movement_") else []


def loss_lines(ae: Autoencoder) -> list[tuple[str, str]]:
    """Return the terms of the last epoch's loss, where it is more than a squared error."""
    units = loss_of(ae.model_.objective, ordered=ae.model_.ordered).units
    if not ae.history_ or is_plain(ae.history_[-1], units):
        return []
    return [("loss in training", term_words(ae.history_[-1], units))]


def size_lines(ae: Autoencoder) -> list[tuple[str, str]]:
    """Return the sizes that explain the fraction that ``n_components`` asked for."""
    curve = getattr(ae, "size_curve_", None)
    if curve is None or is_integer(ae.n_components):
        return []
    ours, pca = (curve.smallest(ae.n_components, pca=pca) for pca in (False, True))
    most = curve.n_components[-1]
    words = [f"more than {most}" if found is None else f"{found}" for found in (ours, pca)]
    share = f"numbers for {100 * ae.n_components:g} %"
    return [(share, f"{words[0]} (PCA {words[1]}), of the variance of held-out rows")]


def step_lines(ae: Autoencoder) -> list[tuple[str, str]]:
    """Return the step of the state that was kept, the planned steps, and why training ended."""
    reason = _REASONS.get(ae.model_.record.ended, "")
    return [("steps", f"best {ae.best_step_:,} of {ae.n_steps_:,}{reason}")]


def start_lines(ae: Autoencoder) -> list[tuple[str, str]]:
    """Return that the model is PCA, where it is."""
    return [("model", f"PCA, because {_why_pca(ae.stopped_because_)}")] if is_start(ae) else []


def _why_pca(stopped_because: str) -> str:
    """Return why a model is PCA, by why training ended."""
    if stopped_because == "nothing to gain":
        return "it gives all rows back"
    if stopped_because in ("budget", "late", "interrupted", "callback"):
        return "no gain over it was clearly above the noise in the time that there was"
    return "no gain over it was clearly above the noise"


def is_start(ae: Autoencoder) -> bool:
    """Tell whether the model is the start at PCA, because training gained nothing."""
    return ae.best_step_ == 0 and ae.init == "pca"
