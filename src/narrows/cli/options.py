"""How options are declared, and those that several verbs share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from narrows.cli.paths import Check, labels_exist, model_exists, new_file, new_rows, rows_exist

Text = str | None
"""Of an option that may be left out: actions read its value, as ``--set`` values are read."""


def option(metavar: str, text: str, default: str = "", check: Check | None = None) -> Any:
    """Declare an option: what its value is called, its help, its default in words, its check."""
    return typer.Option(metavar=metavar, help=text, show_default=default or True, callback=check)


def argument(metavar: str, text: str, check: Check | None = None) -> Any:
    """Declare an argument, as `option` does."""
    return typer.Argument(metavar=metavar, help=text, callback=check)


ROWS = "A .npy, .npz (FILE.npz:NAME) or .csv file, mnist:train or mnist:test."
LABELS = "One label per row: .npy, .csv, .txt, mnist:train or mnist:test."
SETTING = (
    "Any other parameter of Autoencoder, or a field of a part, such as network__hidden=512,256;"
    " may be repeated."
)
EARLIER = "An earlier model of the same kind to start from, so that codes change little."
TABLE = "Result: .npy, .npz or .csv"

Data = Annotated[str, argument("DATA", ROWS, rows_exist)]
Model = Annotated[str, argument("MODEL", "A .safetensors file that `fit` wrote.", model_exists)]
Labels = Annotated[Text, option("FILE", LABELS, "those of mnist:*", labels_exist)]
Network = Annotated[Text, option("NAME", "Architecture: auto, mlp or conv.", "auto")]
MaxSeconds = Annotated[Text, option("SECONDS", "Time limit for training.", "no limit")]
RandomState = Annotated[Text, option("INT", "Seed; the same seed gives the same model.")]
AlignTo = Annotated[Text, option("FILE", EARLIER, "start from PCA", model_exists)]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=SETTING)]
ModelOut = Annotated[
    Text, option("FILE", "Write the model: .safetensors.", check=new_file(".safetensors"))
]
# Read before other options, because the checks of output paths ask for it.
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that exist.", is_eager=True)
]
TableOut = Annotated[str, option("FILE", f"{TABLE}.", check=new_file(".npy", ".npz", ".csv"))]
RowsOut = Annotated[
    str,
    option(
        "PATH", f"{TABLE}, or a folder/ of PNG pictures.", check=new_rows(".npy", ".npz", ".csv")
    ),
]
SheetOut = Annotated[
    str,
    option(
        "PATH",
        f"{TABLE}, a folder/ of PNG pictures, or one .png sheet.",
        check=new_rows(".npy", ".npz", ".csv", ".png"),
    ),
]
