"""The verbs that use a model: ``encode``, ``decode``, ``reconstruct``."""

from __future__ import annotations

from typing import Annotated

from narrows.cli.options import Data, Model, Overwrite, RowsOut, SheetOut, TableOut, argument
from narrows.cli.paths import rows_exist


def encode(model: Model, data: Data, out: TableOut, overwrite: Overwrite = False) -> None:
    """Write the code of each row; row names from a CSV file are kept."""
    from narrows.cli.actions import use

    use.encode(model, data, out)


def decode(
    model: Model,
    codes: Annotated[str, argument("CODES", "A .npy, .npz or .csv file of codes.", rows_exist)],
    out: RowsOut,
    overwrite: Overwrite = False,
) -> None:
    """Decode codes, and write the rows as numbers or as pictures."""
    from narrows.cli.actions import use

    use.decode(model, codes, out)


def reconstruct(model: Model, data: Data, out: SheetOut, overwrite: Overwrite = False) -> None:
    """Write the round trip of rows: encoded, and decoded again."""
    from narrows.cli.actions import use

    use.reconstruct(model, data, out)
