"""Text drawn into photos: the fonts, what letters, outlines and shadows cover, and how they are laid over a photo."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inpaint.errors import InputError
from inpaint.system.files import is_folder

Coverage: TypeAlias = NDArray[np.uint8]
"""(H, W), 0 to 255: which share of each pixel something covers."""
Layer: TypeAlias = tuple[NDArray[Any], NDArray[Any]]
"""Colors (H, W, 3), 0 to 255, and their opacity (H, W), 0 to 1."""
Face: TypeAlias = "int | str"
"""A font: a number of OpenCV's, "" for the one inside of Pillow, or the path of a file."""

STROKES: Final = "strokes"
EMBEDDED: Final = "embedded"
OPENCV_FACES: Final = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
)
CAP_HEIGHT_PX: Final = 22  # of OpenCV's fonts at scale 1; the plain one is half as high
CAP_SHARE: Final = 0.72  # of a font's size that a capital is high, of most fonts 0.66 to 0.76
FONT_SUFFIXES: Final = (".ttf", ".otf", ".ttc")


@dataclass(frozen=True, eq=False)
class Lettering:
    """What text covers, the parts lying over each other: shadow, outline, letters.

    outline covers at least what letters do; without an outline both are the same. shadow: None where there is none.
    """

    letters: Coverage
    outline: Coverage
    shadow: Coverage | None = None

    @property
    def whole(self) -> Coverage:
        """What is covered in any way."""
        return self.outline if self.shadow is None else np.maximum(self.outline, self.shadow)

    def ink(self, color: NDArray[Any], around: NDArray[Any]) -> Layer:
        """Return letters of a color with an outline of another; (3,) or (H, W, 3) each, 0 to 255."""
        height, width = self.letters.shape
        if self.outline is self.letters:
            colors = np.broadcast_to(color, (height, width, 3))
        else:
            share = self.letters[..., None] / 255
            colors = color * share + around * (1 - share)
        return colors, self.outline / 255


def laid_over(image: NDArray[Any], layer: Layer, opacity: float = 1.0) -> NDArray[Any]:
    """Return an image (H, W, 3), 0 to 255, under a layer; not rounded."""
    colors, covered = layer
    share = covered[..., None] * opacity
    over: NDArray[Any] = image * (1 - share) + colors * share
    return over


@lru_cache(maxsize=64)
def faces(fonts: tuple[str, ...]) -> tuple[Face, ...]:
    """Return the single fonts that names stand for: "strokes", "embedded", or folders of .ttf, .otf and .ttc files.

    Raises:
        InputError: A folder is none, or holds no font.
    """
    found: list[Face] = []
    for name in fonts:
        found += OPENCV_FACES if name == STROKES else [""] if name == EMBEDDED else font_files(name)
    return tuple(found)


def font_files(folder: str) -> list[str]:
    """Return the fonts of a folder and its subfolders that can be opened, sorted. Raises InputError without any."""
    place = Path(os.path.expanduser(folder))  # noqa: PTH111 - Path.expanduser raises without a home
    if not is_folder(place):
        raise InputError(f"fonts: '{folder}' is no folder; valid: {STROKES}, {EMBEDDED}, or a folder of fonts")
    files = [str(file) for file in sorted(place.rglob("*")) if file.suffix.lower() in FONT_SUFFIXES]
    usable = [file for file in files if _opens(file)]
    if not usable:
        raise InputError(f"fonts: '{folder}' holds no font that can be opened ({', '.join(FONT_SUFFIXES)})")
    return usable


def _opens(file: str) -> bool:
    try:
        font_at(file, 16).getbbox("A")
    except (OSError, ValueError):
        return False
    return True


@lru_cache(maxsize=1024)
def font_at(face: str, size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font of Pillow's or of a file at a size."""
    if face:
        return ImageFont.truetype(face, size_px)
    return ImageFont.load_default(size_px)


def write(
    canvas: Image.Image,
    words: str,
    corner: tuple[float, float],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    *,
    anchor: str = "la",
    outline_px: int = 0,
) -> None:
    """Write a line onto a coverage, an image of the mode L, in place; anchor: Pillow's, of the corner."""
    ImageDraw.Draw(canvas).text(corner, words, fill=255, font=font, anchor=anchor, stroke_width=outline_px)


@dataclass(frozen=True)
class Line:
    """A line of text: words, the left end (x, y) of its base line, the height of a capital, strokes of OpenCV's."""

    words: str
    corner: tuple[int, int]
    face: Face
    capital_px: float
    stroke_px: int


def written(lines: Sequence[Line], height: int, width: int) -> Coverage:
    """Return what lines of text cover of an image."""
    canvas = np.zeros((height, width), np.uint8)
    if any(isinstance(line.face, str) for line in lines):
        drawn = Image.new("L", (width, height))
        for line in lines:
            if isinstance(line.face, str):
                font = font_at(line.face, max(5, round(line.capital_px / CAP_SHARE)))
                write(drawn, line.words, line.corner, font, anchor="ls" if _has_anchors(font) else "la")
        canvas = np.array(drawn)
    for line in lines:
        if isinstance(line.face, int):
            scale = line.capital_px / CAP_HEIGHT_PX
            cv2.putText(canvas, line.words, line.corner, line.face, scale, 255, line.stroke_px)
    return canvas


def _has_anchors(font: object) -> bool:
    return isinstance(font, ImageFont.FreeTypeFont)


def outlined(letters: Coverage, reach_px: int) -> Coverage:
    """Return the letters grown by so many pixels."""
    side = 2 * reach_px + 1
    return np.asarray(cv2.dilate(letters, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))), np.uint8)


def shadowed(covered: Coverage, shift_px: tuple[int, int], blur_px: float) -> Coverage:
    """Return the shadow of what is covered, moved by (x, y) and blurred; blur_px: deviation, 0 = sharp."""
    height, width = covered.shape
    moved = np.zeros_like(covered)
    across, down = shift_px
    moved[max(down, 0) : height + min(down, 0), max(across, 0) : width + min(across, 0)] = covered[
        max(-down, 0) : height + min(-down, 0), max(-across, 0) : width + min(-across, 0)
    ]
    return moved if blur_px <= 0 else np.asarray(cv2.GaussianBlur(moved, (0, 0), blur_px), np.uint8)
