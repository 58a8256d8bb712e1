"""Every hole gets the mean color of what is known: the floor that any other fill must beat."""

from __future__ import annotations

import numpy as np

from inpaint.classical.options import MeanOptions
from inpaint.fills.array_fill import ArrayFill, Context, HoleArray, ImageArray


class Mean(ArrayFill):
    """Fills each image of a batch with its own mean known color. Needs at least one known pixel per image."""

    name = "mean"
    capabilities = MeanOptions.capabilities

    def __init__(self, options: MeanOptions | None = None) -> None:
        self.options = options or MeanOptions()

    def paint(self, image: ImageArray, hole: HoleArray, context: Context) -> ImageArray:
        """Return one color everywhere."""
        return np.broadcast_to(image[~hole].mean(axis=0), image.shape)
