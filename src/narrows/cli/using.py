"""The verbs that use a model: ``encode``, ``decode``, ``reconstruct``, ``info``."""

from __future__ import annotations

from pathlib import Path

from narrows.cli.ending import expected_failures
from narrows.cli.fitting import error_lines
from narrows.cli.outputs import (
    check_out,
    feature_names,
    picture_shape,
    rows_for,
    write_rows,
    write_sheet,
)
from narrows.cli.printing import in_bytes, say, say_pairs
from narrows.common.atomic_files import check_target
from narrows.common.text import count
from narrows.errors import DataError
from narrows.estimator import Autoencoder, load
from narrows.model.sampling import check_prior_name
from narrows.sources.open import DATA_SUFFIXES, Table, read_table
from narrows.sources.write import write_table


def open_model(model: str) -> Autoencoder:
    """Load a model file.

    Raises
    ------
    DataError
        Where it is a folder.
    FileMissing
        Where there is no such file.
    ModelFileError
        Where it is not a model, or is damaged.
    """
    if Path(model).is_dir():
        raise DataError(f"{model} is a folder; give the .safetensors file of a model.")
    return load(model)


def check_prior(ae: Autoencoder, prior: str, model: str) -> None:
    """Check that a model file knows a prior, since it holds no codes to fit another to.

    Raises
    ------
    ParameterError, DataError
    """
    check_prior_name(prior, more=("auto",))
    own = ae.model_.own_prior
    known = ("auto", *ae.priors_, *(() if own is None else (own.name,)))
    if prior not in known:
        raise DataError(
            f"{model} has no {prior!r} prior, and holds no codes to fit one to; it has"
            f" {', '.join(dict.fromkeys(known))}. Fit it with `narrows fit ... --prior {prior}`."
        )


def encode(model: str, data: str, out: str, *, overwrite: bool) -> None:
    """Write the codes of rows, one line or row each."""
    target = Path(out)
    check_target(target, DATA_SUFFIXES, overwrite=overwrite)
    ae, table = open_model(model), read_table(data)
    with expected_failures(data):
        codes = ae.transform(rows_for(ae, table))
    names = tuple(str(name) for name in ae.get_feature_names_out())
    write_table(target, Table(codes, table.row_names, names))
    say(f"wrote {count(len(codes), 'code')} of {codes.shape[1]} numbers to {target}")


def decode(model: str, codes: str, out: str, *, overwrite: bool) -> None:
    """Write the rows that codes decode to, as numbers or as pictures."""
    kind = check_out(out, overwrite=overwrite)
    ae, table = open_model(model), read_table(codes)
    if kind == "folder":
        picture_shape(ae)
    with expected_failures(codes):
        rows = ae.inverse_transform(table.values)
    write_rows(ae, rows, Path(out), pictures=kind == "folder", row_names=table.row_names)


def reconstruct(model: str, data: str, out: str, *, overwrite: bool) -> None:
    """Write rows after their way through the code, as numbers, pictures or one sheet."""
    kind, target = check_out(out, overwrite=overwrite, sheet=True), Path(out)
    ae = open_model(model)
    if kind != "file":
        picture_shape(ae)
    table = read_table(data)
    with expected_failures(data):
        if kind == "sheet":
            shown = write_sheet(target, ae, table)
            say(f"wrote {target}: {count(shown, 'original')} above, reconstructions below")
            return
        rows = ae.reconstruct(rows_for(ae, table))
    write_rows(ae, rows, target, pictures=kind == "folder", row_names=table.row_names)


def info(model: str) -> None:
    """Print what a model file holds."""
    ae = open_model(model)
    shape = " × ".join(str(n) for n in ae.sample_shape_)
    bounds = "none" if ae.bounds_ is None else f"{ae.bounds_[0]:g} to {ae.bounds_[1]:g}"
    n_parameters = sum(parameter.numel() for parameter in ae.network_.parameters())
    say_pairs(
        [
            ("features → code", f"{ae.n_features_in_:,} → {ae.n_components_}"),
            ("shape of a row", shape),
            ("names of columns", _some(feature_names(ae))),
            ("network", repr(ae.model_.architecture)),
            ("objective", repr(ae.model_.objective)),
            ("classes", _classes(ae)),
            ("priors", _priors(ae)),
            ("start", f"init={ae.init!r}, scaling={ae.scaling!r}"),
            ("bounds", bounds),
            ("parameters", f"{n_parameters:,}"),
            *error_lines(ae),
            ("steps", f"best {ae.best_step_:,} of {ae.n_steps_:,}"),
            ("trained on", f"{ae.pca_.n_samples_:,} rows, {ae.device_}, {ae.precision_}"),
            ("random_state", repr(ae.random_state)),
            ("file", in_bytes(Path(model).stat().st_size)),
        ],
        title=model,
    )


def _classes(ae: Autoencoder) -> str:
    return (
        "none" if (known := ae.model_.classes) is None else _some(tuple(map(str, known.tolist())))
    )


def _priors(ae: Autoencoder) -> str:
    """Name the priors that `sample` can draw from, as fitted to codes or trained with them."""
    own = ae.model_.own_prior
    fitted = f"{', '.join(ae.priors_) or 'none'} (fitted to codes)"
    return fitted if own is None else f"{own.name} (trained with the model); {fitted}"


def _some(names: tuple[str, ...] | None) -> str:
    if names is None:
        return "none"
    return ", ".join(names[:6]) + (f" … ({len(names):,} in all)" if len(names) > 6 else "")
