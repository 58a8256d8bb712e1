"""How far an exported graph is from the network that it was made from, at five sizes and batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import WeightsError
from inpaint.export.formats import Measured, Request
from inpaint.export.networks import Exported, GraphNetwork, example, network_of
from inpaint.export.pipeline import sizes_of
from inpaint.export.pipeline_reference import filled
from inpaint.models.feedforward import evaluating
from inpaint.system.extras import import_optional
from inpaint.weights.graphs import GraphMetadata, Interface, read_graph


def sizes(network: GraphNetwork, *, sides: tuple[int, int] | None = None) -> list[tuple[int, int, int]]:
    """Return batch, height and width of five examples: the smallest size, odd multiples, and near the trained side.

    Args:
        network: What is measured.
        sides: The smallest side and the multiple of sides; None: those of the network.
    """
    least, multiple = sides or (network.minimum_px, network.multiple_px)
    trained = network.network.capabilities.trained_px or 256
    near = max(trained // multiple * multiple, least)
    return [
        (1, least, least + multiple),
        (3, least + 3 * multiple, least + 2 * multiple),
        (2, least + multiple, least + 6 * multiple),
        (1, near, near),
        (1, near + multiple, max(near - multiple, least)),
    ]


def session_of(model: Path | bytes) -> Any:
    """Open a graph in ONNX Runtime, on the CPU."""
    runtime = import_optional("export", "onnxruntime", purpose="measuring an ONNX graph")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    content = model if isinstance(model, bytes) else str(model)
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes derive from nothing narrower
        reason = " ".join(str(error).split())
        raise WeightsError(f"{model if isinstance(model, Path) else 'the graph'} cannot be opened: {reason}") from None


Run: TypeAlias = Callable[[Mapping[str, Tensor]], NDArray[Any]]
"""From inputs by name to what was painted."""


def differences(run: Run, exported: Exported, *, sides: tuple[int, int] | None = None) -> dict[str, float]:
    """Return the largest difference between a file and its network by "BATCH x HEIGHT x WIDTH".

    Args:
        run: Of the file.
        exported: What it was made from, as it fills.
        sides: See `sizes`.
    """
    graph = GraphNetwork(exported.network)
    found = {}
    for number, (batch, height, width) in enumerate(sizes(graph, sides=sides)):
        named = dict(zip(graph.names, example(graph, batch, height, width, seed=number), strict=True))
        with evaluating(exported.network), torch.no_grad():
            expected = exported.network.paint_graph(**named)
        found[f"{batch} x {height} x {width}"] = float(np.abs(run(named) - expected.numpy()).max())
    return found


def pipeline_differences(session: Any, exported: Exported, interface: Interface) -> dict[str, float]:
    """Return the largest difference, of 1 for the whole range, between a pipeline and the same done in NumPy.

    Four sizes of photos, from smaller than the network takes to larger than it was trained at.
    """
    graph = GraphNetwork(exported.network)
    known = sizes_of(graph)

    def paint(image: NDArray[Any], mask: NDArray[Any]) -> NDArray[Any]:
        height, width = image.shape[-2:]
        nothing = {
            each.name: torch.zeros(1, each.channels, height // each.scale, width // each.scale) for each in graph.inputs
        }
        with evaluating(exported.network), torch.no_grad():
            painted = exported.network.paint_graph(torch.from_numpy(image), torch.from_numpy(mask), **nothing)
        return painted.numpy()

    side = known.trained_px
    found = {}
    for height, width in ((9, 14), (side - 3, side // 2), (side, side), (2 * side + 5, side + 70)):
        image, mask = (each.numpy()[0].transpose(1, 2, 0) for each in example(graph, 1, height, width)[:2])
        photo, hole = np.rint(255 * image).astype(np.uint8), mask[..., 0] > 0
        levels = np.where(hole, 255, 0) if interface == "inpaint" else np.where(hole, 0, 255)
        inputs = {"image": photo.transpose(2, 0, 1)[None], "mask": levels.astype(np.uint8)[None, None]}
        (result,) = session.run(None, {name: np.ascontiguousarray(value) for name, value in inputs.items()})
        expected = filled(photo, hole, paint, known)
        difference = np.abs(result[0].transpose(1, 2, 0).astype(float) - expected) / 255
        found[f"{height} x {width}"] = float(difference.max())
    return found


def verify_graph(request: Request) -> Measured:
    """Measure the graph of a request.

    Raises:
        WeightsError: The file is damaged, or was made from other weights.
    """
    metadata = GraphMetadata.of(read_graph(request.output).entries, path=request.output)
    exported = network_of(request.model, weights=request.weights, options=request.options)
    if metadata.weights_sha256 != exported.sha256:
        raise WeightsError(f"{request.output} was not made from the weights of {request.model}: nothing to compare")
    session = session_of(request.output)
    if metadata.interface is not None:
        return pipeline_differences(session, exported, metadata.interface)

    def run(named: Mapping[str, Tensor]) -> NDArray[Any]:
        painted: NDArray[Any] = session.run(None, {name: value.numpy() for name, value in named.items()})[0]
        return painted

    return differences(run, exported)
