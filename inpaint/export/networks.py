"""A network from a run as exporters take it: image, mask and named inputs in, one image out, alike at any size."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from inpaint.errors import UsageError
from inpaint.models.base import InpaintNetwork, ModelNetwork
from inpaint.models.feedforward import FeedForward
from inpaint.registry.loading import load, weights_of
from inpaint.registry.table import FILLS
from inpaint.system.files import sha256_of
from inpaint.weights.files import WeightsMetadata, read_metadata
from inpaint.weights.graphs import GraphInput
from inpaint.weights.runs import Which

LEAST_PX = 8  # smallest side that graphs are made for, whatever a network accepts


class ExportedNetwork(nn.Module):
    """Base of what is exported of a network, which stays as it is.

    Args:
        network: Prepared for inference, in float32.
        inputs: What the graph reads beside what all read.
        dtype: What the graph computes in; its inputs and its output are float32.
    """

    def __init__(self, network: ModelNetwork, inputs: tuple[GraphInput, ...], *, dtype: torch.dtype) -> None:
        super().__init__()
        own = copy.deepcopy(network).to(dtype=dtype, memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.network: ModelNetwork = own.requires_grad_(False)
        self.network.prepare_for_export()
        self.dtype = dtype
        self.inputs: tuple[GraphInput, ...] = inputs
        self.eval()  # an exporter gives its mode back to all that lies below

    @property
    def multiple_px(self) -> int:
        """What sides must be multiples of."""
        return math.lcm(self.network.capabilities.multiple_px, *(wanted.scale for wanted in self.inputs))

    @property
    def minimum_px(self) -> int:
        """Smallest side, a multiple as well."""
        least = max(self.network.minimum_px, LEAST_PX)
        return -(-least // self.multiple_px) * self.multiple_px


class GraphNetwork(ExportedNetwork):
    """What is exported of a network that fills holes; see `ExportedNetwork`."""

    network: InpaintNetwork

    def __init__(self, network: InpaintNetwork, *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(network, network.graph_inputs(), dtype=dtype)

    def forward(self, image: Tensor, mask: Tensor, *inputs: Tensor) -> Tensor:
        """Paint a batch.

        Args:
            image: (B, 3, H, W) in [0, 1], not read in the hole, unless the network `reads_hole`.
            mask: (B, 1, H, W), above 0.5 = hole; a network that reads the hole takes it as it is, from 0 to 1.
            inputs: One (B, C, H / scale, W / scale) for each of `inputs`.

        Returns:
            (B, 3, H, W) on our scale, not clamped.
        """
        if self.network.capabilities.reads_hole:
            read, hole = image.to(self.dtype), mask.to(self.dtype)
        else:
            read, hole = image.masked_fill(mask > 0.5, 0.0).to(self.dtype), (mask > 0.5).to(self.dtype)
        named = {wanted.name: plane.to(self.dtype) for wanted, plane in zip(self.inputs, inputs, strict=True)}
        return self.network.paint_graph(read, hole, **named).to(torch.float32)

    @property
    def names(self) -> tuple[str, ...]:
        """All inputs by name, in their order."""
        return ("image", "mask", *(wanted.name for wanted in self.inputs))


class FindingNetwork(nn.Module):
    """What is exported of a blind network where a file may answer twice.

    Args:
        graph: The network as exporters take it.
    """

    def __init__(self, graph: GraphNetwork) -> None:
        super().__init__()
        self.graph = graph
        self.eval()

    def forward(self, image: Tensor, mask: Tensor, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `GraphNetwork` does, and what is found in the image whatever the mask, (B, 1, H, W) in [0, 1]."""
        found = self.graph.network.find_mask(image.to(self.graph.dtype)).to(torch.float32)
        return self.graph(image, mask, *inputs), found


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A network that is to be exported, and what its weights file says of it.

    network: computes in float32. sha256: of the weights file.
    """

    network: InpaintNetwork
    metadata: WeightsMetadata
    sha256: str


def network_of(
    place: str | os.PathLike[str],
    *,
    weights: Which = "last",
    options: Mapping[str, Any] | None = None,
) -> Exported:
    """Load a network that is to be exported.

    Args:
        place: Folder of a run or an import, or a weights file.
        weights: Which of a run's, see `inpaint.load`.
        options: What `inpaint.load` takes for this model.

    Raises:
        UsageError: A fill without weights, options that are none, or a network that cannot fill yet.
        WeightsError: Weights that cannot be used.
    """
    text = os.fspath(place)
    if text in FILLS:
        raise UsageError(
            f"'{text}' has no network that could be exported: give the folder of a trained run or of an import"
        )
    if "dtype" in (options or {}):
        raise UsageError("the option dtype is for fills: --precision says what a file computes in")
    path = weights_of(text, weights)
    metadata = read_metadata(path)
    fill = load(path, device="cpu", **(options or {}))
    if not isinstance(fill, FeedForward):
        raise UsageError("options of a strategy say how photos are cut, which no graph does: leave them out")
    if missing := fill.missing_to_fill():
        raise UsageError(f"{metadata.model} cannot be exported: {missing}")
    return Exported(network=fill.network, metadata=metadata, sha256=sha256_of(path))


def example(graph: GraphNetwork, batch: int, height: int, width: int, *, seed: int = 0) -> tuple[Tensor, ...]:
    """Return inputs for a graph: areas of color with noise, holes at different places, planes as the network derives.

    Args:
        graph: What reads them.
        batch: Images.
        height: Of the images.
        width: Of the images.
        seed: Of everything that is drawn.

    Returns:
        Image (B, 3, H, W), mask (B, 1, H, W), and one plane for each further input.
    """
    draw = torch.Generator().manual_seed(seed)
    areas = nn.functional.interpolate(torch.rand(batch, 3, 3, 4, generator=draw), (height, width), mode="bilinear")
    image = 0.9 * areas + 0.1 * torch.rand(batch, 3, height, width, generator=draw)
    mask = torch.zeros(batch, 1, height, width)
    for number in range(batch):
        top, left = (int(torch.randint(side // 2, (), generator=draw)) for side in (height, width))
        mask[number, :, top : top + height // 3 + 1, left : left + width // 3 + 1] = 1
    derived = graph.network.derive(image, mask)
    planes = [
        derived[wanted.name]
        if wanted.name in derived
        else torch.randn(batch, wanted.channels, height // wanted.scale, width // wanted.scale, generator=draw)
        for wanted in graph.inputs
    ]
    return (image, mask, *planes)
