"""What a model costs in use: seconds and bytes.

Legend: N rows, D features, K code size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from narrows.evaluation.reconstruction import RoundTrip
from narrows.evaluation.rows import MeasuredRows
from narrows.evaluation.scores import Kind, Section, measure
from narrows.networks.pca_path import pca_network
from narrows.web.words import Words, say

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder


def costs(
    ae: Autoencoder, data: MeasuredRows, trips: Mapping[str, RoundTrip], fit_seconds: float | None
) -> Section:
    """Return seconds of the round trip, and bytes of the model, of a code and of a row.

    Parameters
    ----------
    ae : Autoencoder
    data : MeasuredRows
    trips : dict of str to RoundTrip
        By method.
    fit_seconds : float or None
        What the fit took, where it was part of the measurement.
    """
    tensors = {
        "narrows": list(ae.network_.state_dict().values()),
        "pca": list(pca_network(ae.pca_, ae.network_.scaling).state_dict().values()),
    }
    encoding = {name: trip.encode_seconds for name, trip in trips.items()}
    decoding = {name: trip.decode_seconds for name, trip in trips.items()}
    numbers = {name: sum(one.numel() for one in found) for name, found in tensors.items()}
    whole = {name: sum(map(_bytes, found)) for name, found in tensors.items()}
    row = {name: trip.codes[0].nbytes for name, trip in trips.items()}
    row["input"] = data.rows[0].nbytes
    named: list[tuple[str, Words, Mapping[str, float], Kind]] = [
        ("encode_seconds", say("scorecard.costs.encode"), encoding, "seconds"),
        ("decode_seconds", say("scorecard.costs.decode"), decoding, "seconds"),
        ("model_numbers", say("scorecard.costs.numbers"), numbers, "count"),
        ("model_bytes", say("scorecard.costs.model"), whole, "bytes"),
        ("row_bytes", say("scorecard.costs.row"), row, "bytes"),
    ]
    if fit_seconds is not None:
        named.append(
            ("fit_seconds", say("scorecard.costs.fit"), {"narrows": fit_seconds}, "seconds")
        )
    lines = [measure(key, name, values, kind, "low") for key, name, values, kind in named]
    about = say("scorecard.costs.about", n_threads=torch.get_num_threads())
    return Section("costs", say("scorecard.costs.title"), about, tuple(lines))


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()
