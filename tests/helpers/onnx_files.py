"""What ONNX models hold, read by ONNX's own package."""

from __future__ import annotations

from typing import Any


def weight_types(model: Any) -> set[str]:
    """Return the types of the graph's constants of at least two dimensions."""
    import onnx

    return {onnx.TensorProto.DataType.Name(each.data_type) for each in model.graph.initializer if len(each.dims) > 1}


def weight_bytes(model: Any) -> int:
    """Return the memory of all constants of the graph."""
    import onnx

    return sum(onnx.numpy_helper.to_array(each).nbytes for each in model.graph.initializer)


def metadata_of(path: Any) -> dict[str, str]:
    """Return the metadata of a file."""
    import onnx

    return {each.key: each.value for each in onnx.load(path).metadata_props}
