"""ONNX files of networks and pipelines, with what they say of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inpaint.export import styling
from inpaint.export.formats import Request
from inpaint.export.networks import network_of
from inpaint.export.onnx_network import in_precision, metadata_of
from inpaint.export.pipeline import check_closed, pipeline_of
from inpaint.system.extras import import_optional
from inpaint.system.files import atomic_write
from inpaint.weights.graphs import GraphMetadata


def write_graph(path: str | Path, model: Any, metadata: GraphMetadata) -> None:
    """Write an ONNX model with its metadata, whole or not at all."""
    onnx = import_optional("export", "onnx", purpose="exporting to ONNX")
    onnx.helper.set_model_props(model, metadata.entries())
    model.producer_name = "inpaint"
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def export(request: Request) -> None:
    """Write the network of a request as an ONNX graph, or a pipeline around it."""
    if styling.stylizes(request):
        model, metadata = styling.graph_of_request(request)
        write_graph(request.output, model, metadata)
        return
    found = network_of(request.model, weights=request.weights, options=request.options)
    network, model = in_precision(found, request.precision)
    if request.pipeline:
        check_closed(network, found.metadata.model)
        model = pipeline_of(network, model, request.interface)
    write_graph(request.output, model, metadata_of(found, network, request))
