"""The verb ``size``: how many latent dimensions are needed, from one training."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import typer

from narrows.cli.actions.fit import learn
from narrows.cli.exit import INTERRUPTED, complain
from narrows.cli.model_files import kept_if_writing_fails, save
from narrows.cli.outputs import write_figure
from narrows.cli.print import say, say_columns
from narrows.common.atomic_files import replacing
from narrows.errors import ParameterError
from narrows.estimator import Autoencoder
from narrows.model.size_curve import SizeCurve
from narrows.sources.open import Table
from narrows.sources.write import write_table

ROWS_SHOWN = 12
"""Sizes that are printed."""
USUAL_FRACTION = 0.95
"""Part of the variance that the recommended size explains, unless another is asked for."""
_COLUMNS = ("n_components", "error", "pca_error", "explained", "pca_explained")


def size(ae: Autoencoder, data: str, fraction: float, out: str | None, model: str | None) -> None:
    """Train ordered codes, print the curve and a recommendation, write what was asked for.

    Parameters
    ----------
    ae : Autoencoder
        Not fitted, its parameters checked; ``n_components`` is the largest size or a fraction.
    data : str
    fraction : float
        Part of the variance that the recommended size explains.
    out : str or None
        Picture (.png) or numbers (.csv, .json) of the curve.
    model : str or None
        File for the model.

    Raises
    ------
    As ``fit``.
    """
    if ae.validation_fraction == 0:
        raise ParameterError(
            "Sizes are judged by held-out rows, and validation_fraction=0 leaves none; give a"
            " fraction above 0, or leave it out."
        )
    ae.set_params(ordered=True)
    interrupted, _ = learn(ae, data)
    written = [] if model is None else [save(ae, model)]
    curve = getattr(ae, "size_curve_", None)
    if curve is None:  # interrupted before anything was measured
        complain("Interrupted before errors were measured; there is no curve.")
        raise typer.Exit(INTERRUPTED)
    _print(curve, fraction, ae.model_.error_unit)
    if out is not None:
        with contextlib.nullcontext() if written else kept_if_writing_fails(ae, out):
            _write(curve, fraction, ae.model_.error_unit, Path(out))
        written.insert(0, Path(out))
    for path in written:
        say(f"wrote {path}")
    if interrupted:
        complain("Interrupted; the curve is that of the best state so far.")
        raise typer.Exit(INTERRUPTED)


def _print(curve: SizeCurve, fraction: float, unit: str) -> None:
    """Print some sizes of the curve, and the recommendation."""
    ours, pca = (curve.smallest(fraction, pca=pca) for pca in (False, True))
    last = len(curve.n_components) - 1
    shown = set(np.rint(np.geomspace(1, last + 1, ROWS_SHOWN)).astype(int) - 1)
    chosen = {int(np.searchsorted(curve.n_components, found)) for found in (ours, pca) if found}
    rows = [
        (
            f"{curve.n_components[place]:,}",
            f"{curve.error[place]:.5g}",
            f"{curve.pca_error[place]:.5g}",
            f"{100 * curve.explained[place]:.1f} %",
            f"{100 * curve.pca_explained[place]:.1f} %",
        )
        for place in sorted(shown | chosen)
    ]
    say_columns(("numbers", "error", "PCA's error", "explained", "by PCA"), rows)
    say(f"Errors are means over held-out rows, in {unit}.")
    say(_recommendation(curve, fraction, ours, pca))


def _recommendation(curve: SizeCurve, fraction: float, ours: int | None, pca: int | None) -> str:
    share, most = f"{100 * fraction:g} %", curve.n_components[-1]
    if ours is None:
        return (
            f"{most:,} numbers explain {100 * curve.explained[-1]:.1f} % of the variance, less than"
            f" {share}. Lower --explained, or raise --n-components."
        )
    needs = f"PCA needs {pca:,}" if pca is not None else f"PCA needs more than {most:,}"
    return (
        f"Recommended: --n-components {ours}, which explains {share} of the variance; {needs} for"
        " that."
    )


def _write(curve: SizeCurve, fraction: float, unit: str, target: Path) -> None:
    suffix = target.suffix.lower()
    columns = {name: getattr(curve, name) for name in _COLUMNS}
    if suffix == ".png":
        from narrows import figures

        found = {"narrows": curve.smallest(fraction), "PCA": curve.smallest(fraction, pca=True)}
        marks = {name: size for name, size in found.items() if size is not None}
        write_figure(target, figures.scree(curve, marks=marks, unit=unit))
    elif suffix == ".json":
        report = {
            "fraction": fraction,
            "recommended": curve.smallest(fraction),
            "recommended_pca": curve.smallest(fraction, pca=True),
            "curve": {name: values.tolist() for name, values in columns.items()},
        }
        with replacing(target) as temporary:
            temporary.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    else:
        write_table(target, Table(np.column_stack(list(columns.values())), None, _COLUMNS))
