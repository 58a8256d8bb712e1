"""Runs as TorchScript: one file with which any program that has PyTorch fills, without this package.

The interface is that of the published big-lama.pt: `forward(image, mask)` with an image (B, 3, H, W) in [0, 1] and a
mask (B, 1, H, W) of 0 and 1 (1 = hole), integers or floating point, gives the filled image (B, 3, H, W) in [0, 1]. Any
batch; H and W are multiples of what the network halves, and at least its smallest side. What a network reads beside
image and mask follows as further arguments.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from inpaint.errors import WeightsError
from inpaint.export.archives import METADATA, check_weights, read_said
from inpaint.export.formats import Measured, Request
from inpaint.export.networks import Exported, GraphNetwork, example, network_of
from inpaint.export.onnx_network import metadata_of
from inpaint.export.verification import exact, sizes
from inpaint.nn.fourier import FourierUnit
from inpaint.system.files import atomic_write
from inpaint.weights.graphs import GraphMetadata


class Filling(nn.Module):
    """What is traced: the network's image in the hole, the given one elsewhere.

    graph: the network as exporters take it; its Fourier transforms are PyTorch's own, which know any size here.
    """

    def __init__(self, graph: GraphNetwork) -> None:
        super().__init__()
        self.graph = graph
        for layer in graph.modules():
            if isinstance(layer, FourierUnit):
                layer.plain = False
        self.eval()

    def forward(self, image: Tensor, mask: Tensor, *inputs: Tensor) -> Tensor:
        """Fill a batch: (B, 3, H, W) in [0, 1].

        Args:
            image: (B, 3, H, W) in [0, 1], not read in the hole.
            mask: (B, 1, H, W) of any type, above 0.5 = hole.
            inputs: One (B, C, H / scale, W / scale) for each further input of the graph.
        """
        hole = mask > 0.5
        raw: Tensor = self.graph(image, hole.to(image.dtype), *inputs)
        return torch.where(hole, raw, image).clamp(0, 1)


class _Used(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the memory of every tensor that an operator reads."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.places: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        leaves = tree_leaves((args, kwargs or {}))
        self.places |= {leaf.untyped_storage().data_ptr() for leaf in leaves if isinstance(leaf, Tensor)}
        return func(*args, **(kwargs or {}))


def drop_unused(module: nn.Module, values: tuple[Tensor, ...]) -> None:
    """Empty the parameters and buffers that a pass does not read, such as kernels that others were folded from."""
    with torch.enable_grad(), _Used() as used:
        module(*values)
    for value in (*module.parameters(), *module.buffers()):
        if value.untyped_storage().data_ptr() not in used.places:
            value.data = torch.empty(0, dtype=value.dtype)


def traced(exported: Exported) -> torch.jit.ScriptModule:
    """Return the program of a network, for any batch and size."""
    graph = GraphNetwork(exported.network)
    filling = Filling(graph)
    side = max(4 * graph.multiple_px, 2 * graph.minimum_px)
    values = example(graph, 2, side + graph.multiple_px, side)
    drop_unused(filling, values)
    # With gradients, which no parameter asks for, layers compute by plain operators of PyTorch, whatever the processor.
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks of sizes are not traced, as is meant
        program = torch.jit.trace(filling, values, check_trace=False)  # type: ignore[no-untyped-call]
    assert isinstance(program, torch.jit.ScriptModule)
    return program


def export(request: Request) -> None:
    """Write the program of a request.

    Raises what `network_of` raises, and WriteError.
    """
    exported = network_of(request.model, weights=request.weights, options=request.options)
    entries = metadata_of(exported, GraphNetwork(exported.network), request).entries()
    program, said = traced(exported), json.dumps(entries)
    with atomic_write(request.output) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(program, str(temporary), _extra_files={METADATA: said})


def said_of(path: Path) -> GraphMetadata:
    """Return what a program says of itself, without running it; raises WeightsError where it is none of ours."""
    return read_said(path, marker="constants.pkl", title="TorchScript")


def verify(request: Request) -> Measured:
    """Measure the program of a request: the largest difference from the network in float64, filled.

    Raises:
        WeightsError: The file is no program of ours, or was made from other weights.
    """
    exported = network_of(request.model, weights=request.weights, options=request.options)
    check_weights(said_of(request.output), exported.sha256, path=request.output, model=request.model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.jit.load(str(request.output), map_location="cpu")  # type: ignore[no-untyped-call]
        except RuntimeError:
            raise WeightsError(f"{request.output} is damaged") from None
    graph, paint, found = GraphNetwork(exported.network), exact(exported), {}
    for number, (batch, height, width) in enumerate(sizes(graph)):
        image, mask, *planes = example(graph, batch, height, width, seed=number)
        raw = paint(image, mask, **dict(zip(graph.names[2:], planes, strict=True)))
        with torch.no_grad():
            filled = program(image, mask.long(), *planes)
        expected = torch.where(mask > 0, raw.clamp(0, 1), image.double())
        found[f"{batch} x {height} x {width}"] = float((filled - expected).abs().max())
    return found
