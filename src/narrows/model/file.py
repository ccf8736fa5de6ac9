"""Reads and writes a model: named tensors and one JSON text in a ``.safetensors`` file.

Nothing in such a file is ever run, and no class is looked up by a name in it. A SHA-256 over the
tensors and the text stands in the header beside them.

    metadata = {"format": "narrows", "version": "3", "config": JSON text, "sha256": hex}
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrows.common.atomic_files import replacing
from narrows.errors import (
    ChecksumMismatch,
    FileMissing,
    InconsistentModelFile,
    ModelFileError,
    NewerModelFile,
    NotAModelFile,
    TruncatedModelFile,
    no_such_file,
)

VERSION = 3
"""1 had no priors and no classes; it is still read."""


@dataclass(frozen=True)
class ModelState:
    """All that a model file holds.

    Attributes
    ----------
    config : dict
        What JSON can hold: parameters, names, sizes.
    tensors : dict of str to ndarray
        float32 or float64.
    """

    config: dict[str, Any]
    tensors: dict[str, NDArray[Any]]


def write_model(path: str | os.PathLike[str], content: ModelState) -> None:
    """Write a model file, or leave everything as it was.

    Raises
    ------
    OSError
        Where the file cannot be written; an earlier file of that name stands untouched.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    text = json.dumps(content.config, ensure_ascii=False, allow_nan=False, sort_keys=True)
    tensors = {name: np.asarray(tensor, order="C") for name, tensor in content.tensors.items()}
    metadata = {
        "format": "narrows",
        "version": str(VERSION),
        "config": text,
        "sha256": _checksum(str(VERSION), text, tensors),
    }
    with replacing(path) as temporary:
        try:
            save_file(tensors, temporary, metadata=metadata)
        except SafetensorError as error:
            # safetensors words an operating system's error as "… (os error 28)".
            found = re.search(r"os error (\d+)", str(error))
            number = int(found[1]) if found else errno.EIO
            raise OSError(number, os.strerror(number), os.fspath(path)) from error


def read_model(path: str | os.PathLike[str]) -> ModelState:
    """Read a model file, checking all that can be checked without building the model.

    Raises
    ------
    FileMissing
        Where there is no such file.
    OSError
        Where it cannot be opened.
    NotAModelFile, TruncatedModelFile, ChecksumMismatch, NewerModelFile, InconsistentModelFile
        All `ModelFileError`; each names the file, what is wrong and what to do.
    """
    if not Path(path).exists():
        raise FileMissing(no_such_file(path, "a model that `save` or `narrows fit` wrote"))
    Path(path).open("rb").close()  # an OSError of Python's own, in its own words
    try:
        metadata, tensors = _opened(path)
        text = metadata["config"]
        if metadata.get("sha256") != _checksum(metadata["version"], text, tensors):
            raise ChecksumMismatch(
                "its checksum does not fit its content, so it was damaged or changed after it was"
                " saved; copy it again, or save the model again"
            )
        for name, tensor in tensors.items():
            # A history may hold NaN: not every epoch is measured, and a loss may diverge.
            if not name.startswith("history.") and not np.isfinite(tensor).all():
                raise InconsistentModelFile(
                    f"its tensor {name!r} holds NaN or infinity; train the model again"
                )
        config = _parsed(text)
    except ModelFileError as error:
        raise type(error)(f"{os.fspath(path)}: {error}.") from error
    return ModelState(config, tensors)


def _parsed(text: str) -> dict[str, Any]:
    try:
        config = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InconsistentModelFile(
            "its configuration is not JSON; save the model again"
        ) from error
    if not isinstance(config, dict):
        raise InconsistentModelFile("its configuration is not an object; save it again")
    return config


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _opened(path: str | os.PathLike[str]) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            _check_format(metadata)
            names = list(file.keys())
            dtypes = {name: file.get_slice(name).get_dtype() for name in names}
            foreign = [name for name in names if dtypes[name] not in ("F32", "F64")]
            if foreign:
                raise InconsistentModelFile(
                    f"its tensor {foreign[0]!r} has dtype {dtypes[foreign[0]]}, but models hold"
                    " F32 and F64 alone; save the model again"
                )
            return metadata, {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        if _is_cut_short(Path(path)):
            raise TruncatedModelFile(
                "its length is not the one that its header states, so it was cut short or damaged;"
                " copy it again"
            ) from error
        raise NotAModelFile(
            f"not a model that narrows wrote ({error}); narrows opens the .safetensors files that"
            " `save` and `narrows fit` write, and never a pickle"
        ) from error


def _is_cut_short(path: Path) -> bool:
    """Tell whether a file begins as safetensors do, but has another length than it states.

    The format: eight bytes with the header's length, the header's JSON, the tensors' bytes.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if file.read(1) != b"{":
            return False
        if 8 + length > size:
            return True
        file.seek(8)
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for entry in header.values() if "dtype" in entry]
            return bool(8 + length + max(ends) != size)
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            return False


def _check_format(metadata: dict[str, str]) -> None:
    version = metadata.get("version", "")
    ours = metadata.get("format") == "narrows" and re.fullmatch("[1-9][0-9]{0,8}", version)
    if not ours or "config" not in metadata:
        raise NotAModelFile(
            "a safetensors file, but not one that narrows wrote; open it with the program that did"
        )
    if int(version) > VERSION:
        raise NewerModelFile(
            f"written in format {version}, while this narrows reads formats up to {VERSION};"
            " upgrade narrows to open it"
        )


def _checksum(version: str, text: str, tensors: Mapping[str, NDArray[Any]]) -> str:
    """Hash version and configuration, then each tensor by name, dtype, shape and bytes."""
    digest = hashlib.sha256(f"narrows {version}\n{text}".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()
