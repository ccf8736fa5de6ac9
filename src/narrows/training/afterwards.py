"""What a trained model gets beside its network: codes of training rows, priors, and trust.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from narrows.common.blocks import evenly_spread, rows_at_once, slices
from narrows.model.inference import Inference
from narrows.model.model import Model
from narrows.model.trust import TrustScale
from narrows.objectives.priors import Normal
from narrows.sources.protocol import Source
from narrows.sources.split import held_out_rows
from narrows.training import align
from narrows.training.trust import trust_scale

MOST_CODES = 30_000
"""Training rows whose codes are kept in memory, to fit priors to."""
MOST_SUMMARISED, MOST_JUDGED = 5_000, 2_500
"""Rows whose codes are summarised for trust, and held-out rows that it is measured on."""
MOST_CURVE_CODES = 1 << 17
"""Codes, each length of each row being one, that a size curve is measured by."""
SECONDS_FOR_ALL = 60.0
"""``max_seconds`` from which all these rows are taken."""
LEAST_PART = 0.1
"""Part of them that is taken in any time."""
TIMED_ROWS, TIMED_VALUES = 512, 1 << 20
"""Rows whose round trip is timed, and values of such rows, at the most."""
ROUND_TRIPS_OF_TRUST, CLUSTER_SECONDS = 2, 0.06
"""Round trips of a row that trust is measured by; seconds that finding clusters takes."""


@dataclass(frozen=True)
class RowsAfterwards:
    """How many rows are looked at once a network is trained, at the most.

    Attributes
    ----------
    coded : int
        Whose codes are kept.
    summarised, judged : int
        That trust is measured by: of training, and held out.
    curve_codes : int
        Codes that a size curve is measured by, each length of each row being one.
    """

    coded: int = MOST_CODES
    summarised: int = MOST_SUMMARISED
    judged: int = MOST_JUDGED
    curve_codes: int = MOST_CURVE_CODES

    @classmethod
    def within(cls, max_seconds: float | None) -> RowsAfterwards:
        """Return fewer of them where time is short, in proportion to it."""
        if max_seconds is None:
            return cls()
        part = min(max(max_seconds / SECONDS_FOR_ALL, LEAST_PART), 1.0)
        most = MOST_CODES, MOST_SUMMARISED, MOST_JUDGED, MOST_CURVE_CODES
        return cls(*(round(part * n) for n in most))


def seconds_afterwards(
    inference: Inference,
    source: Source,
    rows: RowsAfterwards,
    n_held_out: int = 0,
    n_curve_codes: int = 0,
) -> float:
    """Time some round trips; return the seconds that all takes that follows a training.

    Parameters
    ----------
    inference : Inference
        The network as it is now.
    source : Source
        All rows.
    rows : RowsAfterwards
    n_held_out, n_curve_codes : int
        Held-out rows, and codes that a size curve is measured by.
    """
    n_timed = rows_at_once(source.n_features, TIMED_VALUES, TIMED_ROWS)
    X = source.take(evenly_spread(source.n_rows, n_timed))
    first_began = time.perf_counter()
    inference.decode(inference.encode(X))
    began = time.perf_counter()
    Z = inference.encode(X)
    encoded = time.perf_counter()
    inference.decode(Z)
    ended = time.perf_counter()
    of_code, of_row = (encoded - began) / len(X), (ended - encoded) / len(X)
    trials = max((began - first_began) - (ended - began), 0.0)  # the first call tries the blocks
    n_coded = min(rows.coded, source.n_rows)
    n_trusted = len(_some(source.n_rows, rows.summarised, source))
    n_trusted += len(_some(n_held_out, rows.judged, source)) if n_held_out else 0
    trips = ROUND_TRIPS_OF_TRUST * n_trusted * (of_code + of_row)
    return trials + n_coded * of_code + trips + n_curve_codes * of_row + CLUSTER_SECONDS


def with_codes(
    model: Model, source: Source, seed: int, rows: RowsAfterwards, *, further: bool = False
) -> tuple[Model, NDArray[np.floating[Any]]]:
    """Return a model that holds codes of some training rows, and their normal prior.

    Parameters
    ----------
    model : Model
    source : Source
    seed : int
    rows : RowsAfterwards
    further : bool
        Codes join those that the model holds. As long as they are too few for a normal
        distribution of K numbers, the priors that the model came with stand.

    Returns
    -------
    model : Model
    codes : ndarray (n, K)
        Of these rows.
    """
    chosen = held_out_rows(source.n_rows, min(source.n_rows, rows.coded), seed)
    parts = slices(len(chosen), rows_at_once(source.n_features, align.CODED_VALUES))
    codes = np.concatenate([model.encode(source.take(chosen[part])) for part in parts])
    kept, priors = codes, model.priors
    if further and model.codes is not None:
        kept = np.concatenate([model.codes, codes])[-MOST_CODES:]
    if not (further and priors and len(kept) <= model.n_components):
        priors = {"normal": Normal.fit(torch.from_numpy(kept).double(), seed)}
    return model.changed(codes=kept, prior_seed=seed, priors=priors), codes


def trust_of(model: Model, source: Source, rows: RowsAfterwards) -> TrustScale:
    """Measure how strange rows are: held-out ones, or training rows left out of a summary."""
    held, everything = model.record.unseen, np.arange(source.n_rows)
    seen = everything if held is None else np.setdiff1d(everything, held)

    return trust_scale(
        model.inference,
        source.take(seen[_some(len(seen), rows.summarised, source)]),
        None if held is None else source.take(held[_some(len(held), rows.judged, source)]),
        model.record.validation_error,
        model.prior_seed,
    )


def _some(n_rows: int, most: int, source: Source) -> NDArray[np.int64]:
    """Return the places of at most so many rows, fewer of wide ones, evenly spread over all."""
    return evenly_spread(n_rows, rows_at_once(source.n_features, align.CODED_VALUES, most))
