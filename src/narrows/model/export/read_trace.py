"""Reading a part from torch's trace of it, so that a family or a network need not know of exports.

A trace that holds an operation without a counterpart in `narrows.model.export.graph` is refused by
the name of that operation.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Node

from narrows.errors import ExportError
from narrows.model.export.graph import ANY, KINDS, Graph, Operation, Value

_Node = Any
"""A node of a trace; torch gives its arguments no types."""
_Translated = tuple[str, Sequence[Any], dict[str, Any]]
"""Kind, what is taken (nodes, tensors or numbers), and options."""
_Rule = Callable[..., _Translated]


def graph_of(program: ExportedProgram) -> Graph:
    """Return the operations of a traced part.

    Raises
    ------
    ExportError
        For an operation that is not one of `KINDS`.
    """
    return _Reader(program).read()


class _Reader:
    """Reads a trace node by node."""

    def __init__(self, program: ExportedProgram) -> None:
        self._program = program
        self._known: dict[str, Value] = {}
        self._operations: list[Operation] = []
        self._weights: dict[str, NDArray[Any]] = {}

    def read(self) -> Graph:
        signature = self._program.graph_signature
        held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        constants = signature.inputs_to_lifted_tensor_constants
        entered: Node | None = None
        result = ""
        for node in self._program.graph.nodes:
            if node.op == "placeholder":
                if node.name in constants:
                    constant = self._program.constants[constants[node.name]]
                    self._known[node.name] = _constant(constant)
                elif node.name in held:
                    self._hold(node.name, self._tensor(held[node.name]))
                else:
                    entered = node
                    self._known[node.name] = Value(node.name)
            elif node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                result = self._value(node.args[0][0]).name
        assert entered is not None, "a part takes one input"
        shape = _shape(entered)
        return Graph(entered.name, shape, result, tuple(self._operations), self._weights)

    def _tensor(self, name: str) -> Tensor:
        state: Any = self._program.state_dict
        found: Tensor = state[name] if name in state else self._program.constants[name]
        return found

    def _hold(self, name: str, tensor: Tensor) -> None:
        if isinstance(tensor, torch.nn.Parameter) and tensor.requires_grad:
            self._weights[name] = tensor.detach().numpy()
            self._known[name] = Value(name)
        else:
            self._known[name] = _constant(tensor)

    def _value(self, given: Any) -> Value:
        if isinstance(given, Node):
            if given.name not in self._known:
                raise _no_counterpart(given)
            return self._known[given.name]
        return given if isinstance(given, Value) else _constant(given)

    def _call(self, node: _Node) -> None:
        target = node.target
        name = getattr(target, "__name__", str(target)).partition(".")[0]
        if target is operator.getitem:
            part = f"{node.args[0].name}[{node.args[1]}]"
            if part not in self._known:
                raise _no_counterpart(node.args[0])
            self._known[node.name] = self._known[part]
            return
        if name in _PASSED_ON or (name == "slice" and _is_whole(node)):
            self._known[node.name] = self._known[node.args[0].name]
            return
        if not isinstance(node.meta.get("val"), (Tensor, tuple, list)):
            return  # a size of the batch, which shapes say
        if self._is_constant(node):
            self._known[node.name] = self._folded(node)
            return
        if name in _MANY:
            for suffix, kind, takes, options, shape in _MANY[name](node):
                self._add(f"{node.name}{suffix}", kind, takes, options, shape)
            return
        if name == "zeros_like":
            return  # what `scatter` begins with
        if name not in _RULES:
            raise _no_counterpart(node)
        translated = _RULES[name](node, *node.args, **node.kwargs)
        self._add(node.name, *translated, _shape(node))

    def _is_constant(self, node: Node) -> bool:
        taken = [self._known.get(each.name, Value()) for each in node.all_input_nodes]
        return all(value.constant is not None for value in taken)

    def _folded(self, node: _Node) -> Value:
        """Compute what depends on constants alone."""

        def tensor(argument: Any) -> Any:
            constant = self._known[argument.name].constant
            return torch.from_numpy(np.array(constant))

        args = torch.fx.node.map_arg(node.args, tensor)
        kwargs = torch.fx.node.map_arg(node.kwargs, tensor)
        return _constant(node.target(*args, **kwargs))

    def _add(
        self,
        name: str,
        kind: str,
        takes: Sequence[Any],
        options: dict[str, Any],
        shape: tuple[int, ...],
    ) -> None:
        assert kind in KINDS, kind
        values = tuple(self._value(given) for given in takes)
        self._operations.append(Operation(kind, name, values, options, shape))
        self._known[name] = Value(name)


# ---------------------------------------------------------------- from torch's operations


def _no_counterpart(node: _Node, why: str = "") -> ExportError:
    return ExportError(
        f"The operation {node.target} of a network or family of your own{why} has no counterpart in"
        " this format. Use to='onnx' or to='torch', or build it of other operations."
    )


def _constant(given: Any) -> Value:
    """Return a constant in float32 or int64, as the trace computes with it."""
    array = given.detach().numpy() if isinstance(given, Tensor) else np.asarray(given)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    return Value(constant=array)


def _shape(node: _Node) -> tuple[int, ...]:
    return _shape_of(node.meta["val"])


def _shape_of(tensor: Tensor) -> tuple[int, ...]:
    """Return a shape, with `ANY` for the axis that grows with the batch."""
    return tuple(size if isinstance(size, int) else ANY for size in tensor.shape)


def _axis(node: _Node, axis: int) -> int:
    """Return an axis counted from the first."""
    return axis % len(_shape(node))


def _same(kind: str) -> _Rule:
    def rule(node: _Node, *takes: Any) -> _Translated:
        return kind, takes, {}

    return rule


def _add(node: _Node, x: Any, y: Any, alpha: Any = 1) -> _Translated:
    if alpha != 1:
        raise _no_counterpart(node, f" with alpha={alpha}")
    return "add", [x, y], {}


def _gelu(node: _Node, x: Any, approximate: str = "none") -> _Translated:
    return "gelu", [x], {"approximate": approximate != "none"}


def _linear(node: _Node, x: Any, weight: Any, bias: Any = None) -> _Translated:
    return "linear", [x, weight] if bias is None else [x, weight, bias], {}


def _convolution(
    node: _Node,
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,
) -> _Translated:
    if isinstance(padding, str) or set(dilation) != {1}:
        raise _no_counterpart(node, " with dilation, or padding by name,")
    takes = [x, weight] if bias is None else [x, weight, bias]
    options = {"stride": list(stride), "padding": list(padding), "groups": groups}
    return "convolution", takes, options


def _mean(node: _Node, x: _Node, dim: Any, keepdim: bool = False, **_: Any) -> _Translated:
    return "mean", [x], {"axis": _axis(x, dim[0]), "keep": keepdim}


def _largest_of(node: _Node, x: _Node, dim: Any, keepdim: bool = False) -> _Translated:
    (axis,) = dim if isinstance(dim, (list, tuple)) else [dim]
    return "maximum_of", [x], {"axis": _axis(x, axis), "keep": keepdim}


def _clip(node: _Node, x: Any, low: Any = None, high: Any = None, **given: Any) -> _Translated:
    return "clip", [x], {"low": given.get("min", low), "high": given.get("max", high)}


def _reshape(node: _Node, x: Any, *_: Any, **__: Any) -> _Translated:
    return "reshape", [x], {"shape": list(_shape(node))}


def _permute(node: _Node, x: Any, axes: Sequence[int]) -> _Translated:
    return "transpose", [x], {"axes": [axis % len(axes) for axis in axes]}


def _transpose(node: _Node, x: _Node, one: int, other: int) -> _Translated:
    axes = list(range(len(_shape(x))))
    one, other = _axis(x, one), _axis(x, other)
    axes[one], axes[other] = axes[other], axes[one]
    return "transpose", [x], {"axes": axes}


def _pad(
    node: _Node, x: _Node, widths: Sequence[int], mode: str = "constant", value: Any = None
) -> _Translated:
    if mode != "constant" or value not in (None, 0):
        raise _no_counterpart(node, f" of mode {mode!r}")
    n_axes = len(_shape(x))
    pairs = list(zip(widths[::2], widths[1::2], strict=True))
    pairs = [(0, 0)] * (n_axes - len(pairs)) + pairs[::-1]
    return "pad", [x], {"before": [b for b, _ in pairs], "after": [a for _, a in pairs]}


def _slice(
    node: _Node, x: _Node, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> _Translated:
    axis = _axis(x, dim)
    size = _shape(x)[axis]
    if step != 1 or size == ANY:
        raise _no_counterpart(node, " of the batch, or by steps,")
    first, last, _ = slice(start, end).indices(size)
    return "slice", [x], {"axis": axis, "start": first, "stop": last}


def _concatenate(node: _Node, parts: Sequence[Any], dim: int = 0) -> _Translated:
    return "concatenate", parts, {"axis": _axis(node, dim)}


def _argmin(node: _Node, x: _Node, dim: int, keepdim: bool = False) -> _Translated:
    if keepdim:
        raise _no_counterpart(node, " with keepdim")
    return "argmin", [x], {"axis": _axis(x, dim)}


def _gather(node: _Node, x: Any, dim: int, places: Any) -> _Translated:
    if _axis(x, dim) != len(_shape(x)) - 1:
        raise _no_counterpart(node, " along another axis than the last")
    return "gather", [x, places], {}


def _scatter(node: _Node, zeros: _Node, dim: int, places: Any, values: Any) -> _Translated:
    if getattr(zeros.target, "__name__", "").partition(".")[0] != "zeros_like" or dim != 1:
        raise _no_counterpart(node, " into anything but rows of zeros")
    return "scatter", [places, values], {"size": _shape(node)[-1]}


def _look_up(node: _Node, table: Any, places: Sequence[Any]) -> _Translated:
    given = [place for place in places if place is not None]
    if len(given) != 1 or places[0] is None:
        raise _no_counterpart(node, " over several axes")
    return "look_up", [table, given[0]], {}


def _cast(node: _Node, x: _Node, *_: Any, **__: Any) -> _Translated:
    floats = node.meta["val"].is_floating_point()
    return "cast", [x], {"to": "float" if floats else "integer"}


_Part = tuple[str, str, list[Any], dict[str, Any], tuple[int, ...]]
"""What the name of the trace's operation is followed by, then the other fields of ours."""


def _chunk(node: _Node) -> Iterator[_Part]:
    """Give the parts of a tensor that is cut along an axis."""
    x = node.args[0]
    axis = _axis(x, node.args[2] if len(node.args) > 2 else node.kwargs.get("dim", 0))
    first = 0
    for place, part in enumerate(node.meta["val"]):
        shape = _shape_of(part)
        yield (
            f"[{place}]",
            "slice",
            [x],
            {"axis": axis, "start": first, "stop": first + shape[axis]},
            shape,
        )
        first += shape[axis]


def _top(node: _Node) -> Iterator[_Part]:
    """Give the places of the largest values along the last axis, not the values."""
    yield "[1]", "largest", [node.args[0]], {"count": node.args[1]}, _shape_of(node.meta["val"][1])


def _add_product(node: _Node) -> Iterator[_Part]:
    """Give ``x + one · other``."""
    x, one, other = node.args
    yield ".product", "multiply", [one, other], {}, _shape(node)
    yield "", "add", [x, Value(f"{node.name}.product")], {}, _shape(node)


def _select(node: _Node) -> Iterator[_Part]:
    """Give one place of an axis, which then is gone."""
    x, dim, place = node.args
    axis, shape = _axis(x, dim), list(_shape(x))
    if shape[axis] == ANY:
        raise _no_counterpart(node, " of the batch")
    place %= shape[axis]
    shape[axis] = 1
    yield ".row", "slice", [x], {"axis": axis, "start": place, "stop": place + 1}, tuple(shape)
    reshaped = {"shape": list(_shape(node))}
    yield "", "reshape", [Value(f"{node.name}.row")], reshaped, _shape(node)


def _is_whole(node: _Node) -> bool:
    """Tell whether a slice leaves nothing out."""
    return bool(node.meta["val"].shape == node.args[0].meta["val"].shape)


_RULES: dict[str, _Rule] = {
    "linear": _linear,
    "conv2d": _convolution,
    "add": _add,
    "sub": _same("subtract"),
    "mul": _same("multiply"),
    "div": _same("divide"),
    "lt": _same("less"),
    "ne": _same("not_equal"),
    "gelu": _gelu,
    "relu": _same("relu"),
    "silu": _same("silu"),
    "tanh": _same("tanh"),
    "sigmoid": _same("sigmoid"),
    "abs": _same("absolute"),
    "square": _same("square"),
    "sqrt": _same("sqrt"),
    "mean": _mean,
    "amax": _largest_of,
    "clamp": _clip,
    "clamp_min": _clip,
    "reshape": _reshape,
    "view": _reshape,
    "flatten": _reshape,
    "unflatten": _reshape,
    "unsqueeze": _reshape,
    "squeeze": _reshape,
    "permute": _permute,
    "transpose": _transpose,
    "pad": _pad,
    "slice": _slice,
    "cat": _concatenate,
    "argmin": _argmin,
    "gather": _gather,
    "scatter": _scatter,
    "index": _look_up,
    "to": _cast,
    "_to_copy": _cast,
}
_MANY: dict[str, Callable[[_Node], Iterator[_Part]]] = {
    "chunk": _chunk,
    "topk": _top,
    "addcmul": _add_product,
    "select": _select,
}
_PASSED_ON = ("contiguous", "clone", "alias", "detach", "detach_", "dropout", "lift_fresh_copy")
"""Operations whose result is what they take."""
