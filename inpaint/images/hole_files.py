"""What is written beside a fill: the hole as a mask, the photo with the hole over it, the planes that guided it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InpaintError, UsageError
from inpaint.images.formats import FORMATS, format_of_name
from inpaint.images.mask_rules import Hole
from inpaint.images.photo import Photo, photo_of_array
from inpaint.images.sheets import Rgb
from inpaint.images.writing import to_pillow, write_photo

TINT = (255, 0, 80)
"""Color of a hole over its photo: no natural surface is as saturated."""
LOSSY = ("JPEG", "AVIF", "HEIC")


def check_mask_name(path: str | os.PathLike[str]) -> None:
    """Raise UsageError for a name whose format would change a mask."""
    if format_of_name(Path(path)).name in LOSSY:
        valid = " ".join(suffix for each in FORMATS if each.name not in LOSSY for suffix in each.suffixes)
        raise UsageError(f"the mask '{os.fspath(path)}' would lose its exact edge: name a file of {valid}")


def write_mask(hole: Hole, path: str | os.PathLike[str]) -> None:
    """Write a hole (H, W) as a mask, white on black, in a format without loss; the folder is made.

    Raises:
        UsageError: The format of the name is lossy, or unknown.
        InpaintError: The file cannot be written.
    """
    check_mask_name(path)
    _write(photo_of_array(hole.astype(np.uint8) * np.uint8(255)), path, quality=100)


def write_preview(photo: Photo, hole: Hole, path: str | os.PathLike[str]) -> None:
    """Write the photo with its hole (H, W) shown over it; the folder is made."""
    _write(photo_of_array(hole_over(photo, hole)), path, quality=None)


def check_plane_name(path: str | os.PathLike[str]) -> None:
    """Raise UsageError for a name under which a plane cannot be written exactly."""
    if Path(path).suffix.lower() != ".png":
        raise UsageError(f"guidance is written as PNG: name a file that ends in .png, not '{os.fspath(path)}'")


def write_plane(plane: NDArray[Any], path: str | os.PathLike[str]) -> None:
    """Write a plane (H, W) or (H, W, C) in [0, 1] as PNG of 8 bits, which is read again as it was; the folder is made.

    Raises:
        InputError: A plane of more than four channels.
        InpaintError: The file cannot be written.
    """
    _write(photo_of_array(np.rint(plane.astype(np.float32) * 255).astype(np.uint8)), path, quality=100)


def hole_over(photo: Photo, hole: Hole) -> Rgb:
    """Return a photo (H, W, 3) with the hole in a strong color that lets the photo through, and a thin outline."""
    shown = np.array(to_pillow(photo).convert("RGB"), dtype=np.uint8)
    inside = (2 * shown[hole].astype(np.uint16) + 3 * np.array(TINT, np.uint16)) // 5
    shown[hole] = inside.astype(np.uint8)
    outline = cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~hole
    shown[outline] = 255
    return shown


def _write(photo: Photo, path: str | os.PathLike[str], *, quality: int | None) -> None:
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InpaintError(f"cannot write '{os.fspath(path)}': {error.strerror or error}") from error
    write_photo(photo, path, quality=quality)
