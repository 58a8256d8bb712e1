"""ONNX files as `inpaint export` writes them, made by hand: so that what runs them is tested without what makes them.

A network graph paints the mean color of the known pixels, plus a hundredth of the mean of every further input; so every
input shows in the answer.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from inpaint.types import Capabilities
from inpaint.weights.graphs import GraphInput, GraphMetadata

OPSET = 18
NETWORK = Capabilities(trained=True, trained_px=64, multiple_px=8, pixel_bytes=100)
SHARE = np.float32(0.01)


def network_metadata(**changes) -> GraphMetadata:
    """Return what the stand-in of a network graph says of itself."""
    plain = {"graph": "network", "model": "deepfill", "config": {}, "capabilities": NETWORK, "minimum_px": 16}
    return GraphMetadata(**(plain | changes))


def write_network(path: Path, metadata: GraphMetadata | None = None) -> Path:
    """Write the stand-in of a network graph and return its path."""
    said = metadata or network_metadata()
    planes = [("image", 3, 1), ("mask", 1, 1), *((each.name, each.channels, each.scale) for each in said.inputs)]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", channels, f"H{scale}", f"W{scale}"])
        for name, channels, scale in planes
    ]
    nodes = [
        helper.make_node("Sub", ["one", "mask"], ["known"]),
        helper.make_node("Mul", ["image", "known"], ["blanked"]),
        helper.make_node("ReduceSum", ["blanked", "sides"], ["total"], keepdims=1),
        helper.make_node("ReduceSum", ["known", "sides"], ["count"], keepdims=1),
        helper.make_node("Max", ["count", "one"], ["divisor"]),
        helper.make_node("Div", ["total", "divisor"], ["color0"]),
    ]
    for number, each in enumerate(said.inputs):
        nodes += [
            helper.make_node("ReduceMean", [each.name, "all"], [f"mean{number}"], keepdims=1),
            helper.make_node("Mul", [f"mean{number}", "share"], [f"part{number}"]),
            helper.make_node("Add", [f"color{number}", f"part{number}"], [f"color{number + 1}"]),
        ]
    nodes += [
        helper.make_node("Shape", ["image"], ["size"]),
        helper.make_node("Expand", [f"color{len(said.inputs)}", "size"], ["raw"]),
    ]
    held = {
        "one": np.float32(1),
        "share": SHARE,
        "sides": np.array([2, 3]),
        "all": np.array([1, 2, 3]),
    }
    raw = helper.make_tensor_value_info("raw", TensorProto.FLOAT, ["B", 3, "H1", "W1"])
    return _saved(path, helper.make_graph(nodes, "network", inputs, [raw], _tensors(held)), said.entries())


def write_pipeline(path: Path, *, interface: str | None = "inpaint", color: int = 200, says: bool = True) -> Path:
    """Write the stand-in of a pipeline graph, which paints the hole in one gray.

    interface: what white in the mask means. says: whether the file has our metadata.
    """
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 3, "H", "W"])
    mask = helper.make_tensor_value_info("mask", TensorProto.UINT8, [1, 1, "H", "W"])
    result = helper.make_tensor_value_info("result", TensorProto.UINT8, [1, 3, "H", "W"])
    white = ["gray", "image"]
    nodes = [
        helper.make_node("Greater", ["mask", "middle"], ["white"]),
        helper.make_node("Where", ["white", *(white if interface == "inpaint" else white[::-1])], ["result"]),
    ]
    held = {"middle": np.uint8(127), "gray": np.uint8(color)}
    said = network_metadata(graph="pipeline", interface=interface) if says else None
    graph = helper.make_graph(nodes, "pipeline", [image, mask], [result], _tensors(held))
    return _saved(path, graph, {} if said is None else said.entries())


def with_inputs(*inputs: GraphInput, **changes) -> GraphMetadata:
    """Return the metadata of a network graph that reads more."""
    return network_metadata(inputs=inputs, **changes)


def _tensors(held: dict[str, np.ndarray]) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()]


def _saved(path: Path, graph: onnx.GraphProto, entries: dict[str, str]) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    helper.set_model_props(model, entries)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
