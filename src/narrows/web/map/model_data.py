"""What the page of a map holds of the model: networks, the range of codes, and where to trust it.

Legend: n rows, K code size, H height, W width, C channels.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.figures.maps import Plane
from narrows.model.export.packed import packed
from narrows.model.export.parts import parts_of, traced
from narrows.model.export.read_trace import graph_of
from narrows.model.model import Model

FOG_SIDE, FOG_FROM, FOG_TO = 96, -0.25, 1.25
"""Places along a side at which trust is measured, and where they begin and end on the square."""
MOST_SLIDERS, MOST_NAMES = 64, 40
"""Numbers of a code that have a slider, and columns whose values are shown."""
SLIDER_SHARES = (0.1, 99.9)
"""Per cent of the codes between which a slider moves."""


def model_data(model: Model, codes: NDArray[np.float64], plane: Plane) -> dict[str, Any]:
    """Return what the page needs to encode and to decode, ready for JSON.

    Parameters
    ----------
    model : Model
    codes : ndarray (n, K)
        Of the rows on the map.
    plane : Plane
        The first one, whose scale is that of all.

    Raises
    ------
    ExportError
        Where a user's own network has operations that a page does not know, or float32 cannot
        hold the data.
    """
    encoder, decoder, _ = parts_of(model)
    picture = model.picture_shape
    shape = None if picture is None else [*picture, *([1] if len(picture) == 2 else [])]
    low, high = _grey_ends(model, codes)
    reach = float(plane.reach[0])
    middle = (codes.min(axis=0) + codes.max(axis=0)) / 2
    ends = np.percentile(codes, SLIDER_SHARES, axis=0)
    held: dict[str, Any] = {
        "decoder": packed(graph_of(traced(decoder, model))),
        "encoder": None,
        "row_shape": list(encoder.shape),
        "picture": shape,
        "low": low,
        "high": high,
        "names": None if shape else model.names[:MOST_NAMES],
        "middle": middle.tolist(),
        "reach": reach,
        "start": np.median(codes, axis=0).tolist(),
        "ends": [] if codes.shape[1] == 2 else ends.T[:MOST_SLIDERS].tolist(),
        "fog": None,
    }
    if shape is not None:
        held["encoder"] = packed(graph_of(traced(encoder, model)), half=True)
    if codes.shape[1] == 2 and model.trust_scale is not None:
        held["fog"] = _fog(model, middle, reach)
    return held


def _grey_ends(model: Model, codes: NDArray[np.float64]) -> tuple[float, float]:
    """Return the values that are drawn black and white."""
    if model.bounds is not None:
        return model.bounds
    decoded = model.decode(codes[:256])
    low, high = float(decoded.min()), float(decoded.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _fog(model: Model, middle: NDArray[np.float64], reach: float) -> dict[str, Any]:
    """Return trust on a lattice over the plane, row by row from below, a byte for each place."""
    share = (np.arange(FOG_SIDE) + 0.5) / FOG_SIDE
    places = 2 * (FOG_FROM + (FOG_TO - FOG_FROM) * share) - 1
    x, y = np.meshgrid(places, places)
    lattice = middle + reach * np.stack([x.ravel(), y.ravel()], axis=1)
    trust = model.trust(lattice.astype(np.float32))
    whole = np.rint(255 * np.sqrt(trust)).astype(np.uint8)  # small ones matter most
    values = base64.b64encode(whole.tobytes()).decode("ascii")
    return {"side": FOG_SIDE, "from": FOG_FROM, "to": FOG_TO, "values": values}
