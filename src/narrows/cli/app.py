"""All verbs as one command, and the function that runs it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from narrows import __version__
from narrows.cli.exit import INTERRUPTED, complain, exit_codes
from narrows.cli.verbs import generate, learn, look, try_it, use

_EPILOG = (
    "Words: a code is the embedding of a row, and its numbers are latent dimensions; an objective"
    " is a kind of autoencoder, also called its family; trust is like a p-value: the part of"
    " held-out rows that are at least as unusual.\n\n"
    "Exit codes: 0 done; 1 a failure, said in one line; 2 wrong usage; 130 after Ctrl-C."
    " Nothing is overwritten without --overwrite."
)


class _Verbs(TyperGroup):
    """A group that says so when it is interrupted."""

    def invoke(self, ctx: Any) -> Any:
        """Run a verb; after Ctrl-C exit with 130 and no traceback."""
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
    epilog=_EPILOG,
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
    """Compress data to a short code and rebuild it: autoencoders, compared with PCA."""


for panel, functions in {
    "Try it": (try_it.demo,),
    "Learn": (learn.fit, learn.size, learn.map_),
    "Use": (use.encode, use.decode, use.reconstruct, use.export),
    "Generate": (generate.sample, generate.interpolate, generate.traverse),
    "Look": (look.evaluate, look.loadings, look.info),
}.items():
    for function in functions:
        app.command(function.__name__.rstrip("_"), rich_help_panel=panel)(function)
recipe.command("list")(try_it.recipe_list)
recipe.command("run")(try_it.recipe_run)


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; those of the process by default.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without "×" is no reason to fail
    given = list(sys.argv[1:] if arguments is None else arguments)
    with exit_codes():
        command = typer.main.get_command(app)
        code = command.main(given, prog_name="narrows", standalone_mode=False)
    sys.exit(code if isinstance(code, int) else 0)
