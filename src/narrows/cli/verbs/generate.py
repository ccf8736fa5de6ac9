"""The verbs that make new rows: ``sample``, ``interpolate``, ``traverse``."""

from __future__ import annotations

from typing import Annotated

import typer

from narrows.cli.options import Data, Model, Overwrite, SheetOut


def sample(
    model: Model,
    out: SheetOut,
    n: Annotated[int, typer.Option("--n", metavar="INT", help="Rows to make.")] = 100,
    prior: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Where codes come from: auto (what the model was trained to follow), normal, or"
            " one that `fit --prior` fitted.",
        ),
    ] = "auto",
    temperature: Annotated[
        float,
        typer.Option(metavar="NUMBER", help="Below 1: more typical, and more alike."),
    ] = 1.0,
    y: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL",
            help="Class to make, or one for each row: 3 or 0,1,2.",
            show_default="any",
        ),
    ] = None,
    random_state: Annotated[
        int | None, typer.Option(metavar="INT", help="Seed; the same seed gives the same rows.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write new rows: codes drawn from a prior, and decoded."""
    from narrows.cli.actions import generate

    generate.sample(
        model,
        n,
        out,
        prior=prior,
        temperature=temperature,
        y=y,
        random_state=random_state,
        overwrite=overwrite,
    )


def interpolate(
    model: Model,
    data: Data,
    out: SheetOut,
    rows: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help="Two rows of DATA, numbered from 0; may be repeated.",
            show_default="0,1",
        ),
    ] = None,
    steps: Annotated[
        int, typer.Option(metavar="INT", help="Rows to make for a pair, both ends included.")
    ] = 8,
    how: Annotated[str, typer.Option(metavar="NAME", help="linear or spherical.")] = "linear",
    overwrite: Overwrite = False,
) -> None:
    """Write the way from one row to another, decoded from codes between theirs."""
    from narrows.cli.actions import generate

    generate.interpolate(
        model, data, rows or ["0,1"], out, steps=steps, how=how, overwrite=overwrite
    )


def traverse(
    model: Model,
    data: Data,
    out: SheetOut,
    row: Annotated[int, typer.Option(metavar="INT", help="Row of DATA, numbered from 0.")] = 0,
    dimensions: Annotated[
        str | None,
        typer.Option(
            metavar="INT,...",
            help="Numbers of the code to move, from 0.",
            show_default="the ten that vary most",
        ),
    ] = None,
    steps: Annotated[int, typer.Option(metavar="INT", help="Rows to make for a number.")] = 9,
    span: Annotated[
        float, typer.Option(metavar="NUMBER", help="How far to either side, in deviations.")
    ] = 3.0,
    overwrite: Overwrite = False,
) -> None:
    """Write what a row becomes as one number of its code is moved step by step."""
    from narrows.cli.actions import generate

    generate.traverse(
        model, data, row, dimensions, out, steps=steps, span=span, overwrite=overwrite
    )
