"""The verbs that make new rows: ``sample``, ``interpolate``, ``traverse``."""

from __future__ import annotations

from typing import Annotated

import typer

from narrows.cli.options import Data, Model, Overwrite, SheetOut, Text, option


def sample(
    model: Model,
    out: SheetOut,
    n: Annotated[int, typer.Option("--n", metavar="INT", help="Number of rows.")] = 100,
    prior: Annotated[
        str,
        option(
            "NAME",
            "Distribution of codes: auto (the one of the objective, such as N(0, 1) of a vae),"
            " normal, or one that `fit --prior` fitted.",
        ),
    ] = "auto",
    temperature: Annotated[
        float, option("NUMBER", "Below 1 rows are more typical and more alike.")
    ] = 1.0,
    y: Annotated[
        Text, option("LABEL", "Class of the rows, or one for each row: 3 or 0,1,2.", "any")
    ] = None,
    random_state: Annotated[
        int | None, option("INT", "Seed; the same seed gives the same rows.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw codes from a prior, decode them, and write the new rows."""
    from narrows.cli.actions import generate

    generate.sample(
        model, n, out, prior=prior, temperature=temperature, y=y, random_state=random_state
    )


def interpolate(
    model: Model,
    data: Data,
    out: SheetOut,
    rows: Annotated[
        list[str] | None,
        option("A,B", "Two rows of DATA, counted from 0; may be repeated.", "0,1"),
    ] = None,
    steps: Annotated[int, option("INT", "Number of rows for a pair, both ends included.")] = 8,
    how: Annotated[str, option("NAME", "linear or spherical.")] = "linear",
    overwrite: Overwrite = False,
) -> None:
    """Write rows between two rows, decoded from codes between their codes."""
    from narrows.cli.actions import generate

    generate.interpolate(model, data, rows or ["0,1"], out, steps=steps, how=how)


def traverse(
    model: Model,
    data: Data,
    out: SheetOut,
    row: Annotated[int, option("INT", "Row of DATA, counted from 0.")] = 0,
    dimensions: Annotated[
        Text,
        option("INT,...", "Latent dimensions to change, counted from 0.", "the ten that vary most"),
    ] = None,
    steps: Annotated[int, option("INT", "Number of rows for a dimension.")] = 9,
    span: Annotated[float, option("NUMBER", "Largest change, in standard deviations.")] = 3.0,
    overwrite: Overwrite = False,
) -> None:
    """Change one latent dimension of a row step by step, and write the decoded rows."""
    from narrows.cli.actions import generate

    generate.traverse(model, data, row, dimensions, out, steps=steps, span=span)
