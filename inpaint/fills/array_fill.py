"""The base of fills that compute with NumPy, on the CPU and without torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from inpaint.fills.arrays import as_array
from inpaint.fills.base import BaseFill, Painted
from inpaint.fills.request import Clock, ImageSeed, Request

ImageArray: TypeAlias = npt.NDArray[np.float64]
"""(H, W, 3) in [0, 1]."""
HoleArray: TypeAlias = npt.NDArray[np.bool_]
"""(H, W), True = hole."""
Report: TypeAlias = Callable[[float], None]
"""Told the share of an image that is done, 0 to 1; raises StopFill when the caller has had enough."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a method is told of the one image that it paints: its seed, the sample, and where progress is reported."""

    seed: ImageSeed
    sample: int
    clock: Clock

    def generator(self) -> np.random.Generator:
        """Return the generator of this sample's random numbers."""
        return self.seed.generator(self.sample)

    def report(self, share: float) -> None:
        """Say which share of this image is done, 0 to 1; raises StopFill when the caller has had enough."""
        self.clock.report(share)


class ArrayFill(BaseFill):
    """Paints one image after the other. Results are float32; raw is the image itself outside the hole."""

    own = staticmethod(as_array)

    @abstractmethod
    def paint(self, image: ImageArray, hole: HoleArray, context: Context) -> ImageArray:
        """Return the image (H, W, 3) painted; only its hole is used.

        Args:
            image: (H, W, 3) in [0, 1], 0 in the hole, so that the hole's content cannot be read; whole for a
                fill that reads it.
            hole: (H, W), not empty; all of the image only where the capabilities allow that.
            context: Seed and progress. When `context.report` raises StopFill, the best so far may be returned.
        """

    def paint_all(self, request: Request) -> Iterator[Painted]:
        """Paint unit by unit; an image without a hole is its own answer."""
        for image, hole, seed in zip(request.image, request.hole, request.seeds, strict=True):
            for sample in range(request.draws):
                raw = image.copy()
                if hole.any():
                    read = image if self.capabilities.reads_hole else np.where(hole, 0.0, image)
                    array = read.transpose(1, 2, 0).astype(np.float64, order="C")  # (H, W, 3)
                    painted = self.paint(array, hole[0], Context(seed=seed, sample=sample, clock=request.clock))
                    raw = np.where(hole, painted.transpose(2, 0, 1).astype(np.float32), image)
                yield {"raw": raw[None]}
