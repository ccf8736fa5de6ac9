"""A Parquet table of codes, labels and thumbnails, which Embedding Atlas and Spotlight open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from narrows.common.pixels import pixels_of, png_of
from narrows.model.export.job import Job

SUFFIX: str | None = ".parquet"
NEEDS: tuple[str, ...] = ("pyarrow",)
SIDES = ("x", "y", "z")


def write(job: Job, file: Path) -> None:
    """Write a row for each row of the data.

    Columns: ``id`` (text), ``x``, ``y``, ``z`` (the first three numbers of the code, float32),
    ``z3`` and so on (the others), ``label`` (text, where there are labels), and ``thumbnail`` (a
    PNG file as bytes beside a path, as Hugging Face's image columns are, where rows are pictures).

    Raises
    ------
    ParameterError
        Without rows.
    """
    import pyarrow as pa
    from pyarrow import parquet

    rows, codes = job.rows_to_show("parquet"), job.codes()
    ids, labels = zip(*job.names(), strict=True)
    columns: dict[str, Any] = {"id": pa.array(ids)}
    for number in range(codes.shape[1]):
        name = SIDES[number] if number < len(SIDES) else f"z{number}"
        columns[name] = pa.array(codes[:, number])
    if job.labels is not None:
        columns["label"] = pa.array(labels)
    shape = job.model.picture_shape
    if shape is not None:
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        pictures = pixels_of(rows, shape, job.model.bounds)
        columns["thumbnail"] = pa.array(
            [{"bytes": png_of(picture), "path": None} for picture in pictures], type=kind
        )
    parquet.write_table(pa.table(columns), file)
