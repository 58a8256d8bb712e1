"""Graphs in half precision and in 8 bits: smaller, the same inputs and outputs, near the network."""

import numpy as np
import pytest
import torch

import onnx_files
from inpaint.export.networks import Exported, GraphNetwork, example
from inpaint.export.onnx_network import graph_of, in_precision
from inpaint.export.verification import session_of
from inpaint.registry import table
from inpaint.weights.files import WeightsMetadata

pytest.importorskip("onnx", reason="the extra 'export' is not installed")
pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")


def exported(network, name):
    metadata = WeightsMetadata(model=name, config=network.config.model_dump(mode="json"), roles=())
    return Exported(network=network, metadata=metadata, sha256="")


@pytest.mark.parametrize(("precision", "share"), [("float16", 0.05), pytest.param("int8", 0.5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", table.inpainters())
def test_lower_precision_paints_nearly_the_same_with_float32_outside(small_network, name, precision, share):
    network = small_network(name)
    graph, model = in_precision(exported(network, name), precision)
    assert onnx_files.weight_types(model) & {"float16": {"FLOAT16"}, "int8": {"UINT8"}}[precision]
    session = session_of(model.SerializeToString())
    assert {each.type for each in [*session.get_inputs(), *session.get_outputs()]} == {"tensor(float)"}
    side = graph.minimum_px + 2 * graph.multiple_px
    values = dict(zip(graph.names, example(graph, 2, side, side + graph.multiple_px), strict=True))
    (raw,) = session.run(["raw"], {key: value.numpy() for key, value in values.items()})
    with torch.no_grad():
        expected = network.paint_graph(**values).numpy()
    difference = np.abs(raw - expected).mean() / expected.std()
    assert 0 < difference < share


@pytest.mark.parametrize("name", ["lama", "pconv"])
def test_weights_take_half_and_a_quarter_of_the_memory(small_network, name):
    network = small_network(name, width=16)
    whole = onnx_files.weight_bytes(graph_of(GraphNetwork(network)))
    found = exported(network, name)
    assert 0.45 * whole < onnx_files.weight_bytes(in_precision(found, "float16")[1]) < 0.6 * whole
    assert 0.2 * whole < onnx_files.weight_bytes(in_precision(found, "int8")[1]) < 0.5 * whole
