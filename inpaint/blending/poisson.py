"""Blending in the gradient domain: the source's differences, the target's colors at the border."""

from __future__ import annotations

import numpy as np

from inpaint.blending.base import ArrayBlender, Painted, Scene
from inpaint.blending.border import least_border
from inpaint.blending.options import PoissonOptions
from inpaint.classical.poisson import blended


class Poisson(ArrayBlender):
    """Poisson image editing (Perez, Gangnet and Blake 2003), solved exactly; see `inpaint.classical.poisson`."""

    name = "poisson"
    options: PoissonOptions

    def __init__(self, options: PoissonOptions | None = None) -> None:
        self.options = options or PoissonOptions()

    def context_px(self, size: tuple[int, int]) -> int | None:
        """Return one pixel; what GrabCut looks at where the border is to be found."""
        return 1 if self.options.border == "mask" else max(size) + 10

    def paint(self, scene: Scene) -> Painted:
        """See `ArrayBlender`."""
        chosen = self.options
        mask = least_border(scene.source, scene.target, scene.mask) if chosen.border == "least" else scene.mask
        image = blended(
            scene.source,
            scene.target,
            mask,
            mode=chosen.mode,
            boundary=chosen.boundary,
            source_share=chosen.source_share,
            screen=chosen.screen,
        )
        if chosen.strength < 1:
            pasted = np.where(mask[..., None], scene.source, scene.target)
            image = pasted + np.float32(chosen.strength) * (image - pasted)
        return Painted(image=image, aux={"border": mask} if chosen.border == "least" else {})
