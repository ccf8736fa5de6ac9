"""The verbs that look at a model: ``evaluate``, ``loadings``, ``info``."""

from __future__ import annotations

from typing import Annotated

import typer

from narrows.cli.options import Data, Model, Overwrite


def evaluate(
    model: Model,
    data: Data,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="One label per row: .npy, .csv, .txt, mnist:train or mnist:test.",
            show_default="those of mnist:*",
        ),
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="The rows that the model was trained on; with labels, probes learn from them.",
            show_default="half of DATA",
        ),
    ] = None,
    train_labels: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="One label per row of --train.", show_default="those of mnist:*"
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            metavar="INT",
            help="Models to measure: this one, and more fitted on --train, for intervals.",
        ),
    ] = 1,
    samples: Annotated[
        int,
        typer.Option(
            metavar="INT",
            help="Pictures to draw and to compare with DATA: 28 × 28, grey; 10000 are usual.",
            show_default="none",
        ),
    ] = 0,
    prior: Annotated[
        str, typer.Option(metavar="NAME", help="To draw them from: auto, normal, mixture or flow.")
    ] = "auto",
    importance_samples: Annotated[
        int,
        typer.Option(
            metavar="INT", help="Codes per row for the log-likelihood of a VAE or IWAE; 0: none."
        ),
    ] = 50,
    out: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Write the scorecard too: .html, a page with pictures, or .json; may be repeated.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure a model on rows that it never saw, PCA beside it."""
    from narrows.cli.actions import evaluate as action

    action.evaluate(
        model,
        data,
        action.Labelled(labels, train, train_labels),
        out or [],
        overwrite=overwrite,
        seeds=seeds,
        samples=samples,
        prior=prior,
        importance_samples=importance_samples,
    )


def loadings(
    model: Model,
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Rows, or codes that `encode` wrote, as for `encode`."),
    ],
    spots: Annotated[
        int, typer.Option(metavar="INT", help="Codes to look at, spread out over all.")
    ] = 5,
    top: Annotated[
        int, typer.Option(metavar="INT", help="Features for each number of each code.")
    ] = 5,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the table too (.csv), or a picture (.png)."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Say what changes in a row as each number of its code grows, at spread-out codes."""
    from narrows.cli.actions import loadings as action

    action.loadings(model, data, out, spots=spots, top=top, overwrite=overwrite)


def info(model: Model) -> None:
    """Say what a model file holds."""
    from narrows.cli.actions import use

    use.info(model)
