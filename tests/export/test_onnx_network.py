"""Graphs of networks: what ONNX Runtime computes is what the network paints, at any size and batch."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from inpaint.export.networks import GraphNetwork, example
from inpaint.export.onnx_network import OPSET, graph_of
from inpaint.export.verification import session_of, sizes
from inpaint.nn.inference import prepare_for_inference
from inpaint.registry import table

pytest.importorskip("onnx", reason="the extra 'export' is not installed")
pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")

# Options that change what a graph is made of.
VARIANTS = [
    *((name, {}) for name in table.inpainters()),
    ("deepfill", {"padding": "reflect", "attention": {"masked": "inf", "norm_eps": "inside", "overlap": "count"}}),
    ("deepfill", {"sketch": True, "attention": {"fuse": False, "sampling": "floor", "mask_sampling": "floor8"}}),
    ("edgeconnect", {"stage": "inpaint", "mask_channel": True}),
    ("lama", {"kind": "regular"}),
    ("lama", {"local_unit": True}),
    ("pconv", {"levels": 3, "value_range": "pm1"}),
]


def label(value):
    return value if isinstance(value, str) else "-".join(f"{key}" for key in value) or "default"


@pytest.mark.parametrize(
    ("name", "fields"),
    [pytest.param(*row, marks=[pytest.mark.slow] * (row[0] == "deepfill" and bool(row[1]))) for row in VARIANTS],
    ids=label,
)
def test_a_graph_paints_what_the_network_paints_at_every_size_and_batch(small_network, name, fields):
    network = small_network(name, **fields)
    graph = GraphNetwork(network)
    session = session_of(graph_of(graph).SerializeToString())
    assert [each.name for each in session.get_inputs()] == list(graph.names)
    for number, (batch, height, width) in enumerate(sizes(graph)[:3]):
        values = dict(zip(graph.names, example(graph, batch, height, width, seed=number), strict=True))
        (raw,) = session.run(["raw"], {key: value.numpy() for key, value in values.items()})
        with torch.no_grad():
            expected = network.paint_graph(**values).numpy()
        assert raw.dtype == np.float32
        apart = np.abs(raw - expected).max()
        assert apart < 1e-4 * max(expected.std(), 1) or apart < 5 * rounding(network, values, expected)


@torch.no_grad()
def rounding(network, values, painted):
    """How far float32 takes the network itself from what it paints in float64."""
    exact = deepcopy(network).double().paint_graph(**{key: value.double() for key, value in values.items()})
    return np.abs(painted - exact.numpy()).max()


@pytest.mark.parametrize("name", [name for name in table.inpainters() if not table.capabilities(name).reads_hole])
def test_a_graph_does_not_read_what_the_hole_holds(small_network, name):
    graph = GraphNetwork(small_network(name))
    session = session_of(graph_of(graph).SerializeToString())
    side = graph.minimum_px + 2 * graph.multiple_px
    values = dict(zip(graph.names, example(graph, 1, side, side), strict=True))
    (expected,) = session.run(["raw"], {key: value.numpy() for key, value in values.items()})
    values["image"] = values["image"].masked_fill(values["mask"] > 0, torch.nan)
    (got,) = session.run(["raw"], {key: value.numpy() for key, value in values.items()})
    assert np.isfinite(got).all()
    assert np.array_equal(got, expected)


def test_all_graphs_have_the_stated_opset_and_no_operators_beyond_onnx(small_network):
    model = graph_of(GraphNetwork(small_network("pconv")))
    assert [(each.domain, each.version) for each in model.opset_import] == [("", OPSET)]


@pytest.mark.parametrize("name", table.inpainters())
def test_the_plain_form_paints_what_the_network_paints_without_it(small_network, name):
    network = small_network(name).double()
    prepare_for_inference(network)  # again: what was computed once, in float32, is rounded
    graph = GraphNetwork(network, dtype=torch.float64)
    side = graph.minimum_px + graph.multiple_px
    values = [value.double() for value in example(graph, 2, side, side + graph.multiple_px)]
    named = dict(zip(graph.names, values, strict=True))
    with torch.no_grad():
        expected = network.paint_graph(**named)
        plain = graph.network.paint_graph(**named)
    assert torch.allclose(plain, expected, rtol=1e-9, atol=1e-9)
