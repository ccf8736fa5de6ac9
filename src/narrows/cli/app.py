"""The verbs and their options, as typer reads them from signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from narrows import __version__
from narrows.cli.ending import INTERRUPTED, complain

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

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="A .npy, .npz (FILE.npz:NAME) or .csv file, mnist:train or mnist:test."
    ),
]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="A .safetensors file of `fit`.")]
Network = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Architecture: auto, mlp or conv.", show_default="auto"),
]
MaxSeconds = Annotated[
    str | None,
    typer.Option(metavar="SECONDS", help="Time that it may take.", show_default="no limit"),
]
RandomState = Annotated[
    str | None, typer.Option(metavar="INT", help="Seed; the same seed gives the same model.")
]
AlignTo = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="An earlier model of the same kind to start from, so that codes stay about where they"
        " were.",
        show_default="from PCA",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any other parameter of Autoencoder, or a field of a part, such as"
        " network__hidden=512,256; may be repeated.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
TableOut = Annotated[str, typer.Option(metavar="FILE", help="Result: .npy, .npz or .csv.")]
RowsOut = Annotated[
    str,
    typer.Option(metavar="PATH", help="Result: .npy, .npz or .csv, or a folder/ of PNG pictures."),
]
SheetOut = Annotated[
    str,
    typer.Option(
        metavar="PATH",
        help="Result: .npy, .npz or .csv, a folder/ of PNG pictures, or one .png sheet.",
    ),
]


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


@app.command(rich_help_panel="Try it")
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
    from narrows.cli.printing import out as stdout
    from narrows.cli.printing import say
    from narrows.demo import run_demo

    page = run_demo(out, max_seconds=max_seconds, overwrite=overwrite, console=stdout())
    say(f"Open {page}")


@recipe.command("list")
def recipe_list() -> None:
    """List the recipes."""
    from narrows.cli.printing import say_pairs
    from narrows.recipes import read_recipe, recipe_names

    say_pairs((name, read_recipe(name).title) for name in recipe_names())


@recipe.command("run")
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
    from narrows.cli.ending import expected_failures
    from narrows.cli.printing import say
    from narrows.recipes import read_recipe, run_recipe

    read_recipe(name)
    folder = Path("out") / name if out is None else out
    with expected_failures():
        run_recipe(name, folder, live=live, overwrite=overwrite, tell=say)


@app.command(rich_help_panel="Learn")
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
    from narrows.sources.files import check_target

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


@app.command(rich_help_panel="Learn")
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
    from narrows.errors import ParameterError
    from narrows.fields import check, real

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


@app.command("map", rich_help_panel="Learn")
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
            metavar="INT", help="Numbers of the code: 2 or 3, drawn in pairs.", show_default="2"
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


@app.command(rich_help_panel="Use")
def encode(model: Model, data: Data, out: TableOut, overwrite: Overwrite = False) -> None:
    """Write the codes of rows; names of rows in a CSV file are kept."""
    from narrows.cli import using

    using.encode(model, data, out, overwrite=overwrite)


@app.command(rich_help_panel="Use")
def decode(
    model: Model,
    codes: Annotated[
        str, typer.Argument(metavar="CODES", help="A .npy, .npz or .csv file of codes.")
    ],
    out: RowsOut,
    overwrite: Overwrite = False,
) -> None:
    """Write the rows that codes decode to, as numbers or as pictures."""
    from narrows.cli import using

    using.decode(model, codes, out, overwrite=overwrite)


@app.command(rich_help_panel="Use")
def reconstruct(
    model: Model,
    data: Data,
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="Result: .npy, .npz or .csv, a folder/ of PNG pictures, or one .png of originals"
            " above and reconstructions below.",
        ),
    ],
    overwrite: Overwrite = False,
) -> None:
    """Write rows after their way through the code and back."""
    from narrows.cli import using

    using.reconstruct(model, data, out, overwrite=overwrite)


@app.command(rich_help_panel="Generate")
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
    from narrows.cli import generating

    generating.sample(
        model,
        n,
        out,
        prior=prior,
        temperature=temperature,
        y=y,
        random_state=random_state,
        overwrite=overwrite,
    )


@app.command(rich_help_panel="Generate")
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
    from narrows.cli import generating

    generating.interpolate(
        model, data, rows or ["0,1"], out, steps=steps, how=how, overwrite=overwrite
    )


@app.command(rich_help_panel="Generate")
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
    from narrows.cli import generating

    generating.traverse(
        model, data, row, dimensions, out, steps=steps, span=span, overwrite=overwrite
    )


@app.command(rich_help_panel="Look")
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
            help="The rows that the model was trained on, for probes to learn from.",
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
    from narrows.cli import evaluating

    evaluating.evaluate(
        model,
        data,
        evaluating.Labelled(labels, train, train_labels),
        out or [],
        overwrite=overwrite,
        seeds=seeds,
        samples=samples,
        prior=prior,
        importance_samples=importance_samples,
    )


@app.command(rich_help_panel="Look")
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
    from narrows.cli import explaining

    explaining.loadings(model, data, out, spots=spots, top=top, overwrite=overwrite)


@app.command(rich_help_panel="Look")
def info(model: Model) -> None:
    """Say what a model file holds."""
    from narrows.cli import using

    using.info(model)
