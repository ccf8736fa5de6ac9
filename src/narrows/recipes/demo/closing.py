"""The end of the tour: the machine, what to run next, and the table on the terminal."""

from __future__ import annotations

import platform

from rich.table import Table

from narrows import __version__
from narrows.common.processor import has_bfloat16_products
from narrows.estimator import Autoencoder
from narrows.evaluation.classifiers import ClassifierResult
from narrows.recipes.demo.programs import Tour
from narrows.web.demo import Command
from narrows.web.page import Fact
from narrows.web.words import say


def commands() -> list[Command]:
    """Return what to run next, line by line."""
    return [
        Command("narrows recipe list", say("demo.next.recipes")),
        Command("narrows recipe run torch-3d --out out/torch-3d", say("demo.next.three")),
        Command(
            "narrows fit mnist:train --n-components 32 --max-seconds 30 --out digits.safetensors",
            say("demo.next.fit"),
        ),
        Command(
            "narrows encode digits.safetensors mnist:test --out codes.npy", say("demo.next.encode")
        ),
        Command(
            "narrows recipe run generate-conditional --out out/digits", say("demo.next.conditional")
        ),
        Command("narrows evaluate digits.safetensors mnist:test", say("demo.next.evaluate")),
    ]


def facts(model: Autoencoder) -> list[Fact]:
    """Return the machine, the versions, and the precision a model was trained with."""
    import torch

    products = "demo.facts.bfloat16" if has_bfloat16_products() else "demo.facts.no_bfloat16"
    n_threads = torch.get_num_threads()
    return [
        Fact(
            say("demo.facts.processor"),
            say("demo.facts.threads", machine=platform.machine(), n=n_threads),
        ),
        Fact(say("demo.facts.products"), say(products)),
        Fact(say("demo.facts.precision"), model.precision_),
        Fact(
            say("demo.facts.versions"),
            f"narrows {__version__}, torch {torch.__version__.partition('+')[0]},"
            f" Python {platform.python_version()}",
        ),
    ]


def closing_table(
    tour: Tour, accuracies: list[float], small: ClassifierResult, big: ClassifierResult
) -> None:
    """Print the numbers of the page as one table."""
    table = Table(title="10,000 held-out test digits")
    for heading in ("program", "numbers", "error", "PCA's error", "seconds"):
        table.add_column(heading, justify="left" if heading == "program" else "right")
    for program in tour.programs.values():
        table.add_row(
            program.name.en,
            str(program.model.n_components_),
            f"{program.error:.4f}",
            f"{program.pca_error:.4f}",
            f"{program.seconds:.1f}",
        )
    tour.console.print(table)
    pca, tutorial, ours = accuracies
    tour.console.print(
        f"10-NN accuracy on the plane: PCA {pca:.3f}, tutorial {tutorial:.3f}, narrows {ours:.3f}"
    )
    tour.console.print(
        f"classifier on 32 numbers: {small.accuracy:.4f} with {small.n_parameters:,} parameters in"
        f" {small.seconds:.1f} s; on pixels: {big.accuracy:.4f} with {big.n_parameters:,} in"
        f" {big.seconds:.1f} s"
    )
