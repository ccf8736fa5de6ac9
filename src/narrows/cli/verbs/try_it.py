"""The verbs to begin with: ``demo``, ``recipe list``, ``recipe run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from narrows.cli.options import Overwrite, argument, option


def demo(
    out: Annotated[Path, option("DIR", "Folder for the page.")] = Path("out/demo"),
    max_seconds: Annotated[
        float | None,
        option("SECONDS", "Total training time of our models; 175 by default."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Train on handwritten digits, compare with PCA, and write one page; about 4 minutes."""
    from narrows.cli.print import out as stdout
    from narrows.cli.print import say
    from narrows.recipes import refuse_existing

    refuse_existing([out / "index.html"], overwrite=overwrite)
    from narrows.recipes.demo import run_demo

    page = run_demo(out, max_seconds=max_seconds, overwrite=overwrite, console=stdout())
    say(f"Open {page}")


def recipe_list() -> None:
    """List the recipes."""
    from narrows.cli.print import say_pairs
    from narrows.recipes import read_recipe, recipe_names

    say_pairs((name, read_recipe(name).title) for name in recipe_names())


def recipe_run(
    name: Annotated[str, argument("NAME", "One of `narrows recipe list`.")],
    out: Annotated[Path | None, option("DIR", "Folder for pictures and model.", "out/NAME")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Show pictures in a window during training.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Train as a recipe says, print the loss of each epoch, and draw its pictures."""
    from narrows.cli.exit import expected_failures
    from narrows.cli.print import say
    from narrows.recipes import run_recipe

    folder = Path("out") / name if out is None else out
    with expected_failures():
        run_recipe(name, folder, live=live, overwrite=overwrite, tell=say)
