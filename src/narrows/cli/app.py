"""The command line as a whole: its verbs, by the panels of its help."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from narrows import __version__
from narrows.cli.exit import INTERRUPTED, complain
from narrows.cli.verbs import generate, learn, look, try_it, use

_EXIT_CODES = (
    "Exit codes: 0 done; 1 a failure, said in one line; 2 wrong usage; 130 after Ctrl-C."
    " Nothing is overwritten without --overwrite."
)


class _Verbs(TyperGroup):
    """A group that says so when it is interrupted."""

    def invoke(self, ctx: Any) -> Any:
        """Run a verb; after Ctrl-C leave with 130 and without a traceback."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            complain("Interrupted.")
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=_Verbs,
    name="narrows",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EXIT_CODES,
)
recipe = typer.Typer(no_args_is_help=True, help="List and run named jobs on handwritten digits.")
app.add_typer(recipe, name="recipe", rich_help_panel="Try it")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"narrows {__version__}")
        raise typer.Exit


@app.callback()
def narrows(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Squeeze data through a narrow code and rebuild it, beside PCA."""


for panel, functions in {
    "Try it": (try_it.demo,),
    "Learn": (learn.fit, learn.size, learn.map_),
    "Use": (use.encode, use.decode, use.reconstruct),
    "Generate": (generate.sample, generate.interpolate, generate.traverse),
    "Look": (look.evaluate, look.loadings, look.info),
}.items():
    for function in functions:
        app.command(function.__name__.rstrip("_"), rich_help_panel=panel)(function)
recipe.command("list")(try_it.recipe_list)
recipe.command("run")(try_it.recipe_run)
