"""What a fit is given, and one network of it: its start, its rows, and its held-out errors.

Legend: N held-out rows, D features.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from narrows.linear.pca import PrincipalComponents
from narrows.networks import Autoencoding, converted
from narrows.networks.pca_path import pca_network
from narrows.sources.protocol import RowNumbers, Source
from narrows.training.afterwards import RowsAfterwards
from narrows.training.batches import ScaledRows
from narrows.training.deadline import Deadline
from narrows.training.held_out import (
    SQUARES,
    Curve,
    Errors,
    HeldOut,
    Interval,
    find_neighbors,
    scaled_bounds,
)
from narrows.training.plan import Plan
from narrows.training.progress import Callback
from narrows.training.start import pca_in_units_of, start
from narrows.training.threads import Threads

NOTHING_TO_GAIN = 1e-9
"""Held-out error of PCA, as a fraction of the variance, below which training is pointless."""


@dataclass(frozen=True)
class Request:
    """All that a fit is given.

    Attributes
    ----------
    source : Source
    plan : Plan
    params : dict
        The estimator's parameters by name.
    bounds : (float, float) or None
        In data units.
    deadline : Deadline or None
    explained : float or None
        Part of the variance that the code, whose size is still open, is to explain.
    origin : Autoencoding or None
        An earlier model's network, which training starts from in place of PCA.
    threads : Threads
        That steps are computed with.
    rows_afterwards : RowsAfterwards
    follows : float or None
        Seconds of what follows a training, where a run before has timed it.
    """

    source: Source
    plan: Plan
    params: dict[str, Any]
    bounds: Interval | None
    deadline: Deadline | None = None
    explained: float | None = None
    origin: Autoencoding | None = None
    threads: Threads = field(default_factory=lambda: Threads(1))
    rows_afterwards: RowsAfterwards = field(default_factory=RowsAfterwards)
    follows: float | None = None

    @property
    def callbacks(self) -> Sequence[Callback]:
        """Callables that watch."""
        callbacks: Sequence[Callback] = self.params["callbacks"]
        return callbacks


def starting_point(
    request: Request, source: Source, *, fallback: bool = False
) -> tuple[Autoencoding, PrincipalComponents]:
    """Return the network that a run on some rows starts from, and the PCA of these rows.

    Parameters
    ----------
    request : Request
    source : Source
        All rows of the request, or some.
    fallback : bool
        Return what is kept where training gained nothing.
    """
    plan = request.plan
    if request.origin is None:
        return start(source, request.params, plan, request.bounds, fallback=fallback)
    net = copy.deepcopy(request.origin)
    return net, pca_in_units_of(source, net.scaling, plan)


class Member:
    """One network of a run: its start, the rows that it sees, and those that it is measured on.

    Parameters
    ----------
    request : Request
    held : ndarray of int64
        Row numbers to hold out; may be empty.
    """

    def __init__(self, request: Request, held: RowNumbers) -> None:
        began = time.perf_counter()
        plan = request.plan
        self.request = request
        seen = np.setdiff1d(np.arange(plan.n_rows), held) if len(held) else None
        source = request.source if seen is None else request.source.subset(seen)
        self.start_net, self.pca = starting_point(request, source)
        self.fallback_net = self._fallback(source)
        scaling = self.start_net.scaling
        self.rows = ScaledRows(source, scaling, plan.dtype, plan.device)
        self.net = converted(self.start_net, torch.float32, plan.device)
        compact_rows = find_neighbors(self.rows, self.pca, plan, self.net.encoder)
        self.setup_seconds = time.perf_counter() - began
        self.bounds = scaled_bounds(request.bounds, self.rows, plan.network)
        self.held_out = None
        if len(held):
            curve_codes = request.rows_afterwards.curve_codes
            given = scaling, plan, request.bounds, curve_codes
            self.held_out = HeldOut(request.source.subset(held), *given)
            if compact_rows is not None and self.rows.near is not None:
                self.held_out.look_around(compact_rows, self.rows.near, self.pca)
        self.errors_at: dict[int, Errors] = {}
        self.measures_curve = plan.widths.ordered and self.held_out is not None
        self.curves_at: dict[int, Curve] = {}
        self.pca_curve: Curve | None = None
        self.pca_error = math.nan
        self.measuring = 0.0

    def _fallback(self, source: Source) -> Autoencoding:
        """Return the network that is kept where training gains nothing: mostly the start."""
        request, plan = self.request, self.request.plan
        own = plan.objective.needs.own_fallback and request.params["init"] == "pca"
        if request.origin is not None or not own:
            return self.start_net
        known = self.start_net.scaling, self.pca
        given = (source, request.params, plan, request.bounds)
        return start(*given, fallback=True, known=known)[0]

    def measure(self, step: int, net: Autoencoding) -> None:
        """Measure the errors of a network on the rows held out, and note them for a step."""
        if self.held_out is None:
            return
        plan = self.request.plan
        if step == 0 and self.fallback_net is not self.start_net:
            net = converted(self.fallback_net, torch.float32, plan.device)
        began = time.perf_counter()
        self.errors_at[step] = self.held_out.errors(net)
        self.measuring = time.perf_counter() - began
        # Folds leave no networks behind, so their curves are measured as they go.
        if self.measures_curve and plan.split.n_folds:
            self.curves_at[step] = self.held_out.curve(net)
        if step == 0:
            pca_net = pca_network(self.pca.first(plan.n_components), self.start_net.scaling)
            pca_net = converted(pca_net, torch.float32, plan.device)
            pca_errors = self.held_out.squared_errors(pca_net)
            self.pca_error = float(self.held_out.reported(pca_errors[:, SQUARES]).mean())
            if self.measures_curve:
                self.pca_curve = self.held_out.curve(pca_net, pca=True)

    @property
    def n_curve_codes(self) -> int:
        """Codes that its size curve is measured by; 0 where there is none."""
        if self.held_out is None or not self.measures_curve:
            return 0
        return self.held_out.n_curve_codes

    def squares_at(self, step: int) -> NDArray[np.float64]:
        """Return squared errors (N,) of the rows held out at a step, in the reported unit."""
        assert self.held_out is not None, "this network holds no rows out"
        return self.held_out.reported(self.errors_at[step][:, SQUARES])

    def nothing_to_gain(self) -> bool:
        """Tell whether PCA already gives the held-out rows back."""
        loss, error = self.errors_at[0].mean(axis=0, dtype=np.float64)
        divisor = self.start_net.scaling.divisor.numpy()
        # Where each column has its own divisor, the PCA is that of scaled columns.
        variances = self.pca.variances_ / (1.0 if divisor.size > 1 else divisor**2)
        least = NOTHING_TO_GAIN * float(variances.mean())
        # A family whose loss is more than an error may gain where nothing is left of that.
        return bool(0 <= loss <= least and error <= least)
