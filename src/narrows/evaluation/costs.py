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
from narrows.web.words import Words

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
        ("encode_seconds", Words("encoding all rows", "编码所有行"), encoding, "seconds"),
        ("decode_seconds", Words("decoding all codes", "解码所有编码"), decoding, "seconds"),
        ("model_numbers", Words("numbers in the model", "模型中数的个数"), numbers, "count"),
        ("model_bytes", Words("the model", "模型"), whole, "bytes"),
        ("row_bytes", Words("one row", "一行"), row, "bytes"),
    ]
    if fit_seconds is not None:
        named.append(("fit_seconds", Words("fitting", "训练"), {"narrows": fit_seconds}, "seconds"))
    lines = [measure(key, name, values, kind, "low") for key, name, values, kind in named]
    about = Words(
        f"Time for all rows on the machine that measured this; torch's threads:"
        f" {torch.get_num_threads()}. Bytes as they lie in memory.",
        f"时间为测量所用的机器处理所有行的用时，torch 线程数：{torch.get_num_threads()}。"
        "字节数为内存中的大小。",
    )
    return Section("costs", Words("Seconds and bytes", "时间与大小"), about, tuple(lines))


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()
