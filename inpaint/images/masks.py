"""Masks from files: which pixels are the hole. White is hole; everything else about a mask is guessed aloud."""

from __future__ import annotations

import logging
import os
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.errors import MaskError
from inpaint.images.photo import BT601, Photo, white_of
from inpaint.images.reading import MAX_PIXELS, read_gray, read_photo

_log = logging.getLogger("inpaint.images")

Hole = NDArray[np.bool_]
Kind = TypeVar("Kind", bound=np.generic)

INVERTED_ABOVE = 0.7
"""A mask with a larger share of hole gets a warning that it looks inverted."""


def read_mask(
    path: str | os.PathLike[str], *, invert: bool = False, max_pixels: int = MAX_PIXELS, quiet: bool = False
) -> Hole:
    """Read a mask file as (H, W) bool, True = hole: the one way from a file to a mask.

    Args:
        path: Of any format that `read_photo` reads; `hole_of` says how color, alpha and gray values are taken.
        invert: Black = hole.
        max_pixels: Most pixels that the file may claim.
        quiet: Do not warn of what was guessed, for files that are read again and again.

    Raises:
        InputError: The file cannot be read.
    """
    gray = read_gray(path, max_pixels=max_pixels)
    if gray is None:
        return hole_of(read_photo(path, max_pixels=max_pixels), invert=invert, quiet=quiet)
    return _hole(gray, None, name=os.fspath(path), invert=invert, quiet=quiet)


def hole_of(photo: Photo, *, invert: bool = False, what: str = "mask", quiet: bool = False) -> Hole:
    """Return the (H, W) bool hole that an image describes: luminance of at least 128 of 255, and not transparent.

    An image of one color with varying alpha is taken by its alpha (opaque = hole), with a warning. Values 0 and 1 are
    taken as 0 and 255. Other values than black and white are thresholded, with a warning.

    Args:
        photo: The image.
        invert: Dark = hole.
        what: Names the image in warnings: sketches are read the same way (white = line).
        quiet: Do not warn.
    """
    return _hole(photo.pixels, photo.alpha, name=photo.name, invert=invert, what=what, quiet=quiet)


def _hole(
    pixels: NDArray[Any], alpha: NDArray[Any] | None, *, name: str, invert: bool, what: str = "mask", quiet: bool
) -> Hole:
    """Return the hole of pixels (H, W) or (H, W, 3) and alpha (H, W)."""
    guessed = _log.debug if quiet else _log.warning
    white, values = white_of(pixels.dtype), _luminance(pixels)  # (H, W), 0..white
    if alpha is not None and alpha.min() != alpha.max():
        alpha = alpha.astype(np.float32)
        if values.min() == values.max():
            guessed("%s: the %s has one color; its alpha is used, opaque = white", name, what)
            values = alpha
        else:
            values = values * (alpha / np.float32(white))
    if white > 1 and values.max() == 1:
        guessed("%s: the %s has values 0 and 1; 1 is taken as white", name, what)
        values = values * np.float32(white)
    if not quiet and (gray := _share((values > 0) & (values < white))):
        guessed("%s: the %s is not black and white (%.1f %% gray); thresholded at 128", name, what, 100 * gray)
    hole: Hole = values >= (128 * white // 255 if white > 1 else 128 / 255)
    if invert:
        hole = ~hole
    if not quiet and (share := _share(hole)) > INVERTED_ABOVE:
        guessed(
            "%s: %.0f %% of the %s is %s; it looks inverted (--invert-mask turns it round)",
            name,
            100 * share,
            what,
            "hole" if what == "mask" else "line",
        )
    return hole


def _share(where: Hole) -> float:
    return np.count_nonzero(where) / where.size


def fit_to(plane: NDArray[Kind], height: int, width: int, *, name: str = "mask", what: str = "mask") -> NDArray[Kind]:
    """Return a mask or another plane (H, W, ...) at (height, width).

    Where only the scale differs: nearest neighbor, with a warning.

    Raises MaskError when the aspect differs by more than rounded sides explain, or by more than 2 %.
    """
    rows, columns = plane.shape[:2]
    if (rows, columns) == (height, width):
        return plane
    # One of the two was scaled and its sides rounded, so each side is off by less than a pixel.
    rounding = min(
        abs(columns * height / width - rows) / (1 + height / width),
        abs(width * rows / columns - height) / (1 + rows / columns),
    )
    if rounding > 1 or abs(columns * height / (width * rows) - 1) > 0.02:
        raise MaskError(
            f"{name}: the {what} has {columns} x {rows} pixels, the photo {width} x {height}: another shape, not only "
            "another scale"
        )
    _log.warning("%s: the %s has %d x %d pixels; resized to %d x %d", name, what, columns, rows, width, height)
    take_rows = ((np.arange(height) + 0.5) * rows / height).astype(np.intp)
    take_columns = ((np.arange(width) + 0.5) * columns / width).astype(np.intp)
    return np.ascontiguousarray(plane[take_rows][:, take_columns])


def dilate_hole(hole: Hole, radius_px: float, *, chamfer: bool = False) -> Hole:
    """Return the hole (H, W) grown by a disc; a radius of 0 and an empty hole return it as it is.

    Args:
        hole: True = hole.
        radius_px: All pixels at most so far from the hole become hole.
        chamfer: Measure distances by OpenCV's 3 x 3 approximation, off by up to 5 %, as masks drawn for training do:
            the same seed keeps giving the same mask.
    """
    if radius_px == 0 or not hole.any():
        return hole
    # A distance map costs the same for every radius; morphology with a large disc does not.
    precision = cv2.DIST_MASK_3 if chamfer else cv2.DIST_MASK_PRECISE
    distance: NDArray[Any] = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, precision)
    grown: Hole = distance <= radius_px
    return grown


def _luminance(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return (H, W), 0..white; values without color, the usual case, as they are."""
    if pixels.ndim == 2:
        return pixels
    red, green, blue = cv2.split(pixels)
    if np.array_equal(red, green) and np.array_equal(red, blue):
        gray: NDArray[Any] = red
        return gray
    luma: NDArray[np.float32] = pixels.astype(np.float32) @ np.array(BT601, np.float32)
    # White is exactly white, whatever the weights' rounding.
    return np.rint(luma) if pixels.dtype.kind == "u" else luma
