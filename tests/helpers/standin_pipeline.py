"""A pipeline graph as `inpaint export` writes them, without a network: a few operators made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from inpaint.types import Capabilities
from inpaint.weights.graphs import GraphMetadata

OPSET = 18


def standin_metadata(**changed) -> GraphMetadata:
    said = {
        "graph": "pipeline",
        "model": "telea",
        "config": {},
        "capabilities": Capabilities(),
        "interface": "inpaint",
        "license": "Apache-2.0",
        "source": "made by hand",
        **changed,
    }
    return GraphMetadata(**said)


def write_standin(path: Path, **changed) -> Path:
    """Write a graph that fills with the mean color of the known pixels and a drawn 5 x 5 convolution of them.

    image uint8 (1, 3, H, W), mask uint8 (1, 1, H, W), above 127 = hole; result uint8 (1, 3, H, W).
    """
    rng = np.random.default_rng(5)
    kernel = rng.normal(0, 0.12, (3, 3, 5, 5)).astype(np.float32)
    values = {
        "threshold": np.array(127, np.uint8),
        "full": np.array(255, np.float32),
        "one": np.array(1, np.float32),
        "zero": np.array(0, np.float32),
        "axes": np.array([2, 3], np.int64),
        "kernel": kernel,
    }
    node = helper.make_node
    nodes = [
        node("Greater", ["mask", "threshold"], ["hole"]),
        node("Cast", ["hole"], ["holes"], to=TensorProto.FLOAT),
        node("Sub", ["one", "holes"], ["known"]),
        node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        node("Div", ["levels", "full"], ["colors"]),
        node("Mul", ["colors", "known"], ["masked"]),
        node("ReduceSum", ["masked", "axes"], ["total"]),
        node("ReduceSum", ["known", "axes"], ["count"]),
        node("Max", ["count", "one"], ["counted"]),
        node("Div", ["total", "counted"], ["mean"]),
        node("Conv", ["masked", "kernel"], ["texture"], pads=[2, 2, 2, 2]),
        node("Add", ["mean", "texture"], ["raw"]),
        node("Clip", ["raw", "zero", "one"], ["clipped"]),
        node("Mul", ["clipped", "full"], ["scaled"]),
        node("Round", ["scaled"], ["rounded"]),
        node("Cast", ["rounded"], ["painted"], to=TensorProto.UINT8),
        node("Where", ["hole", "painted", "image"], ["result"]),
    ]
    sides = ["height", "width"]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "pipeline",
        [value("image", TensorProto.UINT8, [1, 3, *sides]), value("mask", TensorProto.UINT8, [1, 1, *sides])],
        [value("result", TensorProto.UINT8, [1, 3, *sides])],
        [numpy_helper.from_array(array, name) for name, array in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    helper.set_model_props(model, standin_metadata(**changed).entries())
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def run_pipeline(path: Path, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Return what ONNX Runtime fills: image (H, W, 3) uint8, hole (H, W) bool."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = {"image": image.transpose(2, 0, 1)[None], "mask": hole[None, None].astype(np.uint8) * 255}
    (result,) = session.run(["result"], {name: np.ascontiguousarray(each) for name, each in given.items()})
    return result[0].transpose(1, 2, 0)
