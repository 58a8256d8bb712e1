"""Fills by ONNX graphs: a network graph as `models` fills with a network, a pipeline graph on whole photos.

What a network graph needs around it is what its network needs in PyTorch: planes derived from the image, sides padded
by mirroring, noise from the seed. A pipeline graph crops, resizes and blends by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inpaint import seeds
from inpaint.errors import InpaintError
from inpaint.fills.arrays import as_array
from inpaint.fills.base import BaseFill, Painted
from inpaint.fills.request import Request
from inpaint.images.photo import to_uint8
from inpaint.runtime.capabilities import capable
from inpaint.runtime.noise import TorchNormal
from inpaint.runtime.options import NetworkOptions, RuntimeOptions
from inpaint.runtime.session import Session
from inpaint.types import FOUND, Capabilities
from inpaint.weights.graphs import NOISE, GraphInput

SAMPLES_PIXELS = 256 * 256
"""Painted in one pass where an image has several samples and the caller does not say."""

Derive: TypeAlias = Callable[[NDArray[np.float64], NDArray[np.bool_]], Mapping[str, NDArray[Any]]]
"""From an image (H, W, 3) in [0, 1], 0 in the hole, and its hole (H, W) to planes (H, W) or (H, W, C) by name."""


class GraphFill(BaseFill):
    """What both kinds share.

    Args:
        session: The graph.
        name: Of the model.
        capabilities: Of the graph.
        options: What the caller chose.
    """

    own = staticmethod(as_array)
    options: RuntimeOptions

    def __init__(
        self, session: Session, *, name: str, capabilities: Capabilities, options: RuntimeOptions | None = None
    ) -> None:
        self.session, self.name, self.options = session, name, options or RuntimeOptions()
        self.capabilities = capable(capabilities, self.options)

    def details(self) -> Mapping[str, object]:
        """Return the model's name, its file and what computes."""
        return {"name": self.name, "file": self.session.path.name, "provider": self.session.providers[0]}


class NetworkFill(GraphFill):
    """Fills with a network graph.

    Args:
        session: The graph.
        name: Of the model.
        capabilities: Of the network.
        inputs: Of the graph beside image and mask.
        minimum_px: Smallest side that the graph accepts.
        derive: Makes the inputs that are neither planes of the caller nor noise; None where there are none.
        options: What the caller chose.
    """

    options: NetworkOptions

    def __init__(
        self,
        session: Session,
        *,
        name: str,
        capabilities: Capabilities,
        inputs: Sequence[GraphInput] = (),
        minimum_px: int = 1,
        derive: Derive | None = None,
        options: NetworkOptions | None = None,
    ) -> None:
        super().__init__(session, name=name, capabilities=capabilities, options=options or NetworkOptions())
        self.inputs, self._derive = tuple(inputs), derive
        self._least_px = minimum_px
        self._multiple_px = math.lcm(capabilities.multiple_px, *(each.scale for each in inputs))

    def find_mask(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the graph of a blind network finds, chunk by chunk."""
        if not self.capabilities.blind:
            return super().find_mask(image)  # type: ignore[no-any-return]
        count, _, height, width = image.shape
        parts, chunk = [], self.options.chunk or count
        for first in range(0, count, chunk):
            part = self._grown(image[first : first + chunk])
            inputs = {"image": part, "mask": np.zeros_like(part[:, :1])}
            inputs |= {each.name: self._nothing(each, len(part), height, width) for each in self.inputs}
            parts.append(self.session.run(inputs, output=FOUND)[..., :height, :width])
        return np.concatenate(parts).astype(np.float32, copy=False)

    def paint_all(self, request: Request) -> Iterator[Painted]:
        """Paint chunk by chunk, as many samples of each image as are asked for."""
        height, width = request.image.shape[-2:]
        reads = self.capabilities.reads_hole
        known = request.image if reads else np.where(request.hole, np.float32(0), request.image)
        masks = request.mask if reads else request.hole
        sources = [TorchNormal(seeds.integer(seed.words, seeds.DRAW)) for seed in request.seeds]
        units = len(known) * request.draws
        chunk = self.options.chunk or (
            units if request.draws == 1 else max(SAMPLES_PIXELS // math.prod(self._padded(height, width)), 1)
        )
        for first in range(0, units, chunk):
            owners = [unit // request.draws for unit in range(first, min(first + chunk, units))]
            inputs = {
                "image": self._grown(known[owners]),
                "mask": self._grown(masks[owners].astype(np.float32)),
                **self._further(request, known, owners, sources),
            }
            yield {"raw": self.session.run(inputs)[..., :height, :width].astype(np.float32, copy=False)}

    def _further(
        self, request: Request, known: NDArray[np.float32], owners: list[int], sources: list[TorchNormal]
    ) -> dict[str, NDArray[np.float32]]:
        """Return the inputs beside image and mask, by name."""
        height, width = known.shape[-2:]
        padded, found = self._padded(height, width), dict[str, NDArray[np.float32]]()
        derived = [
            {} if self._derive is None else self._derive(known[one].transpose(1, 2, 0).astype(float), hole[0])
            for one, hole in ((owner, request.hole[owner]) for owner in owners)
        ]
        for wanted in self.inputs:
            if wanted.name in request.guidance:
                found[wanted.name] = self._grown(request.guidance[wanted.name][owners])
            elif wanted.name in derived[0]:
                planes = [each[wanted.name].reshape(height, width, -1).transpose(2, 0, 1) for each in derived]
                found[wanted.name] = self._grown(np.stack(planes))
            elif wanted.name == NOISE:
                found[NOISE] = np.stack([self._noise(sources[owner], wanted, padded) for owner in owners])
            else:  # a plane that the caller does not give: nothing is asked for
                found[wanted.name] = self._nothing(wanted, len(owners), height, width)
        return found

    def _nothing(self, wanted: GraphInput, count: int, height: int, width: int) -> NDArray[np.float32]:
        """Return the zeros of an input that is not given, for images of this size."""
        sides = (side // wanted.scale for side in self._padded(height, width))
        return np.zeros((count, wanted.channels, *sides), np.float32)

    def _noise(self, source: TorchNormal, wanted: GraphInput, padded: tuple[int, int]) -> NDArray[np.float32]:
        shape = (wanted.channels, *(side // wanted.scale for side in padded))
        return source.draw(*shape) if self.capabilities.stochastic else np.zeros(shape, np.float32)

    def _padded(self, height: int, width: int) -> tuple[int, int]:
        """Return the size that the graph is given for an image of this size."""
        multiple, least = self._multiple_px, self._least_px
        return -(-max(height, least) // multiple) * multiple, -(-max(width, least) // multiple) * multiple

    def _grown(self, plane: NDArray[Any]) -> NDArray[np.float32]:
        """Return a plane (B, C, H, W), mirrored at the bottom and the right to a size that the graph accepts."""
        height, width = plane.shape[-2:]
        tall, wide = self._padded(height, width)
        amounts = ((0, 0), (0, 0), (0, tall - height), (0, wide - width))
        return np.pad(plane, amounts, mode="symmetric").astype(np.float32, copy=False)


class PipelineFill(GraphFill):
    """Fills with a pipeline graph: whole photos of 8 bit in, and out.

    Deeper photos keep their known pixels, and get a hole of 256 levels.

    Args:
        session: The graph.
        name: Of the model.
        capabilities: Of the graph, see `runtime.capabilities`.
        known_is_white: Whether 255 in the graph's mask means known, and not hole.
        options: What the caller chose.
    """

    def __init__(
        self,
        session: Session,
        *,
        name: str,
        capabilities: Capabilities,
        known_is_white: bool,
        options: RuntimeOptions | None = None,
    ) -> None:
        super().__init__(session, name=name, capabilities=capabilities, options=options)
        self._known_is_white = known_is_white

    def paint_all(self, request: Request) -> Iterator[Painted]:
        """Fill image by image; one without a hole is its own answer."""
        for image, hole in zip(request.image, request.hole, strict=True):
            if not hole.any():
                yield {"raw": image[None]}
                continue
            pixels = to_uint8(np.where(hole, np.float32(0), image))
            white = ~hole if self._known_is_white else hole
            answer = self.session.run({"image": pixels[None], "mask": white[None].astype(np.uint8) * np.uint8(255)})
            if answer.shape != (1, *image.shape):
                raise InpaintError(f"{self.session.path} painted {answer.shape} for an image of {(1, *image.shape)}")
            yield {"raw": answer.astype(np.float32) / np.float32(255)}
