"""Color transfer alone: the baseline, which leaves every texture as it is."""

from __future__ import annotations

import numpy as np

from inpaint.classical.color_transfer import transfer
from inpaint.style.base import ArrayStylizer, Painted, Scene
from inpaint.style.options import ColorsOptions


class Colors(ArrayStylizer):
    """The content with the styles' colors, of every part in its place."""

    name = "colors"
    options: ColorsOptions

    def __init__(self, options: ColorsOptions | None = None) -> None:
        self.options = options or ColorsOptions()

    def paint(self, scene: Scene) -> Painted:
        """See `ArrayStylizer`."""
        content = scene.content.astype(np.float64)
        change = np.zeros_like(content)
        for part, share in zip(scene.parts, scene.shares, strict=True):
            inside = share > 0
            own = content[inside]
            wanted = part.style if part.style_mask is None else part.style[part.style_mask]
            moved = transfer(own, wanted.reshape(-1, 3).astype(np.float64), method=self.options.method)
            change[inside] += share[inside][:, None] * (moved - own)
        return Painted(image=content + self.options.strength * change)
