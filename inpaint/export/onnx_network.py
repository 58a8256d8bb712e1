"""A network as an ONNX graph for any batch, height and width.

The exporter that follows one pass (`dynamo=False`) is used: it writes the graph of a large network in seconds, where
the newer one reasons about every size as a formula, for minutes where layers halve it often. What it cannot see is
a size that Python has turned into a number; networks have plain forms for that, and `verification` measures it.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from inpaint.export.formats import Request
from inpaint.export.networks import Exported, FindingNetwork, GraphNetwork, example
from inpaint.system.extras import import_optional
from inpaint.types import FOUND
from inpaint.weights.graphs import GraphMetadata, Precision

OPSET = 18


def graph_of(network: GraphNetwork) -> Any:
    """Return the ONNX model of a network, without metadata.

    Inputs `image` (B, 3, H, W), `mask` (B, 1, H, W) and those of the network, output `raw`, all float32; of a blind
    network also `found` (B, 1, H, W), which follows from the image alone.
    """
    onnx = import_optional("export", "onnx", purpose="exporting to ONNX")
    least, multiple = network.minimum_px, network.multiple_px
    # Sides that differ, and nowhere inside the network one place only, where arithmetic is another.
    values = example(network, 2, least + 3 * multiple, least + 5 * multiple)
    axes = {name: {0: "batch"} for name in network.names}
    for name, scale in {"image": 1, "mask": 1, **{each.name: each.scale for each in network.inputs}}.items():
        share = "" if scale == 1 else f"_over_{scale}"
        axes[name] |= {2: f"height{share}", 3: f"width{share}"}
    blind = network.network.capabilities.blind
    outputs = ["raw", FOUND] if blind else ["raw"]
    with tempfile.TemporaryDirectory(prefix="inpaint-") as folder, warnings.catch_warnings(), torch.enable_grad():
        # With gradients (of which there are none) networks take their ordinary steps, not those for speed.
        warnings.simplefilter("ignore")
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            FindingNetwork(network) if blind else network,
            values,
            path,
            input_names=list(network.names),
            output_names=outputs,
            dynamic_axes={**axes, **dict.fromkeys(outputs, axes["image"])},
            opset_version=OPSET,
            dynamo=False,
        )
        model = with_initializers(onnx, onnx.load(path))
    channels = [value.shape[1] for value in values]
    wanted = {name: (count, axes[name]) for name, count in zip(network.names, channels, strict=True)}
    return _with_all_inputs(onnx, model, wanted)


def in_precision(exported: Exported, precision: Precision) -> tuple[GraphNetwork, Any]:
    """Return what is exported of a network, and its graph in a precision.

    float16: weights and arithmetic, apart from what networks themselves do in float32 (transforms, statistics, the last
    step of an image). int8: weights of convolutions and products, whose inputs are rounded to 256 levels of their own
    range when the graph runs; transposed convolutions stay in float32.
    """
    network = GraphNetwork(exported.network, dtype=torch.float16 if precision == "float16" else torch.float32)
    model = graph_of(network)
    return network, quantized(model) if precision == "int8" else model


def quantized(model: Any) -> Any:
    """Return a graph whose convolutions and products compute in 8 bits."""
    onnx = import_optional("export", "onnx", purpose="exporting to ONNX")
    quantization = import_optional("export", "onnxruntime.quantization", purpose="exporting in int8")
    logger, before = logging.getLogger(), logging.getLogger().level
    with tempfile.TemporaryDirectory(prefix="inpaint-") as folder:
        path = Path(folder) / "quantized.onnx"
        logger.setLevel(logging.ERROR)  # it advises to prepare the graph first, which this exporter has done
        try:
            quantization.quantize_dynamic(
                model, path, op_types_to_quantize=["Conv", "MatMul"], weight_type=quantization.QuantType.QUInt8
            )
        finally:
            logger.setLevel(before)
        return onnx.load(path)


def with_initializers(onnx: Any, model: Any) -> Any:
    """Return the graph with its constant tensors as initializers, where quantization and other programs look."""
    nodes, graph = [], model.graph
    for node in graph.node:
        values = [each.t for each in node.attribute if each.name == "value"]
        if node.op_type == "Constant" and values and len(values[0].dims):
            values[0].name = node.output[0]
            graph.initializer.append(values[0])
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _with_all_inputs(onnx: Any, model: Any, wanted: Mapping[str, tuple[int, Mapping[int, str]]]) -> Any:
    """Return the graph with the inputs that are wanted, by channels and axes; the exporter leaves out unread ones.

    A network that paints everywhere, whatever the hole, reads no mask.
    """
    there = {each.name: each for each in model.graph.input}
    inputs = []
    for name, (channels, axes) in wanted.items():
        shape = [axes.get(axis, channels) for axis in range(4)]
        inputs.append(there.get(name) or onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    kept = [onnx.ValueInfoProto.FromString(each.SerializeToString()) for each in inputs]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return model


def metadata_of(exported: Exported, network: GraphNetwork, request: Request) -> GraphMetadata:
    """Return what the file of a request says of itself."""
    said = exported.metadata
    return GraphMetadata(
        graph="pipeline" if request.pipeline else "network",
        interface=request.interface if request.pipeline else None,
        model=said.model,
        config=dict(said.config),
        capabilities=replace(exported.network.capabilities, scored=False),
        inputs=() if request.pipeline else network.inputs,
        minimum_px=network.minimum_px,
        precision=request.precision,
        license=said.license,
        source=said.source,
        weights_sha256=exported.sha256,
        torch_version=torch.__version__,
    )
