"""Read a recipe, run it, and draw its pictures.

torch is imported when a recipe runs: names and paths are checked before.
"""

from __future__ import annotations

import math
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from narrows.common.atomic_files import check_folder, replacing
from narrows.common.text import in_seconds
from narrows.errors import FileExists, ParameterError, near_miss
from narrows.recipes.pictures import Frames, Rows, corrupted, draw, file_name, watcher
from narrows.sources.mnist import load_mnist

if TYPE_CHECKING:
    from narrows.estimator import Autoencoder
    from narrows.model.fitted import HistoryRow
    from narrows.training.progress import Progress

Tell = Callable[[str], None]
IMPORTANCE_SAMPLES = 10
"""Codes for each test row that a log-likelihood is estimated with."""


@dataclass(frozen=True)
class Recipe:
    """A named job.

    Attributes
    ----------
    name, title, title_zh, summary : str
    data : dict of str to str
        ``train`` and ``test``, such as "mnist:train".
    arguments : dict
        Of `Autoencoder`, as TOML has them.
    pictures : tuple of dict
        What to draw, as `narrows.recipes.pictures` reads it.
    """

    name: str
    title: str
    title_zh: str
    summary: str
    data: dict[str, str]
    arguments: dict[str, Any]
    pictures: tuple[dict[str, Any], ...]

    @property
    def autoencoder(self) -> dict[str, Any]:
        """Arguments of `Autoencoder`, parts and tuples in place of tables and lists."""
        from narrows.model.parts import PARTS, from_json

        def argument(key: str, value: Any) -> Any:
            if value == "none":
                return None
            if key in PARTS and isinstance(value, dict):
                return from_json(key, value)
            return tuple(value) if isinstance(value, list) else value

        return {key: argument(key, value) for key, value in self.arguments.items()}


@dataclass(frozen=True)
class RecipeResult:
    """The result of a recipe.

    Attributes
    ----------
    autoencoder : Autoencoder
        Fitted.
    seconds : float
        Duration of `fit`, without the measurements between epochs.
    error, pca_error : float
        Mean squared error per pixel on the test rows, of the model and of PCA with codes of the
        same size, clipped if the recipe clips. For denoising: between clean rows and the
        reconstructions of noisy ones.
    costs : list of (float, float)
        For each epoch the loss on its last batch and the held-out error.
    files : list of Path
    """

    autoencoder: Autoencoder
    seconds: float
    error: float
    pca_error: float
    costs: list[tuple[float, float]]
    files: list[Path]


def recipe_names() -> list[str]:
    """Return the names of all recipes, in alphabetical order."""
    folder = resources.files("narrows.recipes")
    return sorted(Path(file.name).stem for file in folder.iterdir() if file.name.endswith(".toml"))


def read_recipe(name: str) -> Recipe:
    """Read a recipe by name.

    Raises
    ------
    ParameterError
        For an unknown name, with the nearest known one.
    """
    names = recipe_names()
    if name not in names:
        raise ParameterError(
            f"There is no recipe {name!r}; there are {', '.join(names)}.{near_miss(name, names)}"
        )
    text = (resources.files("narrows.recipes") / f"{name}.toml").read_text("utf-8")
    content = tomllib.loads(text)
    arguments = {"random_state": 0, **content.pop("autoencoder")}
    content |= {"summary": content["summary"].strip(), "pictures": tuple(content["pictures"])}
    return Recipe(name=name, arguments=arguments, **content)


def load_part(data: str) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Load rows and labels named as "mnist:train" or "mnist:test"."""
    return load_mnist(data.removeprefix("mnist:"), return_X_y=True)


@dataclass
class _EpochTeller:
    """Print the loss and the held-out error after each epoch, and measure its own time."""

    tell: Tell
    units: dict[str, str]
    cleans: bool
    X_test: NDArray[np.float32] | None
    costs: list[tuple[float, float]] = field(default_factory=list)
    seconds: float = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.run > 1 or progress.epoch == len(self.costs):
            return
        started = time.perf_counter()
        row = progress.history[-1]
        # Held-out rows have no noise, so their error says little about denoising.
        error = math.nan if self.cleans else row["validation_error"]
        if self.X_test is not None:
            error = float(np.square(progress.model.reconstruct(self.X_test) - self.X_test).mean())
        cost = row["last_loss"]
        self.costs.append((cost, error))
        self.tell(f"Epoch: {progress.epoch:04d} {self._words(row, error)}")
        self.seconds += time.perf_counter() - started

    def _words(self, row: HistoryRow, error: float) -> str:
        """Return the loss, or the mean of each of its terms, and the held-out error."""
        from narrows.objectives.shared.terms import is_plain, term_words

        if is_plain(row, self.units):
            held_out = "" if math.isnan(error) else f" held-out= {error:.9f}"
            return f"cost= {row['last_loss']:.9f}{held_out}"
        held_out = "" if math.isnan(error) else f"; held-out squared error {error:.6f}"
        return term_words(row, self.units) + held_out


def run_recipe(
    name: str,
    out: Path,
    *,
    live: bool = False,
    overwrite: bool = False,
    tell: Tell = print,
    **changes: Any,
) -> RecipeResult:
    """Train as a recipe says, and write the model and the pictures to a folder.

    Parameters
    ----------
    name : str
    out : Path
        Folder; made if it does not exist.
    live : bool, default=False
        Show reconstructions in a window during training, if the recipe has such a picture;
        otherwise they become an animated GIF.
    overwrite : bool, default=False
        Whether files of an earlier run may be replaced.
    tell : callable, default=print
        Called with each line of the report.
    **changes
        Arguments of `Autoencoder` that replace those of the recipe.

    Raises
    ------
    ParameterError
        For an unknown name.
    FileExists
        Where a file exists and ``overwrite`` is false; nothing is trained then.
    """
    recipe = read_recipe(name)
    model_file = out / f"{name}.safetensors"
    names = [file_name(name, picture, live) for picture in recipe.pictures]
    files = [model_file, *(out / file for file in names if file is not None)]
    refuse_existing(files, overwrite=overwrite)
    out.mkdir(parents=True, exist_ok=True)
    check_folder(out)
    tell(recipe.title)
    rows = {part: load_part(recipe.data[part]) for part in ("train", "test")}
    watching = [watcher(picture, rows, live=live) for picture in recipe.pictures]
    watchers = [one for one in watching if one is not None]
    ae, seconds, costs = _trained({**recipe.autoencoder, **changes}, rows, watchers, tell)
    for prior in (picture["prior"] for picture in recipe.pictures if "prior" in picture):
        ae.fit_prior(prior)
    ae.save(model_file)
    error, pca_error = _measured(ae, rows["test"][0], seconds, tell)
    for picture, drawn, seen in zip(recipe.pictures, names, watching, strict=True):
        if drawn is not None:
            with replacing(out / drawn) as temporary:
                temporary.write_bytes(draw(picture, ae, rows, seen))
    for file in files:
        tell(f"wrote {file}")
    return RecipeResult(ae, seconds, error, pca_error, costs, files)


def _trained(
    arguments: dict[str, Any], rows: Rows, watchers: Sequence[Frames], tell: Tell
) -> tuple[Autoencoder, float, list[tuple[float, float]]]:
    """Return the trained model, seconds of training, and loss and error of each epoch."""
    from narrows.estimator import Autoencoder
    from narrows.model.parts import named_part

    # If no training rows are held out, the test rows give the error after each epoch.
    nothing_held_out = arguments.get("validation_fraction", "auto") == 0
    objective = named_part("objective", arguments.get("objective", "reconstruction"))
    cleans = objective.needs.corrupts
    X_test = rows["test"][0] if nothing_held_out else None
    teller = _EpochTeller(tell, objective.units, cleans, X_test)
    ae = Autoencoder(**arguments, callbacks=(*watchers, teller))
    started = time.perf_counter()
    ae.fit(*rows["train"])
    seconds = time.perf_counter() - started - teller.seconds
    tell("Optimization Finished!")
    return ae, seconds, teller.costs


def _measured(
    ae: Autoencoder, X: NDArray[np.float32], seconds: float, tell: Tell
) -> tuple[float, float]:
    """Print and return our error and PCA's on test rows, and print the log-likelihood."""
    from narrows.evaluation.scorecard import evaluate
    from narrows.evaluation.views import pca_inference

    noisy, before = corrupted(ae, X), ""
    report = evaluate(ae, X, importance_samples=IMPORTANCE_SAMPLES)
    error, pca_error = report.error, report.pca_error
    if noisy is not X:
        found = (noisy, ae.reconstruct(noisy), pca_inference(ae).reconstruct(noisy))
        noise, error, pca_error = (float(np.square(rows - X).mean()) for rows in found)
        before = f" of noisy digits ({noise:.6f} before)"
    tell(
        f"test error{before} {error:.6f}, PCA's {pca_error:.6f} with as many numbers,"
        f" {in_seconds(seconds)}"
    )
    if report.density is not None:
        for name, value in report.density.lines():
            tell(f"{name}: {value}")
    return error, pca_error


def refuse_existing(files: Sequence[Path], *, overwrite: bool) -> None:
    """Check that no result would replace a file, unless that is allowed.

    Raises
    ------
    FileExists
    """
    standing = [str(file) for file in files if file.exists()]
    if standing and not overwrite:
        raise FileExists(
            f"{', '.join(standing)} would be overwritten; choose another folder, or allow it"
            " with --overwrite (overwrite=True)."
        )
