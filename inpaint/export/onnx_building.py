"""Writing an ONNX graph node by node: arithmetic on values that are known by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.system.extras import import_optional


class GraphBuilder:
    """Collects nodes and constants. Calling it adds a node and returns the name of its output.

    Args:
        prefix: Of all names.
    """

    def __init__(self, prefix: str) -> None:
        self._onnx = import_optional("export", "onnx", purpose="exporting to ONNX")
        self._prefix = prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node.

        Args:
            operator: Of ONNX.
            inputs: Names; "" for one that is left out.
            name: Of the output; None: a new one.
            attributes: Of the operator.
        """
        output = name or f"{self._prefix}{operator}_{len(self.nodes)}"
        self.nodes.append(self._onnx.helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, value: Any, dtype: type[np.generic]) -> str:
        """Add a constant: a number, or an array of any shape."""
        array: NDArray[Any] = np.asarray(value, dtype)
        name = f"{self._prefix}constant_{len(self.constants)}"
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def cast(self, value: str, dtype: type[np.generic]) -> str:
        """Return a value in another type."""
        return self("Cast", value, to=self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def integers(self, *values: int) -> str:
        """Return a vector of integers."""
        return self.constant(values, np.int64)

    def side(self, value: str, axis: int) -> str:
        """Return the length of one axis, a vector of one integer."""
        return self("Shape", value, start=axis, end=axis + 1)

    def places(self, count: str, dtype: type[np.generic]) -> str:
        """Return 0, 1, ..., count - 1 for a vector of one integer."""
        first, step = self.constant(0, np.int64), self.constant(1, np.int64)
        return self.cast(self("Range", first, self("Squeeze", count), step), dtype)

    def cut(self, value: str, starts: str, ends: str, axis: int) -> str:
        """Return the places from start to end along one axis; both are vectors of one integer."""
        return self("Slice", value, starts, ends, self.integers(axis))

    def joined(self, *values: str) -> str:
        """Return vectors one after the other."""
        return self("Concat", *values, axis=0)


def network_nodes(model: Any, prefix: str) -> tuple[list[Any], list[Any], Sequence[str], str]:
    """Return what a graph consists of, with a prefix before all its names: nodes, constants, inputs and its output."""
    compose = import_optional("export", "onnx.compose", purpose="exporting to ONNX")
    graph = compose.add_prefix(model, prefix).graph
    inputs = [each.name for each in graph.input]
    return list(graph.node), list(graph.initializer), inputs, graph.output[0].name
