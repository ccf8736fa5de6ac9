"""Arguments and options that several verbs share, as typer reads them."""

from __future__ import annotations

from typing import Annotated

import typer

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="A .npy, .npz (FILE.npz:NAME) or .csv file, mnist:train or mnist:test."
    ),
]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="A .safetensors file of `fit`.")]
Network = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Architecture: auto, mlp or conv.", show_default="auto"),
]
MaxSeconds = Annotated[
    str | None,
    typer.Option(metavar="SECONDS", help="Time that it may take.", show_default="no limit"),
]
RandomState = Annotated[
    str | None, typer.Option(metavar="INT", help="Seed; the same seed gives the same model.")
]
AlignTo = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="An earlier model of the same kind to start from, so that codes stay about where they"
        " were.",
        show_default="from PCA",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any other parameter of Autoencoder, or a field of a part, such as"
        " network__hidden=512,256; may be repeated.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
TableOut = Annotated[str, typer.Option(metavar="FILE", help="Result: .npy, .npz or .csv.")]
RowsOut = Annotated[
    str,
    typer.Option(metavar="PATH", help="Result: .npy, .npz or .csv, or a folder/ of PNG pictures."),
]
SheetOut = Annotated[
    str,
    typer.Option(
        metavar="PATH",
        help="Result: .npy, .npz or .csv, a folder/ of PNG pictures, or one .png sheet.",
    ),
]
