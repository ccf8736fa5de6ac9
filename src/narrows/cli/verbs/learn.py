"""The verbs that learn from DATA: ``fit``, ``size``, ``map``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from narrows.cli.options import (
    AlignTo,
    Data,
    MaxSeconds,
    Network,
    Overwrite,
    RandomState,
    Settings,
)


def fit(
    data: Data,
    out: Annotated[str, typer.Option(metavar="FILE", help="Model to write: .safetensors.")],
    n_components: Annotated[
        str | None,
        typer.Option(
            metavar="INT|FRACTION",
            help="Numbers in a code; a fraction, such as 0.95, asks for the fewest that explain so"
            " much of the variance.",
            show_default="2",
        ),
    ] = None,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Train every prefix of the code, too.")
    ] = False,
    objective: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Family: reconstruction, denoising, sparse, contractive, vae, iwae, wae,"
            " adversarial, vq, fsq or neighbors.",
            show_default="reconstruction",
        ),
    ] = None,
    network: Network = None,
    init: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Start: pca or random.", show_default="pca"),
    ] = None,
    scaling: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|LOW,HIGH",
            help="Units of the network: auto (centred, one common divisor), standard (column by"
            " column), none, or a range.",
            show_default="auto",
        ),
    ] = None,
    max_seconds: MaxSeconds = None,
    max_epochs: Annotated[
        str | None,
        typer.Option(metavar="INT", help="Passes over the rows.", show_default="auto"),
    ] = None,
    max_steps: Annotated[
        str | None,
        typer.Option(metavar="INT", help="Optimizer steps of a run.", show_default="by epochs"),
    ] = None,
    batch_size: Annotated[
        str | None,
        typer.Option(metavar="INT", help="Rows per optimizer step.", show_default="auto"),
    ] = None,
    learning_rate: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Per step, at its highest.", show_default="auto"),
    ] = None,
    random_state: RandomState = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="One class per row, for an objective that learns from classes: .npy, .csv, .txt,"
            " mnist:train or mnist:test.",
            show_default="those of mnist:*",
        ),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Fit a prior to the codes, for `sample`: mixture or flow; may be repeated.",
            show_default="normal",
        ),
    ] = None,
    align_to: AlignTo = None,
    settings: Settings = None,
    overwrite: Overwrite = False,
) -> None:
    """Learn from DATA and write the model; Ctrl-C saves the best state so far.

    Prints a plan, then held-out errors while it trains, PCA's beside ours, then a summary.
    """
    from narrows.cli.fitting import fit_to_file
    from narrows.cli.parameters import make_autoencoder
    from narrows.common.atomic_files import check_target

    given = {
        "n_components": n_components,
        "ordered": "true" if ordered else None,
        "objective": objective,
        "network": network,
        "init": init,
        "scaling": scaling,
        "max_seconds": max_seconds,
        "max_epochs": max_epochs,
        "max_steps": max_steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "random_state": random_state,
    }
    ae = make_autoencoder(given, settings or [])
    target = Path(out)
    check_target(target, (".safetensors",), overwrite=overwrite)
    fit_to_file(ae, data, target, labels=labels, priors=prior or (), align_to=align_to)


def size(
    data: Data,
    explained: Annotated[
        str | None,
        typer.Option(
            metavar="FRACTION",
            help="Part of the variance that a size is wanted for.",
            show_default="0.95",
        ),
    ] = None,
    n_components: Annotated[
        str | None,
        typer.Option(
            metavar="INT",
            help="Largest code to look at, in place of what PCA needs.",
            show_default="by --explained",
        ),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Family: reconstruction or denoising.",
            show_default="reconstruction",
        ),
    ] = None,
    network: Network = None,
    max_seconds: MaxSeconds = None,
    random_state: RandomState = None,
    settings: Settings = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the curve: .png, .csv or .json."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the model: .safetensors.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Say how many numbers a code needs: the error of every size, from one training.

    Prints the held-out error for codes of 1, 2, 3 … numbers, PCA's beside ours, and recommends
    the smallest that explains as much of the variance as was asked for.
    """
    from narrows.cli import sizing
    from narrows.cli.parameters import make_autoencoder, parsed
    from narrows.common.limits import check, real
    from narrows.errors import ParameterError

    if explained is not None and n_components is not None:
        raise ParameterError(
            "--explained and --n-components were both given; give the part of the variance, or the"
            " largest code to look at."
        )
    fraction = sizing.USUAL_FRACTION if explained is None else parsed(explained)
    check("size", {"explained": fraction}, {"explained": real(0, 1, low_open=True)})
    given = {
        "n_components": n_components or str(fraction),
        "objective": objective,
        "network": network,
        "max_seconds": max_seconds,
        "random_state": random_state,
    }
    sizing.size(make_autoencoder(given, settings or []), data, out, model, overwrite=overwrite)


def map_(
    data: Data,
    out: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Result: an .html page to look around in, a .png picture, or places as .csv, .npy"
            " or .npz.",
        ),
    ],
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="One label per row: .npy, .csv, .txt, mnist:train or mnist:test.",
            show_default="those of mnist:*",
        ),
    ] = None,
    labels_are: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="classes, numbers (on a scale), or auto: numbers where they are not whole or more"
            " than 20 differ.",
        ),
    ] = "auto",
    n_components: Annotated[
        str | None,
        typer.Option(
            metavar="INT",
            help="Numbers of the code: 1 to 3; 3 are drawn in pairs.",
            show_default="2",
        ),
    ] = None,
    network: Network = None,
    max_seconds: MaxSeconds = None,
    random_state: RandomState = None,
    align_to: AlignTo = None,
    settings: Settings = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Model that exists, to draw DATA with, in place of a new one."
        ),
    ] = None,
    save: Annotated[
        str | None, typer.Option(metavar="FILE", help="Keep the model: .safetensors.")
    ] = None,
    theme: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of a .png: light or dark.", show_default="light"),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw a map on which neighbours stay neighbours: labels, density, small pictures.

    Fits `--objective neighbors` and prints what `fit` prints; labels only colour the points.
    """
    from narrows.cli.mapping import Asked, make_map

    given = {
        "n_components": n_components,
        "network": network,
        "max_seconds": max_seconds,
        "random_state": random_state,
    }
    make_map(
        Asked(data, Path(out), labels, labels_are, theme),
        given,
        settings or [],
        model=model,
        align_to=align_to,
        save_to=save,
        overwrite=overwrite,
    )
