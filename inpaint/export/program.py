"""A network as a program of torch.export, for any batch, height and width: `torch.export.load(FILE).module()`."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.export import Dim, ExportedProgram

from inpaint.errors import WeightsError
from inpaint.export.archives import METADATA, check_weights, read_said
from inpaint.export.formats import Measured, Request
from inpaint.export.networks import GraphNetwork, example, network_of
from inpaint.export.onnx_network import metadata_of
from inpaint.export.verification import differences
from inpaint.system.files import atomic_write, open_file

LARGEST = 2**16  # multiples of a side, and images of a batch


def program_of(network: GraphNetwork) -> ExportedProgram:
    """Return the program of a network: from image, mask and its further inputs to what it paints, all float32."""
    least, multiple = sides_of(network)
    batch = Dim("batch", min=1, max=LARGEST)
    height, width = (Dim(f"{side}_units", min=least // multiple, max=LARGEST) for side in ("height", "width"))
    scales = (1, 1, *(wanted.scale for wanted in network.inputs))
    shapes = tuple(
        {0: batch, 2: _times(multiple // scale, height), 3: _times(multiple // scale, width)} for scale in scales
    )
    values = example(network, 3, least + 3 * multiple, least + 5 * multiple)
    with torch.enable_grad():  # as for graphs: networks take their ordinary steps
        # What a signature takes as *inputs is one tuple; without any, there is none.
        grouped = (*shapes[:2], shapes[2:]) if shapes[2:] else shapes
        return torch.export.export(network, values, dynamic_shapes=grouped, strict=False)


def sides_of(network: GraphNetwork) -> tuple[int, int]:
    """Return the smallest side that a program takes, and what sides must be multiples of."""
    multiple = math.lcm(network.multiple_px, network.network.program_multiple_px)
    # Two at least: with one place in the deepest map, other steps would be followed.
    return max(-(-network.minimum_px // multiple), 2) * multiple, multiple


def _times(factor: int, side: Any) -> Any:
    return side if factor == 1 else factor * side


def export(request: Request) -> None:
    """Write the network of a request as a program."""
    found = network_of(request.model, weights=request.weights, options=request.options)
    network = GraphNetwork(found.network)
    least, multiple = sides_of(network)
    said = metadata_of(found, network, request)
    said = replace(said, capabilities=replace(said.capabilities, multiple_px=multiple), minimum_px=least)
    content = io.BytesIO()
    torch.export.save(program_of(network), content, extra_files={METADATA: json.dumps(said.entries())})
    with atomic_write(request.output) as temporary:
        temporary.write_bytes(content.getvalue())


def verify(request: Request) -> Measured:
    """Measure the program of a request.

    Raises:
        WeightsError: The file is no program, or was made from other weights.
    """
    said = read_said(request.output, marker="archive_format", title="program")
    exported = network_of(request.model, weights=request.weights, options=request.options)
    check_weights(said, exported.sha256, path=request.output, model=request.model)
    try:
        with open_file(request.output) as file:
            module = torch.export.load(io.BytesIO(file.read())).module()
    except Exception:  # whatever a damaged archive makes torch raise
        raise WeightsError(f"{request.output} is damaged") from None

    def run(named: Mapping[str, Tensor]) -> NDArray[Any]:
        with torch.no_grad():
            painted: Tensor = module(*named.values())
        return painted.numpy()

    return differences(run, exported, sides=sides_of(GraphNetwork(exported.network)))
