"""Bad model files, made from a good one.

`DAMAGED` turns the bytes of a good file into those of a bad one, as an accident or a stranger
would. `FORGED` changes what a file says and gives it a correct checksum, as an enemy would.
`forged_fields` does so with every field of every part of a file.
"""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from narrows.model import file
from narrows.model.file import ModelState, read_model, write_model

Change = Callable[[dict[str, Any], dict[str, Any]], None]
"""Forges the configuration and the tensors of a file, in place."""


def header_length(content: bytes) -> int:
    """Return the length of a file's header, which its first eight bytes state."""
    return struct.unpack("<Q", content[:8])[0]


def with_header_length(content: bytes, length: int) -> bytes:
    return struct.pack("<Q", length) + content[8:]


def with_metadata(content: bytes, change: Callable[[dict[str, str]], None]) -> bytes:
    """Change the metadata alone, and nothing that a checksum covers."""
    length = header_length(content)
    header = json.loads(content[8 : 8 + length])
    change(header["__metadata__"])
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


class Bomb:
    """Raises when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pickled_code_was_run, ())


def pickled_code_was_run() -> None:
    raise AssertionError("a pickle was opened")


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "a byte": lambda content: b"{",
    "header alone": lambda content: content[: 8 + header_length(content)],
    "text": lambda content: b"just words, \n and more words\n" * 50,
    "JSON": lambda content: b'{"format": "narrows"}',
    "pickle": lambda content: pickle.dumps({"weights": np.zeros(9), "bomb": Bomb()}),
    "zip": lambda content: b"PK\x03\x04" + content,
    "zeros": lambda content: bytes(len(content)),
    "header of eight exabytes": lambda content: with_header_length(content, (1 << 63) - 1),
    "header of all bits": lambda content: with_header_length(content, (1 << 64) - 1),
    "header of 200 MB": lambda content: with_header_length(content, 200_000_000),
    "header past the end": lambda content: with_header_length(content, len(content)),
    "no header": lambda content: with_header_length(content, 0),
    "twice": lambda content: content + content,
    "a byte more": lambda content: content + b"\0",
    "another program's": lambda content: save({"w": np.zeros(3, dtype=np.float32)}),
    "another format": lambda content: with_metadata(content, lambda m: m.update(format="other")),
    "version 4": lambda content: with_metadata(content, lambda m: m.update(version="4")),
    "version 0": lambda content: with_metadata(content, lambda m: m.update(version="0")),
    "version of words": lambda content: with_metadata(content, lambda m: m.update(version="one")),
    "version of many digits": lambda content: with_metadata(
        content, lambda m: m.update(version="9" * 10_000)
    ),
    "no version": lambda content: with_metadata(content, lambda m: m.pop("version")),
    "no configuration": lambda content: with_metadata(content, lambda m: m.pop("config")),
    "no checksum": lambda content: with_metadata(content, lambda m: m.pop("sha256")),
    "another configuration": lambda content: with_metadata(
        content, lambda m: m.update(config=m["config"].replace('"n_components": 2', "7"))
    ),
}


def forged(path: Path, change: Change) -> None:
    """Let ``change`` work on configuration and tensors of a file, and sign the result."""
    state = read_model(path)
    config, tensors = state.config, dict(state.tensors)
    change(config, tensors)
    write_model(path, ModelState(config, tensors))


def forged_text(path: Path, text: str, monkeypatch: Any) -> None:
    """Put any text where the configuration's JSON should be, and sign the result."""
    state = read_model(path)
    with monkeypatch.context() as patch:
        patch.setattr(file.json, "dumps", lambda *args, **kwargs: text)
        write_model(path, state)


def _drop(name: str) -> Change:
    return lambda config, tensors: tensors.pop(name)


def _reshape(name: str) -> Change:
    """Give a tensor one row more."""

    def change(config: dict[str, Any], tensors: dict[str, Any]) -> None:
        old = np.atleast_1d(tensors[name])
        tensors[name] = np.concatenate([old, old[:1]])

    return change


def _poison(name: str, value: float) -> Change:
    def change(config: dict[str, Any], tensors: dict[str, Any]) -> None:
        tensors[name] = tensors[name].copy()
        tensors[name].flat[0] = value

    return change


def _say(**changes: Any) -> Change:
    return lambda config, tensors: config.update(changes)


def _say_of(part: str, **changes: Any) -> Change:
    return lambda config, tensors: config[part].update(changes)


def _add(name: str, tensor: Any) -> Change:
    return lambda config, tensors: tensors.update({name: tensor})


WEIGHT = "network.encoder.inner.0.weight"

FORGED: dict[str, Change] = {
    "a tensor of the network missing": _drop(WEIGHT),
    "a tensor of the PCA missing": _drop("pca.mean_"),
    "a column of the history missing": _drop("history.loss"),
    "an extra tensor in the network": _add("network.encoder.extra", np.zeros(3)),
    "an extra tensor beside it": _add("rows", np.zeros((9, 6))),
    "a weight of another shape": _reshape(WEIGHT),
    "a linear path of another shape": _reshape("network.encoder.weight"),
    "a scaling of another width": _reshape("network.scaling.shift"),
    "a PCA of another width": _reshape("pca.mean_"),
    "a PCA of another size": _reshape("pca.components_"),
    "a history of two lengths": _reshape("history.loss"),
    "trust of another size": _reshape("trust.means"),
    "trust without quantiles": _add("trust.of_rows", np.zeros(0)),
    "trust without spread": _poison("trust.variances", 0.0),
    "a NaN weight": _poison(WEIGHT, np.nan),
    "an infinite weight": _poison(WEIGHT, np.inf),
    "a NaN mean": _poison("pca.mean_", np.nan),
    "an integer tensor": _add("network.encoder.weight", np.zeros((2, 6), dtype=np.int64)),
    "enormous hidden widths": _say_of("network", hidden=[10**12, 10**12]),
    "wide hidden layers": _say_of("network", hidden=[100_000]),
    "a million hidden layers": _say_of("network", hidden=[1] * 1_000_000),
    "negative hidden widths": _say_of("network", hidden=[-4]),
    "hidden widths in words": _say_of("network", hidden="auto"),
    "enormous data": _say(n_features_in_=10**15),
    "data of negative width": _say(n_features_in_=-6),
    "data of another width": _say(n_features_in_=7),
    "an enormous code": _say(n_components_=10**15),
    "a code of another size": _say(n_components_=3),
    "a code of half a number": _say(n_components_=1.5),
    "a width in words": _say(n_features_in_="6"),
    "an unknown network": _say_of("network", name="os.system"),
    "an unknown objective": _say(objective={"name": "builtins.eval"}),
    "an unknown field": _say_of("network", depth=3),
    "an unknown parameter": _say_of("params", exec="rm -rf /"),
    "a parameter outside its limit": _say_of("params", n_components=-1),
    "a private parameter": _say_of("params", network__hidden__x=1),
    "parameters as a list": _say(params=[]),
    "a network as a list": _say(network=[]),
    "a network as null": _say(network=None),
    "an error beyond all numbers": _say(validation_error_=10**400),
    "an error in words": _say(validation_error_="small"),
    "a sample shape that does not fit": _say(sample_shape=[5, 5]),
    "a sample shape in words": _say(sample_shape=["a", "b"]),
    "bounds in words": _say(bounds=["low", "high"]),
    "bounds upside down": _say(bounds=[1.0, 0.0]),
    "too few feature names": _say(feature_names=["a"]),
    "feature names as a number": _say(feature_names=6),
    "history columns as a number": _say(history_columns=6),
    "number of samples in words": _say(n_samples="many"),
    "no parameters": lambda config, tensors: config.pop("params"),
    "no sample shape": lambda config, tensors: config.pop("sample_shape"),
    "no tensors": lambda config, tensors: tensors.clear(),
}

TEXTS = {
    "no JSON": "params = exec('rm -rf /')",
    "half a JSON": '{"params": {',
    "a list": "[]",
    "null": "null",
    "a number": "3",
    "nothing": "",
    "deep nesting": "[" * 200_000,
    "NaN": '{"params": NaN}',
}


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, framework="numpy") as file:
        return file.metadata()


# ---------------------------------------------------------------- every field of every part

GIANT = (1 << 24, 1 << 31, 10**12, 10**30)
WRONG: tuple[Any, ...] = (
    *GIANT[2:],
    -1,
    -(10**12),
    0.5,
    1e308,
    True,
    None,
    "",
    "words",
    [],
    [0],
    [-3],
    [10**12],
    [1] * 100_000,
    ["a"],
    [[1]],
    {},
)
"""Values for a field: too large, negative, or of a wrong type. Some fields allow some of them."""
SIZES = (
    "n_features_in_",
    "n_components_",
    "code_size",
    "axes",
    "cells",
    "classes",
    "n_samples",
    "sample_shape",
    "priors",
    "prior_seed",
    "ordered",
    "size_curve",
    "history_columns",
    "feature_names",
    "bounds",
)
"""Entries of the configuration that say how large the parts of a model are."""


def forged_fields(config: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Change]:
    """Return attacks on one file by name: each size, field and tensor with each bad value.

    The parts are those that the file holds: its network, its family, its priors.
    """
    found: dict[str, Change] = {}
    for name in SIZES:
        for value in (*GIANT, *WRONG):
            found[f"{name} = {_short(value)}"] = _say(**{name: value})
    for part in ("network", "objective"):
        for field in config[part]:
            for value in (*GIANT, *([width] for width in GIANT), *WRONG):
                found[f"{part}.{field} = {_short(value)}"] = _say_of(part, **{field: value})
    for name, tensor in tensors.items():
        if not name.startswith("history."):
            found[f"{name} with a row more"] = _reshape(name)
            found[f"{name} empty"] = _add(name, np.zeros(0, dtype=tensor.dtype))
            found[f"{name} flat and long"] = _add(name, np.zeros(50_000, dtype=tensor.dtype))
            found[f"{name} missing"] = _drop(name)
    return found


def _short(value: Any) -> str:
    words = repr(value)
    return words if len(words) < 40 else f"{words[:20]}… ({len(words)} characters)"


def wide_and_shallow(config: dict[str, Any], tensors: dict[str, Any]) -> None:
    """Make a code so wide that the tensors of a small network for it fit a file of 1 MB.

    What a family adds for such a code, or a linear path beside it, may be far larger.
    """
    size = 30_000
    config.update(n_components_=size, code_size=size)
    config["network"]["hidden"] = [1]
    tensors["network.encoder.wide"] = np.zeros(4 * size, dtype=np.float32)
