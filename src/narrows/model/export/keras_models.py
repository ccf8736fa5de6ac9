"""One ``.keras`` file: encoder, decoder and both as one, of layers that Keras has.

It loads in safe mode on every backend of Keras.

Legend: B batch; other letters as in the operation.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from narrows.common.threads import without_warnings
from narrows.model.export.check import Floats, Function
from narrows.model.export.graph import Graph, Operation, Value
from narrows.model.export.job import Job
from narrows.model.export.parts import parts_of, traced
from narrows.model.export.read_trace import graph_of

SUFFIX: str | None = ".keras"
"""Of the one file."""
NEEDS: tuple[str, ...] = ("keras",)


def write(job: Job, file: Path) -> None:
    """Write the file, read it again, and compare it with the model."""
    parts = parts_of(job.model)
    keras = _keras()
    graphs = {part.name: graph_of(traced(part, job.model)) for part in parts[:2]}
    with without_warnings(DeprecationWarning):  # of NumPy, about what Keras does on torch
        encoder, decoder = (_built(keras, graph, name) for name, graph in graphs.items())
        rows = keras.Input(encoder.input_shape[1:], name="rows")
        keras.Model(rows, decoder(encoder(rows)), name="autoencoder").save(file)
        read = keras.models.load_model(file, compile=False)
        for part in parts:
            found = read if part.name == "reconstruct" else read.get_layer(part.name)
            job.check.compare(part.name, _as_function(keras, found), part.shape)


def _keras() -> Any:
    """Import Keras: on its own choice of a backend, but on torch where TensorFlow is missing."""
    if "KERAS_BACKEND" not in os.environ and find_spec("tensorflow") is None:
        os.environ["KERAS_BACKEND"] = "torch"
    import keras

    return keras


def _as_function(keras: Any, module: Any) -> Function:
    def run(batch: Floats) -> Floats:
        found: Floats = np.asarray(keras.ops.convert_to_numpy(module(batch, training=False)))
        return found

    return run


def _built(keras: Any, graph: Graph, name: str) -> Any:
    """Return a functional model of Keras that computes a graph."""
    entered = keras.Input(graph.shape[1:], name=graph.entered, dtype="float32")
    results: dict[str, Any] = {graph.entered: entered}
    builder = _Builder(keras, graph)
    for operation in graph.operations:
        given = [results.get(value.name, value) for value in operation.takes]
        results[operation.name] = builder.add(operation, given)
    made = keras.Model(entered, results[graph.result], name=name)
    for layer, weights in builder.weights:
        layer.set_weights(weights)
    return made


class _Builder:
    """Turns operations into layers and operations of Keras."""

    def __init__(self, keras: Any, graph: Graph) -> None:
        self._keras, self._ops, self._graph = keras, keras.ops, graph
        self.weights: list[tuple[Any, list[Any]]] = []

    def add(self, operation: Operation, given: list[Any]) -> Any:
        """Return the result of an operation, symbolic."""
        if operation.kind in ("linear", "convolution"):
            return getattr(self, f"_{operation.kind}")(operation, *given)
        values = [_array(each) if isinstance(each, Value) else each for each in given]
        return _RULES[operation.kind](self._ops, operation, *values)

    def _weight(self, value: Value | None) -> tuple[Any, bool]:
        """Return the numbers of a weight, and whether it is trained."""
        if value is None:
            return None, True
        if value.constant is None:
            return self._graph.weights[value.name], True
        return value.constant, False

    def _linear(self, operation: Operation, x: Any, weight: Value, bias: Any = None) -> Any:
        matrix, is_trained = self._weight(weight)
        shift, shift_is_trained = self._weight(bias)
        together = bias is not None and shift_is_trained == is_trained
        layer = self._keras.layers.Dense(
            len(matrix), use_bias=together, trainable=is_trained, name=_name(operation)
        )
        found = layer(x)
        self.weights.append((layer, [matrix.T, shift] if together else [matrix.T]))
        return found if bias is None or together else self._ops.add(found, shift)

    def _convolution(self, operation: Operation, x: Any, weight: Value, bias: Any = None) -> Any:
        kernel, is_trained = self._weight(weight)
        shift, _ = self._weight(bias)
        options = operation.options
        layers, groups = self._keras.layers, options["groups"]
        across = {
            "kernel_size": kernel.shape[2:],
            "strides": options["stride"],
            "data_format": "channels_last",
            "use_bias": bias is not None,
            "trainable": is_trained,
            "name": _name(operation),
        }
        high, wide = options["padding"]
        x = self._ops.transpose(x, (0, 2, 3, 1))
        x = self._ops.pad(x, [(0, 0), (high, high), (wide, wide), (0, 0)])
        if groups == len(kernel) == x.shape[-1]:
            layer = layers.DepthwiseConv2D(**across)
            kernel = kernel.transpose(2, 3, 0, 1)
        else:
            layer = layers.Conv2D(len(kernel), groups=groups, **across)
            kernel = kernel.transpose(2, 3, 1, 0)
        found = self._ops.transpose(layer(x), (0, 3, 1, 2))
        self.weights.append((layer, [kernel] if bias is None else [kernel, shift]))
        return found


def _name(operation: Operation) -> str:
    return operation.name.replace(".", "_")


def _array(value: Value) -> Any:
    """Return a constant as Keras keeps it in a file: an array of 32 bits, or a number."""
    constant = np.asarray(value.constant)
    if constant.dtype == np.int64:
        constant = constant.astype(np.int32)
    return constant if constant.ndim else constant.item()


def _plain(name: str) -> Callable[..., Any]:
    def rule(ops: Any, operation: Operation, *values: Any) -> Any:
        return getattr(ops, name)(*values)

    return rule


def _along(name: str) -> Callable[..., Any]:
    def rule(ops: Any, operation: Operation, x: Any) -> Any:
        options = operation.options
        return getattr(ops, name)(x, axis=options["axis"], keepdims=options["keep"])

    return rule


def _compare(name: str) -> Callable[..., Any]:
    """Give 0 or 1, which further operations take for numbers."""

    def rule(ops: Any, operation: Operation, *values: Any) -> Any:
        return ops.cast(getattr(ops, name)(*values), "int32")

    return rule


def _clip(ops: Any, operation: Operation, x: Any) -> Any:
    low, high = operation.options["low"], operation.options["high"]
    x = x if low is None else ops.maximum(x, low)
    return x if high is None else ops.minimum(x, high)


def _slice(ops: Any, operation: Operation, x: Any) -> Any:
    options = operation.options
    places = np.arange(options["start"], options["stop"], dtype=np.int32)
    return ops.take(x, places, axis=options["axis"])


def _pad(ops: Any, operation: Operation, x: Any) -> Any:
    options = operation.options
    return ops.pad(x, list(zip(options["before"], options["after"], strict=True)))


def _scatter(ops: Any, operation: Operation, places: Any, values: Any) -> Any:
    marked = ops.one_hot(places, operation.options["size"], dtype="float32")
    return ops.sum(ops.multiply(marked, ops.expand_dims(values, -1)), axis=1)


_RULES: dict[str, Callable[..., Any]] = {
    **{
        kind: _plain(kind)
        for kind in (
            "add",
            "subtract",
            "multiply",
            "divide",
            "relu",
            "silu",
            "tanh",
            "sigmoid",
            "absolute",
            "square",
            "sqrt",
        )
    },
    "less": _compare("less"),
    "not_equal": _compare("not_equal"),
    "gelu": lambda ops, operation, x: ops.gelu(x, approximate=operation.options["approximate"]),
    "mean": _along("mean"),
    "maximum_of": _along("max"),
    "clip": _clip,
    "reshape": lambda ops, operation, x: ops.reshape(x, operation.options["shape"]),
    "transpose": lambda ops, operation, x: ops.transpose(x, operation.options["axes"]),
    "pad": _pad,
    "slice": _slice,
    "concatenate": lambda ops, operation, *x: ops.concatenate(x, axis=operation.options["axis"]),
    "argmin": lambda ops, operation, x: ops.argmin(x, axis=operation.options["axis"]),
    "largest": lambda ops, operation, x: ops.top_k(x, operation.options["count"])[1],
    "gather": lambda ops, operation, x, places: ops.take_along_axis(x, places, axis=-1),
    "scatter": _scatter,
    "look_up": lambda ops, operation, table, places: ops.take(table, places, axis=0),
    "cast": lambda ops, operation, x: ops.cast(
        x, {"float": "float32", "integer": "int32"}[operation.options["to"]]
    ),
}
