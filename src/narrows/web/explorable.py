"""A map as an export: one page with the model in it, which opens from a file without a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from narrows.errors import ParameterError
from narrows.model.export.job import Job
from narrows.web.map.page import map_page

SUFFIX: str | None = ".html"


def check_installed() -> None:
    """Do nothing: a page needs no further library."""


def write(job: Job, file: Path) -> None:
    """Write the page of the rows that were given.

    Raises
    ------
    ParameterError
        Without rows.
    """
    if job.rows is None:
        raise ParameterError(
            "to='html' writes a map, and a map shows rows: give them as X (on the command line"
            " --data)."
        )
    model, rows = job.model, job.rows
    codes = model.encode(rows.astype(np.float32))
    page = map_page(
        codes,
        job.labels,
        name=job.name,
        pictures=None if model.picture_shape is None else rows,
        sample_shape=model.picture_shape,
        bounds=model.bounds,
        trust=None if model.trust_scale is None else model.trust(codes, rows),
        model=model,
    )
    file.write_text(page, encoding="utf-8")
