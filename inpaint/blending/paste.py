"""Pasting: the source as it is."""

from __future__ import annotations

from inpaint.blending.base import ArrayBlender, Painted, Scene
from inpaint.blending.options import PasteOptions


class Paste(ArrayBlender):
    """The source's own colors in the mask: the floor for comparisons, and right where nothing has to be adapted."""

    name = "paste"

    def __init__(self, options: PasteOptions | None = None) -> None:
        self.options = options or PasteOptions()

    def context_px(self, size: tuple[int, int]) -> int | None:
        """Nothing around it is read."""
        return 0

    def paint(self, scene: Scene) -> Painted:
        """See `ArrayBlender`."""
        return Painted(image=scene.source)
