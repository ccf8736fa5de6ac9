"""What a model costs in use: seconds and bytes."""

from __future__ import annotations

import torch

from narrows.evaluation.round_trip import Measurement
from narrows.evaluation.scores import Section, measure
from narrows.networks.pca_path import pca_network
from narrows.web.words import say


def costs(measured: Measurement, fit_seconds: float | None) -> Section:
    """Return seconds of the round trip, and bytes of the model, of a code and of a row.

    Parameters
    ----------
    measured : Measurement
    fit_seconds : float or None
        Of the fit, if it was part of the measurement.
    """
    model, trips = measured.model, measured.trips
    networks = {"narrows": model.net, "pca": pca_network(model.pca, model.net.scaling)}
    tensors = {name: list(net.state_dict().values()) for name, net in networks.items()}
    numbers = {name: sum(one.numel() for one in found) for name, found in tensors.items()}
    whole = {name: sum(one.nbytes for one in found) for name, found in tensors.items()}
    row = {m: trip.codes[0].nbytes for m, trip in trips.items()}
    row["input"] = measured.data.rows[0].nbytes
    encoding = {m: trip.encode_seconds for m, trip in trips.items()}
    decoding = {m: trip.decode_seconds for m, trip in trips.items()}
    lines = [
        measure("encode_seconds", say("scorecard.costs.encode"), encoding, "seconds", "low"),
        measure("decode_seconds", say("scorecard.costs.decode"), decoding, "seconds", "low"),
        measure("model_numbers", say("scorecard.costs.numbers"), numbers, "count", "low"),
        measure("model_bytes", say("scorecard.costs.model"), whole, "bytes", "low"),
        measure("row_bytes", say("scorecard.costs.row"), row, "bytes", "low"),
    ]
    if fit_seconds is not None:
        fitting = {"narrows": fit_seconds}
        lines.append(measure("fit_seconds", say("scorecard.costs.fit"), fitting, "seconds", "low"))
    about = say("scorecard.costs.about", n_threads=torch.get_num_threads())
    return Section("costs", say("scorecard.costs.title"), about, tuple(lines))
