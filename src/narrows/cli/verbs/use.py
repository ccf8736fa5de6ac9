"""The verbs that use a model: ``encode``, ``decode``, ``reconstruct``, ``export``."""

from __future__ import annotations

from typing import Annotated

import typer

from narrows.cli.options import (
    ROWS,
    Data,
    Labels,
    Model,
    Overwrite,
    RowsOut,
    SheetOut,
    TableOut,
    Text,
    argument,
    option,
)
from narrows.cli.paths import new_export, rows_exist


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


def export(
    model: Model,
    out: Annotated[
        str, option("PATH", "Folder, or FILE.keras, FILE.html, FILE.parquet.", check=new_export)
    ],
    to: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="onnx, keras, torch, html, projector, parquet or card.",
            is_eager=True,
        ),
    ] = "onnx",
    data: Annotated[
        Text,
        option(
            "DATA",
            f"Rows to check with, or to show. {ROWS}",
            "rows drawn anew",
            rows_exist,
        ),
    ] = None,
    labels: Labels = None,
    quantize: Annotated[
        bool,
        typer.Option("--quantize", help="Round weights to 8 bits (onnx), and measure it."),
    ] = False,
    push: Annotated[
        Text, option("NAME", "Upload a card's folder to this repository of Hugging Face.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a model as other programs read it, or as a folder for a hub."""
    from narrows.cli.actions import export as action

    shown = action.Shown(data, labels)
    action.export(model, shown, to, out, quantize=quantize, push=push)
