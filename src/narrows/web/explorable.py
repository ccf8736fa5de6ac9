"""A map as an export: one page with the model in it, which opens from a file without a network."""

from __future__ import annotations

from pathlib import Path

from narrows.model.export.job import Job
from narrows.web.map.page import map_page

SUFFIX: str | None = ".html"
NEEDS: tuple[str, ...] = ()


def write(job: Job, file: Path) -> None:
    """Write the page of the rows that were given.

    Raises
    ------
    ParameterError
        Without rows.
    """
    model, rows = job.model, job.rows_to_show("html")
    codes = job.codes()
    page = map_page(
        codes,
        job.labels,
        name=job.name,
        row_names=job.row_names,
        pictures=None if model.picture_shape is None else rows,
        sample_shape=model.picture_shape,
        bounds=model.bounds,
        trust=None if model.trust_scale is None else model.trust(codes, rows),
        model=model,
    )
    file.write_text(page, encoding="utf-8")
