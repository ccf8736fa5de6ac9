"""An encoder inside a pipeline that skl2onnx converts.

Legend: N rows, K code size.
"""

from __future__ import annotations

from typing import Any

from narrows.model.export import onnx_files
from narrows.model.export.installed import check_installed
from narrows.model.export.parts import parts_of

NAME = "NarrowsAutoencoder"


def register(estimator: type) -> None:
    """Let skl2onnx convert an estimator that holds a model, by its encoder.

    Raises
    ------
    MissingExtra
    """
    check_installed("A pipeline", *onnx_files.NEEDS, "skl2onnx")
    from skl2onnx import update_registered_converter

    update_registered_converter(estimator, NAME, _give_shape, _convert, overwrite=True)


def _give_shape(operator: Any) -> None:
    """Tell skl2onnx what the encoder gives: codes (N, K) in float32."""
    from skl2onnx.common.data_types import FloatTensorType

    model = operator.raw_operator.model_
    operator.outputs[0].type = FloatTensorType([None, model.n_components])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the encoder's nodes and weights, under names of their own."""
    from onnx import TensorProto, helper, numpy_helper

    model = operator.raw_operator.model_
    graph = onnx_files.program_of(parts_of(model)[0], model).model_proto.graph
    names: dict[str, str] = {graph.output[0].name: operator.outputs[0].full_name, "": ""}
    names[graph.input[0].name] = entered = scope.get_unique_variable_name("rows")
    container.add_node(
        "Cast", [operator.inputs[0].full_name], [entered], to=TensorProto.FLOAT, op_version=13
    )

    def named(name: str) -> str:
        if name not in names:
            names[name] = scope.get_unique_variable_name(f"narrows_{name}")
        return names[name]

    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        container.add_initializer(
            named(weight.name), weight.data_type, values.shape, values.ravel().tolist()
        )
    for node in graph.node:
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        container.add_node(
            node.op_type,
            [named(name) for name in node.input],
            [named(name) for name in node.output],
            op_domain=node.domain,
            op_version=onnx_files.OPSET,
            name=scope.get_unique_operator_name(NAME),
            **attributes,
        )
