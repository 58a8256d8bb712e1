"""How far an exported graph is from the network that it was made from, at five sizes and batches.

The network computes in float64 here, so that the difference is the rounding of the file, and not that of the network.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import UsageError, WeightsError
from inpaint.export import styling
from inpaint.export.archives import check_weights
from inpaint.export.formats import Measured, Request
from inpaint.export.networks import Exported, ExportedNetwork, GraphNetwork, example, network_of
from inpaint.export.pipeline import sizes_of
from inpaint.export.pipeline_reference import filled
from inpaint.system.extras import import_optional
from inpaint.types import FOUND
from inpaint.weights.graphs import GraphMetadata, Interface, read_graph


def sizes(network: ExportedNetwork, *, sides: tuple[int, int] | None = None) -> list[tuple[int, int, int]]:
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


def exact(exported: Exported) -> Callable[..., Tensor]:
    """Return a function from (image, mask, **inputs) to what the network paints, in float64 on a copy of it."""
    network = copy.deepcopy(exported.network).double().eval()

    def paint(image: Tensor, mask: Tensor, **inputs: Tensor) -> Tensor:
        with torch.no_grad():
            return network.paint_graph(
                image.double(), mask.double(), **{name: value.double() for name, value in inputs.items()}
            )

    return paint


Run: TypeAlias = Callable[[Mapping[str, Tensor]], NDArray[Any]]
"""From inputs by name to what was painted."""


def differences(
    run: Run, exported: Exported, *, sides: tuple[int, int] | None = None, expected: Callable[..., Tensor] | None = None
) -> dict[str, float]:
    """Return the largest difference between a file and its network in float64, by "BATCH x HEIGHT x WIDTH".

    Args:
        run: Of the file.
        exported: What it was made from, as it fills.
        sides: See `sizes`.
        expected: From (image, mask, **inputs) to what the file should return; None: see `exact`.
    """
    graph, paint = GraphNetwork(exported.network), expected or exact(exported)
    found = {}
    for number, (batch, height, width) in enumerate(sizes(graph, sides=sides)):
        named = dict(zip(graph.names, example(graph, batch, height, width, seed=number), strict=True))
        found[f"{batch} x {height} x {width}"] = float(np.abs(run(named) - paint(**named).numpy()).max())
    return found


def pipeline_differences(session: Any, exported: Exported, interface: Interface) -> dict[str, float]:
    """Return the largest difference, of 1 for the whole range, between a pipeline and the same done in NumPy.

    The network between computes in float64. Four sizes of photos, from smaller than the network takes to larger than it
    was trained at.
    """
    graph, exact_paint = GraphNetwork(exported.network), exact(exported)
    known = sizes_of(graph)

    def paint(image: NDArray[Any], mask: NDArray[Any]) -> NDArray[Any]:
        height, width = image.shape[-2:]
        nothing = {
            each.name: torch.zeros(1, each.channels, height // each.scale, width // each.scale) for each in graph.inputs
        }
        painted: NDArray[Any] = exact_paint(torch.from_numpy(image), torch.from_numpy(mask), **nothing).numpy()
        return painted

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
        UsageError: The file is no pipeline, or not of the precision or interface, that the request names.
        WeightsError: The file is damaged, or was made from other weights.
    """
    metadata = GraphMetadata.of(read_graph(request.output).entries, path=request.output)
    _check_kind(metadata, request)
    if metadata.capabilities.stylizes:
        return style_differences(request, metadata)
    exported = network_of(request.model, weights=request.weights, options=request.options)
    check_weights(metadata, exported.sha256, path=request.output, model=request.model)
    session = session_of(request.output)
    if metadata.interface is not None:
        return pipeline_differences(session, exported, metadata.interface)

    def run(named: Mapping[str, Tensor]) -> NDArray[Any]:
        painted: NDArray[Any] = session.run(["raw"], {name: value.numpy() for name, value in named.items()})[0]
        return painted

    painted = differences(run, exported)
    return {**painted, **found_differences(session, exported)} if metadata.capabilities.blind else painted


def style_differences(request: Request, metadata: GraphMetadata) -> dict[str, float]:
    """Return the largest difference between a graph that stylizes and its network in float64, as `differences`."""
    found = styling.styling_of(request)
    check_weights(metadata, found.sha256, path=request.output, model=request.model)
    graph, session = styling.StyleGraph(found.network), session_of(request.output)
    exact_network = copy.deepcopy(found.network).double().eval()
    measured = {}
    for number, (batch, height, width) in enumerate(sizes(graph)):
        content, *inputs = styling.style_example(graph, batch, height, width, seed=number)
        named = dict(zip(graph.names, (content, *inputs), strict=True))
        (raw,) = session.run(["raw"], {name: value.numpy() for name, value in named.items()})
        with torch.no_grad():
            expected = exact_network.paint_graph(
                content.double(), **{name: value.double() for name, value in named.items() if name != styling.CONTENT}
            )
        measured[f"{batch} x {height} x {width}"] = float(np.abs(raw - expected.numpy()).max())
    return measured


def found_differences(session: Any, exported: Exported) -> dict[str, float]:
    """Return the largest difference of what a blind network and its graph find, by "found, BATCH x HEIGHT x WIDTH"."""
    network = copy.deepcopy(exported.network).double().eval()

    def find(image: Tensor, mask: Tensor, **inputs: Tensor) -> Tensor:
        with torch.no_grad():
            return network.find_mask(image.double())

    def run(named: Mapping[str, Tensor]) -> NDArray[Any]:
        soft: NDArray[Any] = session.run([FOUND], {name: value.numpy() for name, value in named.items()})[0]
        return soft

    return {f"found, {size}": apart for size, apart in differences(run, exported, expected=find).items()}


def _check_kind(metadata: GraphMetadata, request: Request) -> None:
    """Raise UsageError where a request names, beyond what is usual, another kind of file than is there."""
    differs = (
        request.pipeline and metadata.graph != "pipeline",
        request.interface not in ("inpaint", metadata.interface),
        request.precision not in ("float32", metadata.precision),
    )
    if any(differs):
        interface = "" if metadata.interface is None else f", interface {metadata.interface}"
        raise UsageError(
            f"{request.output} is another file than --pipeline, --interface and --precision say: {metadata.graph}, "
            f"precision {metadata.precision}{interface}; leave them out to measure it"
        )
