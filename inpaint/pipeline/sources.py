"""What a caller may give as a photo or a mask: a path, a Pillow image or an array, all made one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import inpaint.arguments as arguments
from inpaint.errors import InputError
from inpaint.images.mask_rules import Hole, Label
from inpaint.images.masks import hole_of, levels_of_numbers, read_mask
from inpaint.images.photo import Photo, Pixels, photo_of_array
from inpaint.images.reading import MAX_PIXELS, from_pillow, read_photo
from inpaint.pipeline.hole_sources import DrawnMask
from inpaint.pipeline.holes import Marks, check_marked, hole_in

PathLike: TypeAlias = "str | os.PathLike[str]"
Source: TypeAlias = "PathLike | Image.Image | NDArray[Any]"


def photo_of(source: Source, max_pixels: int, *, what: str = "image", first_page: bool = True) -> Photo:
    """Return the photo, as it lies in memory or upright from a file; `what` names it in messages.

    first_page: see `read_photo`.
    """
    if isinstance(source, np.ndarray):
        return photo_of_array(source)
    if isinstance(source, Image.Image):
        return from_pillow(_decoded(source, what), turn=False)
    if isinstance(source, (str, os.PathLike)):
        return read_photo(source, max_pixels=max_pixels, first_page=first_page)
    raise InputError(f"{what} must be a path, a Pillow image or a NumPy array, got {type(source).__name__}")


def drawn_of(source: Source, what: str, max_pixels: int) -> Photo:
    """Return a mask or plane as the photo that it would be in a file; `what` names it in messages."""
    return photo_of(_mask_array(source, what) if isinstance(source, np.ndarray) else source, max_pixels, what=what)


def marked(
    photo: Photo,
    mask: Source | Sequence[Source] | None,
    marks: Marks,
    *,
    invert: bool = False,
    label: Label | None = None,
    dilate_px: int = 0,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Photo, Hole]:
    """Return the photo in its canvas, and its hole (H, W): masks and marks united, grown by `dilate_px`.

    Args:
        photo: As it was read.
        mask: One or several; None: none.
        marks: What else says what the hole is.
        invert: What the masks call known is the hole.
        label: What in the masks is the hole.
        dilate_px: By how much the hole grows.
        max_pixels: Most pixels of a mask that is read, and of the canvas.

    Raises:
        UsageError: Nothing says what the hole is.
        InputError: A mask cannot be used, or has another shape than the photo, or another argument is of another type.
    """
    dilate_px, invert = arguments.integer("dilate", dilate_px), arguments.truth("invert_mask", invert)
    masks = masks_of(mask)
    check_marked(len(masks), marks, invert=invert, label=label)

    def read(each: Source) -> Hole:
        how: dict[str, Any] = {"invert": invert, "label": label, "dilate_px": dilate_px}
        if isinstance(each, (str, os.PathLike)):
            return read_mask(each, max_pixels=max_pixels, **how)
        if isinstance(each, Image.Image):
            return hole_of(_decoded(each, "mask"), **how)
        return hole_of(drawn_of(each, "mask", max_pixels), **how)

    drawn = [DrawnMask(partial(read, each), name_of(each, "mask")) for each in masks]
    return hole_in(photo, [*drawn, *marks.sources], margins=marks.margins, dilate_px=dilate_px, max_pixels=max_pixels)


def masks_of(mask: Source | Sequence[Source] | None) -> list[Any]:
    """Return the masks of an argument that is one, several in a list, or None."""
    if mask is None:
        return []
    return list(mask) if isinstance(mask, (list, tuple)) else [mask]


def name_of(source: Source, what: str) -> str:
    """Return the path for messages, or `what` for something in memory."""
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else what


def _decoded(image: Image.Image, what: str) -> Image.Image:
    """Return a Pillow image with its pixels in memory. Raises InputError where its file is damaged or closed."""
    try:
        image.load()
    except Exception as error:  # decoders raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"the Pillow image given as {what} cannot be decoded: {reason}") from error
    return image


def _mask_array(values: NDArray[Any], what: str) -> Pixels:
    """Return a mask array as levels; in memory, unlike in a file, 1 is the usual way to say white."""
    levels = levels_of_numbers(values, what)
    return levels * np.uint8(255) if levels.max(initial=0) <= 1 else levels
