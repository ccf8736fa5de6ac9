"""The verbs that learn from DATA: ``fit``, ``size``, ``map``."""

from __future__ import annotations

from typing import Annotated

import typer

from narrows.cli.options import (
    AlignTo,
    Data,
    Labels,
    MaxSeconds,
    ModelOut,
    Network,
    Overwrite,
    RandomState,
    Settings,
    Text,
    option,
)
from narrows.cli.paths import labels_exist, model_exists, new_file


def fit(
    data: Data,
    out: Annotated[
        str, option("FILE", "Model to write: .safetensors.", check=new_file(".safetensors"))
    ],
    n_components: Annotated[
        Text,
        option(
            "INT|FRACTION",
            "Latent dimensions; a fraction, such as 0.95, asks for the fewest that explain this"
            " part of the variance.",
            "2",
        ),
    ] = None,
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Train every prefix of the code too, as in PCA.")
    ] = False,
    objective: Annotated[
        Text,
        option(
            "NAME",
            "Kind of autoencoder: reconstruction, denoising, sparse, contractive, vae, iwae, wae,"
            " adversarial, vq, fsq or neighbors.",
            "reconstruction",
        ),
    ] = None,
    network: Network = None,
    init: Annotated[Text, option("NAME", "Starting point: pca or random.", "pca")] = None,
    scaling: Annotated[
        Text,
        option(
            "NAME|LOW,HIGH",
            "Scaling of inputs: auto (centred, one divisor for all columns), standard (one"
            " divisor per column), none, or a range.",
            "auto",
        ),
    ] = None,
    max_seconds: MaxSeconds = None,
    max_epochs: Annotated[Text, option("INT", "Passes over the rows.", "auto")] = None,
    max_steps: Annotated[Text, option("INT", "Optimizer steps.", "by epochs")] = None,
    batch_size: Annotated[Text, option("INT", "Rows per optimizer step.", "auto")] = None,
    learning_rate: Annotated[Text, option("NUMBER", "Largest learning rate.", "auto")] = None,
    random_state: RandomState = None,
    labels: Annotated[
        Text,
        option(
            "FILE",
            "One class per row, for an objective that learns from classes: .npy, .csv, .txt,"
            " mnist:train or mnist:test.",
            "those of mnist:*",
            labels_exist,
        ),
    ] = None,
    prior: Annotated[
        list[str] | None,
        option(
            "NAME",
            "Prior to fit to the codes, for `sample`: mixture or flow; may be repeated.",
            "normal",
        ),
    ] = None,
    align_to: AlignTo = None,
    settings: Settings = None,
    overwrite: Overwrite = False,
) -> None:
    """Train on DATA and write the model; Ctrl-C saves the best state so far.

    Prints a plan; during training the errors of the model and of PCA on held-out rows; at the end
    a summary.
    """
    from narrows.cli.actions.fit import fit_to_file
    from narrows.cli.parameters import make_autoencoder

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
    fit_to_file(ae, data, out, labels=labels, priors=prior or (), align_to=align_to)


def size(
    data: Data,
    explained: Annotated[
        Text, option("FRACTION", "Part of the variance that the recommended size explains.", "0.95")
    ] = None,
    n_components: Annotated[
        Text, option("INT", "Largest size to measure.", "what PCA needs, and a few more")
    ] = None,
    objective: Annotated[
        Text,
        option("NAME", "Kind of autoencoder: reconstruction or denoising.", "reconstruction"),
    ] = None,
    network: Network = None,
    max_seconds: MaxSeconds = None,
    random_state: RandomState = None,
    settings: Settings = None,
    out: Annotated[
        Text,
        option(
            "FILE",
            "Write the curve: .png, .csv or .json.",
            check=new_file(".png", ".csv", ".json"),
        ),
    ] = None,
    model: ModelOut = None,
    overwrite: Overwrite = False,
) -> None:
    """Find how many latent dimensions are needed: one training, the error of every size.

    Prints the held-out error for codes of 1, 2, 3 … numbers beside PCA's, and recommends the
    smallest size that explains the part of the variance that was asked for.
    """
    from narrows.cli.actions import size as action
    from narrows.cli.parameters import make_autoencoder, parsed
    from narrows.common.limits import check, real

    fraction = action.USUAL_FRACTION if explained is None else parsed(explained)
    check("size", {"explained": fraction}, {"explained": real(0, 1, low_open=True)})
    given = {
        "n_components": n_components,
        "objective": objective,
        "network": network,
        "max_seconds": max_seconds,
        "random_state": random_state,
    }
    ae = make_autoencoder(given, settings or [], usual={"n_components": fraction})
    action.size(ae, data, fraction, out, model)


def map_(
    data: Data,
    out: Annotated[
        str,
        option(
            "FILE",
            "Result: an interactive .html page, a .png picture, or coordinates as .csv, .npy or"
            " .npz.",
            check=new_file(".html", ".png", ".npy", ".npz", ".csv"),
        ),
    ],
    labels: Labels = None,
    labels_are: Annotated[
        str,
        option(
            "NAME",
            "classes, numbers (on a colour scale), or auto: text is classes; numbers are classes if"
            " they are whole and at most 20 differ.",
        ),
    ] = "auto",
    n_components: Annotated[
        Text, option("INT", "Latent dimensions: 1 to 3; 3 are drawn in pairs.", "2")
    ] = None,
    network: Network = None,
    max_seconds: MaxSeconds = None,
    random_state: RandomState = None,
    align_to: AlignTo = None,
    settings: Settings = None,
    model: Annotated[
        Text,
        option(
            "FILE",
            "An existing model to encode DATA with; nothing is trained.",
            check=model_exists,
        ),
    ] = None,
    save: ModelOut = None,
    theme: Annotated[Text, option("NAME", "Colours of a .png: light or dark.", "light")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw a map on which neighbours stay neighbours: labels, density, small pictures.

    Trains `--objective neighbors` and prints what `fit` prints. Labels only colour the points.
    """
    from narrows.cli.actions.map import Asked, make_map

    given = {
        "n_components": n_components,
        "network": network,
        "max_seconds": max_seconds,
        "random_state": random_state,
    }
    asked = Asked(data, out, labels, labels_are, theme)
    make_map(asked, given, settings or [], model=model, align_to=align_to, save_to=save)
