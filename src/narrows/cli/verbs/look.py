"""The verbs that look at a model: ``evaluate``, ``loadings``, ``info``."""

from __future__ import annotations

from typing import Annotated

from narrows.cli.options import Data, Labels, Model, Overwrite, Text, argument, option
from narrows.cli.paths import labels_exist, new_file, rows_exist


def evaluate(
    model: Model,
    data: Data,
    labels: Labels = None,
    train: Annotated[
        Text,
        option(
            "DATA",
            "The rows that the model was trained on; with labels, probes learn from them.",
            "half of DATA",
            rows_exist,
        ),
    ] = None,
    train_labels: Annotated[
        Text, option("FILE", "One label per row of --train.", "those of mnist:*", labels_exist)
    ] = None,
    seeds: Annotated[
        int,
        option("INT", "Number of models: this one, and others fitted on --train, for intervals."),
    ] = 1,
    samples: Annotated[
        int,
        option(
            "INT",
            "Samples to compare with DATA, for grey 28 × 28 pictures; 10000 is usual.",
            "none",
        ),
    ] = 0,
    prior: Annotated[
        str, option("NAME", "Prior of samples: auto, normal, mixture or flow.")
    ] = "auto",
    importance_samples: Annotated[
        int, option("INT", "Codes per row for the log-likelihood of a vae or iwae; 0 for none.")
    ] = 50,
    out: Annotated[
        list[str] | None,
        option(
            "FILE",
            "Write the scorecard: .html, a page with pictures, or .json; may be repeated.",
            check=new_file(".json", ".html"),
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure a model and PCA on rows that neither was trained on."""
    from narrows.cli.actions import evaluate as action

    action.evaluate(
        model,
        data,
        action.Labelled(labels, train, train_labels),
        out or [],
        seeds=seeds,
        samples=samples,
        prior=prior,
        importance_samples=importance_samples,
    )


def loadings(
    model: Model,
    data: Annotated[str, argument("DATA", "Rows, or codes that `encode` wrote.", rows_exist)],
    spots: Annotated[int, option("INT", "Number of codes, chosen to represent all.")] = 5,
    top: Annotated[int, option("INT", "Number of features for each latent dimension.")] = 5,
    out: Annotated[
        Text,
        option(
            "FILE", "Write the table (.csv), or a picture (.png).", check=new_file(".csv", ".png")
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """List the features that change most as each latent dimension grows."""
    from narrows.cli.actions import loadings as action

    action.loadings(model, data, out, spots=spots, top=top)


def info(model: Model) -> None:
    """Print what a model file contains."""
    from narrows.cli.actions import use

    use.info(model)
