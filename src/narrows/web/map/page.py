"""A map as a page to look around in: one HTML file that loads nothing.

`map/script/` draws and moves it; without a script the page shows the same map as a picture.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib.resources import files
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from narrows import figures
from narrows.errors import DataError
from narrows.figures.cells import Bounds
from narrows.figures.codes import checked_codes
from narrows.figures.colouring import LabelsAre, colouring
from narrows.figures.lettering import tick_text
from narrows.figures.maps import MAP_WIDTHS, planes_of, thumbnails_of
from narrows.model.model import Model
from narrows.web.map.data import DOUBTFUL, MOST_PICTURES, map_data
from narrows.web.page import Fact, render, themed
from narrows.web.words import Words, say

MODULES = (
    "data",
    "view",
    "network",
    "model",
    "colours",
    "density",
    "points",
    "trust",
    "labels",
    "fog",
    "draw",
    "decoded",
    "pick",
    "hands",
    "legend",
    "pad",
    "main",
)
"""The files of `map/script/`, each after those that it takes names from."""
PAD_SIDE = 280
"""Pixels of the longer side of the pad; it is shown at half of that."""


# Many arguments: it takes whatever `figures.map_of` takes, and what a page alone can show.
def map_page(
    Z: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    name: str,
    pictures: ArrayLike | None = None,
    sample_shape: Sequence[int] | None = None,
    bounds: Bounds = None,
    label_names: Sequence[str] | Mapping[Any, str] | None = None,
    labels_are: LabelsAre = "auto",
    labels_name: str = "",
    row_names: Sequence[str] | None = None,
    trust: ArrayLike | None = None,
    notes: Sequence[Words] = (),
    facts: Sequence[Fact] = (),
    model: Model | None = None,
) -> str:
    """Build a page that shows codes as a map, to move, to come closer, and to ask points.

    Parameters
    ----------
    Z, labels, pictures, sample_shape, bounds, label_names, labels_are, labels_name
        As for `narrows.figures.map_of`.
    name : str
        What the rows are, for the title.
    row_names : sequence of str, optional
        A name for each row; without them rows are numbered from 0.
    trust : array-like (N,), optional
        What `Autoencoder.trust` says of each row, from 0 to 1: told beside a point, and a switch
        marks the rows below 0.05.
    notes : sequence of Words
        Sentences above the map.
    facts : sequence of Fact
        Numbers below it.
    model : Model, optional
        It comes with the page: any place shows what is decoded there, sliders move the other
        numbers of the code, and pictures that are drawn or dropped land on the map. The first
        three numbers of longer codes make the map.

    Returns
    -------
    str
        One HTML file. It holds pictures of at most 400 rows, fewer if they are large, spread out
        over the map, and a row without one shows the nearest that has one. `#lang=zh&theme=dark`
        at the end of its address chooses language and theme.

    Raises
    ------
    As `narrows.figures.map_of`; an ExportError where a page cannot hold the model.
    """
    widths = MAP_WIDTHS if model is None else (model.n_components,)
    whole = checked_codes(Z, "A map", *widths)
    codes = whole[:, : MAP_WIDTHS[-1]]
    n = len(codes)
    found = colouring(labels, n, label_names=label_names, labels_are=labels_are)
    if row_names is not None and len(row_names) != n:
        raise DataError(f"row_names must be one per code, {n} of them; got {len(row_names)}.")
    trusted = None if trust is None else _checked_trust(trust, n)
    small = thumbnails_of(pictures, n, sample_shape, bounds, MOST_PICTURES)
    texts = None if labels is None else np.asarray(labels).astype(str)
    planes = planes_of(codes)
    data = map_data(planes, found, texts, row_names, small, trusted)
    data["model"] = None
    if model is not None:
        from narrows.web.map.model_data import model_data  # loads torch's exporter

        data["model"] = model_data(model, whole, planes[0])
    draw = partial(
        figures.map_of,
        codes,
        labels,
        pictures=pictures,
        sample_shape=sample_shape,
        bounds=bounds,
        label_names=label_names,
        labels_are=labels_are,
        labels_name=labels_name,
    )
    low, high = data.get("range", (0, 0))
    return render(
        "map.html",
        name=name,
        n_components=whole.shape[1],
        notes=notes,
        data=data,
        labels_name=labels_name,
        n_beyond=int((found.position == len(found.names)).sum()),
        n_other_classes=found.n_others,
        n_unknown=int((~found.known).sum()),
        ends=[tick_text(end, high - low) for end in (low, high)],
        still=themed(draw, say("map.still", name=name), palette=True),
        pad=None if data["model"] is None else _pad(data["model"]["picture"]),
        numbers=[f"z{number}" for number in range(whole.shape[1])],
        help=_help(data, trusted),
        facts=facts,
        script=script(),
    )


def _pad(picture: list[int] | None) -> tuple[int, int] | None:
    """Return width and height of the pad, in pixels, for pictures (H, W, C)."""
    if picture is None:
        return None
    times = PAD_SIDE / max(picture[:2])
    return max(1, round(times * picture[1])), max(1, round(times * picture[0]))


@cache
def script() -> Markup:
    """Return the modules of `map/script/` as one script, which a page from a file can run.

    Their `import` lines and the word `export` are taken away, and what is left stands in one
    function in the order of `MODULES`. Names at the top of these files must therefore differ.
    """
    folder = files("narrows.web.map").joinpath("script")
    texts = [folder.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in MODULES]
    whole = re.sub(r"^(import .*\n|export )", "", "\n".join(texts), flags=re.MULTILINE)
    return Markup(f"(function () {{\n'use strict';\n{whole}}})();")


def _given(numbers: NDArray[np.float64]) -> str:
    span = f" from {numbers.min():g} to {numbers.max():g}" if numbers.size else ""
    return f"shape {numbers.shape}{span}"


def _checked_trust(trust: ArrayLike, n_rows: int) -> NDArray[np.float64]:
    found = np.asarray(trust, dtype=np.float64)
    if found.shape != (n_rows,) or not ((found >= 0) & (found <= 1)).all():
        raise DataError(
            f"trust must be one number from 0 to 1 per code, {n_rows} of them, as"
            f" Autoencoder.trust gives them; got {_given(found)}."
        )
    return found


def _help(data: Mapping[str, Any], trust: NDArray[np.float64] | None) -> list[Words]:
    found, n = [say("map.help")], data["n"]
    if data["model"] is not None:
        found.append(say("map.model_help"))
    shown = n if data["sheet"] is None else len(data["sheet"]["rows"])
    if shown < n:
        found.append(say("map.some_pictures", shown=shown, n=n))
    if data["model"] is not None and data["model"]["fog"] is not None:
        found.append(say("map.fog_help", limit=DOUBTFUL))
    if trust is not None:
        doubtful = int((trust < DOUBTFUL).sum())
        found.append(say("map.trust", doubtful=doubtful, n=n, limit=DOUBTFUL))
    return found
