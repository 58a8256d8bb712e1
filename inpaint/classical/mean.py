"""Every hole gets the mean color of what is known: the floor that any other fill must beat."""

from __future__ import annotations

from collections.abc import Iterator

from inpaint.classical.options import MeanOptions
from inpaint.fills.arrays import as_array, mean_known, where
from inpaint.fills.base import BaseFill, Painted
from inpaint.fills.request import Request


class Mean(BaseFill):
    """Fills each image of a batch with its own mean known color. Needs at least one known pixel per image."""

    name = "mean"
    capabilities = MeanOptions.capabilities
    own = staticmethod(as_array)

    def __init__(self, options: MeanOptions | None = None) -> None:
        self.options = options or MeanOptions()

    def paint_all(self, request: Request) -> Iterator[Painted]:
        """Paint image by image."""
        for image, hole in zip(request.image, request.hole, strict=True):
            yield {"raw": where(hole, mean_known(image, hole), image)[None]}
