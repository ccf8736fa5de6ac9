"""The verbs that use a model: ``encode``, ``decode``, ``reconstruct``."""

from __future__ import annotations

from typing import Annotated

import typer

from narrows.cli.options import Data, Model, Overwrite, RowsOut, TableOut


def encode(model: Model, data: Data, out: TableOut, overwrite: Overwrite = False) -> None:
    """Write the codes of rows; names of rows in a CSV file are kept."""
    from narrows.cli.actions import use

    use.encode(model, data, out, overwrite=overwrite)


def decode(
    model: Model,
    codes: Annotated[
        str, typer.Argument(metavar="CODES", help="A .npy, .npz or .csv file of codes.")
    ],
    out: RowsOut,
    overwrite: Overwrite = False,
) -> None:
    """Write the rows that codes decode to, as numbers or as pictures."""
    from narrows.cli.actions import use

    use.decode(model, codes, out, overwrite=overwrite)


def reconstruct(
    model: Model,
    data: Data,
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="Result: .npy, .npz or .csv, a folder/ of PNG pictures, or one .png of originals"
            " above and reconstructions below.",
        ),
    ],
    overwrite: Overwrite = False,
) -> None:
    """Write rows after their way through the code and back."""
    from narrows.cli.actions import use

    use.reconstruct(model, data, out, overwrite=overwrite)
