"""Blending by a network that harmonizes: pasted, then given colors that go with the target."""

from __future__ import annotations

import numpy as np

from inpaint.blending.base import ArrayBlender, Painted, Scene
from inpaint.blending.options import BlendOptions
from inpaint.errors import UsageError
from inpaint.types import Inpainter


class Harmonizing(ArrayBlender):
    """The source pasted into the target, its colors changed by a trained harmonizer.

    Args:
        inpainter: The harmonizer.
        options: What any method may be told.

    Raises:
        UsageError: The model does not harmonize.
    """

    name = "harmonizing"

    def __init__(self, inpainter: Inpainter, options: BlendOptions | None = None) -> None:
        if not inpainter.capabilities.recolors:
            raise UsageError(f"'{inpainter.name}' does not harmonize: it paints anew what lies in the hole")
        self.inpainter = inpainter
        self.options = options or BlendOptions()

    def paint(self, scene: Scene) -> Painted:
        """See `ArrayBlender`. Sides shorter than the model takes are continued by their border."""
        least = self.inpainter.capabilities.smallest_px
        height, width = scene.mask.shape
        around = ((0, max(least - height, 0)), (0, max(least - width, 0)))
        image = np.pad(scene.pasted, (*around, (0, 0)), mode="edge")
        mask = np.pad(scene.mask, around)
        (fill,) = self.inpainter.fill_arrays(image[None], mask[None, ..., None].astype(np.float32), seed=scene.seed)
        return Painted(image=fill.completed[0, :height, :width], details={"model": self.inpainter.name})
