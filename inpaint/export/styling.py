"""Networks that stylize as ONNX graphs: a content in, with what else the network reads, and the painted content out."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from inpaint.errors import UsageError
from inpaint.export.formats import Request
from inpaint.export.networks import ExportedNetwork
from inpaint.export.onnx_network import OPSET, with_initializers
from inpaint.models.styling import StyleNetwork
from inpaint.registry.loading import built, stored_network
from inpaint.registry.table import FILLS, network_class
from inpaint.system.extras import import_optional
from inpaint.system.files import sha256_of
from inpaint.weights.files import WeightsMetadata
from inpaint.weights.graphs import GraphInput, GraphMetadata, is_graph

CONTENT = "content"


class StyleGraph(ExportedNetwork):
    """What is exported of a network that stylizes; see `ExportedNetwork`."""

    network: StyleNetwork

    def __init__(self, network: StyleNetwork) -> None:
        super().__init__(network, network.graph_inputs(), dtype=torch.float32)

    def forward(self, content: Tensor, *inputs: Tensor) -> Tensor:
        """Paint a batch.

        Args:
            content: (B, 3, H, W) in [0, 1].
            inputs: One for each of `inputs`, see `GraphInput`.

        Returns:
            (B, 3, H, W) on our scale, not clamped.
        """
        named = {wanted.name: value for wanted, value in zip(self.inputs, inputs, strict=True)}
        return self.network.paint_graph(content, **named)

    @property
    def names(self) -> tuple[str, ...]:
        """All inputs by name, in their order."""
        return (CONTENT, *(wanted.name for wanted in self.inputs))


@dataclass(frozen=True, kw_only=True)
class ExportedStyling:
    """A network that is to be exported, and what its weights file says of it.

    network: computes in float32. sha256: of the weights file.
    """

    network: StyleNetwork
    metadata: WeightsMetadata
    sha256: str


def stylizes(request: Request) -> bool:
    """Return whether the model of a request is a trained network that stylizes. Raises what `inpaint.load` does."""
    if request.model in FILLS or is_graph(request.model):
        return False
    return stored_network(request.model, request.weights)[1].config.capabilities().stylizes


def styling_of(request: Request) -> ExportedStyling:
    """Load the network of a request.

    Raises:
        UsageError: The request asks for what such graphs do not know.
        WeightsError: Weights that cannot be used.
    """
    if request.pipeline or request.precision != "float32":
        raise UsageError(
            "a network that stylizes is exported as it is, in float32: leave out --pipeline and --precision"
        )
    if request.options:
        raise UsageError(f"--option {next(iter(request.options))}: the graph reads what can be chosen; leave it out")
    path, stored = stored_network(request.model, request.weights)
    if not cast(type[StyleNetwork], network_class(stored.name)).exportable:
        raise UsageError(f"a {stored.name} cannot be written as a graph")
    network, metadata = built(request.model, weights=request.weights, device="cpu")
    network.eval().requires_grad_(False)
    return ExportedStyling(network=cast(StyleNetwork, network), metadata=metadata, sha256=sha256_of(path))


def graph_of_request(request: Request) -> tuple[Any, GraphMetadata]:
    """Return the ONNX model of a request, and what its file is to say of itself."""
    found = styling_of(request)
    graph, said = StyleGraph(found.network), found.metadata
    metadata = GraphMetadata(
        graph="network",
        model=said.model,
        config=dict(said.config),
        capabilities=found.network.capabilities,
        inputs=graph.inputs,
        minimum_px=graph.minimum_px,
        license=said.license,
        source=said.source,
        weights_sha256=found.sha256,
        torch_version=torch.__version__,
    )
    return graph_of(graph), metadata


def graph_of(graph: StyleGraph) -> Any:
    """Return the ONNX model of a network, without metadata; inputs as `StyleGraph.names`, output `raw`, all float32."""
    onnx = import_optional("export", "onnx", purpose="exporting to ONNX")
    least, multiple = graph.minimum_px, graph.multiple_px
    values = style_example(graph, 2, least + 3 * multiple, least + 5 * multiple)
    axes = {CONTENT: {0: "batch", 2: "height", 3: "width"}}
    axes |= {wanted.name: _axes(wanted) for wanted in graph.inputs}
    with tempfile.TemporaryDirectory(prefix="inpaint-") as folder, warnings.catch_warnings(), torch.enable_grad():
        # With gradients (of which there are none) networks take their ordinary steps, not those for speed.
        warnings.simplefilter("ignore")
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            graph,
            values,
            path,
            input_names=list(graph.names),
            output_names=["raw"],
            dynamic_axes={**axes, "raw": axes[CONTENT]},
            opset_version=OPSET,
            dynamo=False,
        )
        return with_initializers(onnx, onnx.load(path))


def style_example(graph: StyleGraph, batch: int, height: int, width: int, *, seed: int = 0) -> tuple[Tensor, ...]:
    """Return inputs for a graph: areas of color with noise as content and styles, vectors whose numbers sum to 1.

    Args:
        graph: What reads them.
        batch: Images.
        height: Of the content.
        width: Of the content.
        seed: Of everything that is drawn.
    """
    draw = torch.Generator().manual_seed(seed)

    def image(channels: int, high: int, wide: int) -> Tensor:
        areas = nn.functional.interpolate(torch.rand(batch, channels, 3, 4, generator=draw), (high, wide))
        return 0.9 * areas + 0.1 * torch.rand(batch, channels, high, wide, generator=draw)

    found = [image(3, height, width)]
    for wanted in graph.inputs:
        if wanted.form == "vector":
            values = torch.rand(batch, wanted.channels, generator=draw) + 0.1
            found.append(values / values.sum(dim=1, keepdim=True) if wanted.channels > 1 else values.clamp(0, 1))
        elif wanted.form == "image":
            side = graph.minimum_px + 2 * graph.multiple_px
            found.append(image(wanted.channels, side + graph.multiple_px, side))
        else:
            found.append(image(wanted.channels, height // wanted.scale, width // wanted.scale))
    return tuple(found)


def _axes(wanted: GraphInput) -> dict[int, str]:
    if wanted.form == "vector":
        return {0: "batch"}
    if wanted.form == "image":
        return {0: "batch", 2: f"{wanted.name}_height", 3: f"{wanted.name}_width"}
    share = "" if wanted.scale == 1 else f"_over_{wanted.scale}"
    return {0: "batch", 2: f"height{share}", 3: f"width{share}"}
