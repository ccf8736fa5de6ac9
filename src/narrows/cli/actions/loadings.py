"""The verb ``loadings``: which features change as a latent dimension grows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from narrows.cli.exit import complain, expected_failures
from narrows.cli.outputs import picture_shape, rows_for, write_figure
from narrows.cli.print import say, say_columns
from narrows.common.limits import check, integer
from narrows.errors import DataError
from narrows.estimator import Autoencoder, load
from narrows.model.loadings import loadings_table
from narrows.sources.open import Table, read_table
from narrows.sources.write import write_frame

LINES_SHOWN = 60
"""Lines of the table that are printed."""


def loadings(model: str, data: str, out: str | None, *, spots: int, top: int) -> None:
    """Print which features change most at some codes, and write the table or a picture.

    Parameters
    ----------
    model, data : str
        DATA holds rows or codes; its number of columns tells which.
    out : str or None
        A table (.csv) or a picture (.png).
    spots : int
        Number of codes.
    top : int
        Number of features for each latent dimension of each code.

    Raises
    ------
    ParameterError
        For ``spots`` or ``top`` below 1.
    DataError
        For another number of columns, or a picture of rows that are no pictures.
    """
    check("loadings", {"spots": spots, "top": top}, dict.fromkeys(("spots", "top"), integer(1)))
    target = None if out is None else Path(out)
    ae = load(model)
    table = read_table(data)
    with expected_failures(data):
        codes = _codes(ae, table, model, data)
        frame = loadings_table(ae, codes, spots=spots, top=top)
    if target is not None and target.suffix.lower() == ".png":
        from narrows import figures

        figure = figures.loadings(ae, codes, spots=spots, sample_shape=picture_shape(ae))
        write_figure(target, figure)
    elif target is not None:
        write_frame(target, frame)
    _print(frame, table)
    if target is not None:
        say(f"wrote {target}")


def _codes(ae: Autoencoder, table: Table, model: str, data: str) -> Any:
    """Return the codes of rows; codes stay as they are."""
    n_rows, width = len(table.values), table.values[0].size
    if width == ae.n_features_in_:
        if width == ae.n_components_:
            complain(
                f"{data} is read as rows. If it holds codes, which have as many numbers here, call"
                " narrows.loadings_table in Python."
            )
        return ae.transform(rows_for(ae, table))
    if width == ae.n_components_:
        return table.values.reshape(n_rows, width)
    raise DataError(
        f"{data} has {width:,} numbers a row, but {model} takes rows of {ae.n_features_in_:,} or"
        f" codes of {ae.n_components_}."
    )


def _print(frame: Any, table: Table) -> None:
    names = table.row_names
    spots = [str(spot) if names is None else names[spot] for spot in frame["spot"]]
    columns = frame.drop(columns="spot").itertuples(index=False)
    lines = [
        (spot, str(line.number), str(line.feature), f"{line.loading:.4g}", f"{line.strength:.4g}")
        for spot, line in zip(spots, columns, strict=True)
    ]
    say_columns(("spot", "number", "feature", "loading", "strength"), lines[:LINES_SHOWN])
    if len(lines) > LINES_SHOWN:
        say(f"  … {len(lines) - LINES_SHOWN:,} more; write all with --out table.csv")
    say(
        "Loadings are changes of a feature, in data units per unit of the code. Strengths are their"
        " absolute values in scaled units; lines are sorted by them."
    )
