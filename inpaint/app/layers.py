"""What is drawn for a fill to follow, beside the hole: one layer for every plane that a model takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from inpaint.app.workspaces import Workspace
from inpaint.images.photo import Photo, photo_of_array
from inpaint.images.planes import PlaneArray, plane_of
from inpaint.images.strokes import Shape, colored, drawn
from inpaint.types import Inpainter, Plane

COLORS: Final = "colors"
"""Planes that scale so are drawn in colors, all others in white on black."""


class Layers:
    """The layers of one drawing, as files that can be given again and as planes for models.

    Args:
        workspace: Where the files go.
        shapes: All that is drawn.
        photo: On which it is drawn.
    """

    def __init__(self, workspace: Workspace, shapes: Sequence[Shape], photo: Photo) -> None:
        self._workspace, self._shapes, self._size = workspace, shapes, (photo.height, photo.width)
        self._photos: dict[str, Photo] = {}
        self._files: dict[str, Path] = {}

    def planes(self, inpainter: Inpainter) -> dict[str, PlaneArray]:
        """Return the planes that are drawn and that this model takes."""
        return {name: plane_of(self._photo(name, plane), plane) for name, plane in self._taken(inpainter).items()}

    def files(self, inpainter: Inpainter) -> dict[str, Path]:
        """Return the files of the same planes, each written once: white on black, or colors on transparent."""
        taken = self._taken(inpainter)
        for name, plane in taken.items():
            if name not in self._files:
                self._files[name] = self._workspace.new_file(f"{name}.png")
                _write(self._photo(name, plane), self._files[name])
        return {name: self._files[name] for name in taken}

    def _taken(self, inpainter: Inpainter) -> dict[str, Plane]:
        used = {shape.layer for shape in self._shapes}
        return {name: plane for name, plane in inpainter.capabilities.guidance.items() if name in used}

    def _photo(self, name: str, plane: Plane) -> Photo:
        """Return a layer as the photo that its file is."""
        if name not in self._photos:
            if plane.scales == COLORS:
                pixels = colored(self._shapes, *self._size, layer=name)
            else:
                pixels = drawn(self._shapes, *self._size, layer=name).astype(np.uint8) * np.uint8(255)
            self._photos[name] = photo_of_array(pixels)
        return self._photos[name]


def _write(photo: Photo, path: Path) -> None:
    pixels = photo.pixels[..., 0] if photo.gray else photo.pixels
    if photo.alpha is not None:
        pixels = np.dstack([pixels, photo.alpha])
    Image.fromarray(pixels).save(path, "PNG", compress_level=1)
