"""What a caller may give as a photo or a mask: a path, a Pillow image or an array, all made one."""

from __future__ import annotations

import os
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inpaint.errors import InputError, MaskError, UsageError
from inpaint.images.masks import Hole, dilate_hole, fit_to, hole_of
from inpaint.images.photo import Photo, Pixels, photo_of_array
from inpaint.images.reading import from_pillow, read_photo

PathLike: TypeAlias = "str | os.PathLike[str]"
Source: TypeAlias = "PathLike | Image.Image | NDArray[Any]"


def photo_of(source: Source, max_pixels: int, *, what: str = "image", first_page: bool = True) -> Photo:
    """Return the photo, as it lies in memory or upright from a file; `what` names it in messages.

    first_page: see `read_photo`.
    """
    if isinstance(source, np.ndarray):
        return photo_of_array(source)
    if isinstance(source, Image.Image):
        return from_pillow(source, turn=False)
    if isinstance(source, (str, os.PathLike)):
        return read_photo(source, max_pixels=max_pixels, first_page=first_page)
    raise InputError(f"{what} must be a path, a Pillow image or a NumPy array, got {type(source).__name__}")


def drawn_of(source: Source, what: str, max_pixels: int) -> Photo:
    """Return a mask or plane as the photo that it would be in a file; `what` names it in messages."""
    return photo_of(_mask_array(source, what) if isinstance(source, np.ndarray) else source, max_pixels, what=what)


def hole_for(photo: Photo, mask: Source, *, invert: bool, dilate_px: int, max_pixels: int) -> Hole:
    """Return the hole (H, W) of a mask at the photo's size, grown by `dilate_px`.

    Raises:
        UsageError: `dilate_px` is negative.
        InputError: The mask cannot be used, or has another shape than the photo.
    """
    if dilate_px < 0:
        raise UsageError(f"dilate must be at least 0 pixels, got {dilate_px}")
    hole = hole_of(drawn_of(mask, "mask", max_pixels), invert=invert)
    return dilate_hole(fit_to(hole, photo.height, photo.width, name=name_of(mask, "mask")), dilate_px)


def name_of(source: Source, what: str) -> str:
    """Return the path for messages, or `what` for something in memory."""
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else what


def _mask_array(values: NDArray[Any], what: str) -> Pixels:
    """Return a mask array as uint8, uint16 or float; the many ways to say 0 and 1 become 0 and white."""
    if values.dtype.kind == "f":
        if not (np.isfinite(values).all() and values.min(initial=0) >= 0 and values.max(initial=0) <= 1):
            raise MaskError(f"a floating-point {what} must lie in [0, 1]; use uint8 for 0..255")
        return values.astype(np.float32)
    if values.dtype.kind not in "bui":
        raise MaskError(f"{what} must be bool, integer or floating point, got {values.dtype}")
    top = int(values.max(initial=0))
    if values.min(initial=0) < 0 or top > 65535:
        raise MaskError(f"{what} must lie in 0..255 or 0..65535, got {values.min()} to {top}")
    if top <= 1:
        return values.astype(np.uint8) * np.uint8(255)
    return values.astype(np.uint8 if top <= 255 and values.dtype != np.uint16 else np.uint16)
