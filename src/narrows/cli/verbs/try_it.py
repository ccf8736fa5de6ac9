"""The verbs to begin with: ``demo``, ``recipe list``, ``recipe run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from narrows.cli.options import Overwrite


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the page.")] = Path(
        "out/demo"
    ),
    max_seconds: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="For training our models in all; 175 by default."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Take the tour: real digits, beside PCA, on one page to look at; about 4 minutes."""
    from narrows.cli.print import out as stdout
    from narrows.cli.print import say
    from narrows.recipes.demo import run_demo

    page = run_demo(out, max_seconds=max_seconds, overwrite=overwrite, console=stdout())
    say(f"Open {page}")


def recipe_list() -> None:
    """List the recipes."""
    from narrows.cli.print import say_pairs
    from narrows.recipes import read_recipe, recipe_names

    say_pairs((name, read_recipe(name).title) for name in recipe_names())


def recipe_run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `narrows recipe list` has it.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for pictures and model.", show_default="out/NAME"),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Show pictures in a window while it trains.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Train as a recipe says, print its cost per epoch, draw its pictures."""
    from narrows.cli.exit import expected_failures
    from narrows.cli.print import say
    from narrows.recipes import read_recipe, run_recipe

    read_recipe(name)
    folder = Path("out") / name if out is None else out
    with expected_failures():
        run_recipe(name, folder, live=live, overwrite=overwrite, tell=say)
