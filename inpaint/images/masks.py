"""Masks from files: which pixels are the hole. White is hole; everything else about a mask is guessed aloud."""

from __future__ import annotations

import logging
import os
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.errors import MaskError
from inpaint.images.luma import BT601
from inpaint.images.photo import Photo, white_of
from inpaint.images.reading import MAX_PIXELS, read_photo

_log = logging.getLogger("inpaint.images")

Hole = NDArray[np.bool_]
Kind = TypeVar("Kind", bound=np.generic)

INVERTED_ABOVE = 0.7
"""A mask with a larger share of hole gets a warning that it looks inverted."""


def read_mask(path: str | os.PathLike[str], *, invert: bool = False, max_pixels: int = MAX_PIXELS) -> Hole:
    """Read a mask file as (H, W) bool, True = hole (white, or black with `invert`).

    Any format that `read_photo` reads; `hole_of` says how color, alpha and gray values are taken. Raises InputError.
    """
    return hole_of(read_photo(path, max_pixels=max_pixels), invert=invert)


def hole_of(photo: Photo, *, invert: bool = False, warn_inverted: bool = True, what: str = "mask") -> Hole:
    """Return the (H, W) bool hole that a picture describes: luminance of at least 128 of 255, and not transparent.

    A picture of one color with varying alpha is taken by its alpha (opaque = hole), with a warning. Values 0 and 1 are
    taken as 0 and 255. Other values than black and white are thresholded, with a warning. `what` names the picture in
    warnings: sketches are read the same way (white = line).
    """
    white = white_of(photo.pixels.dtype)
    values = _luminance(photo)  # (H, W) float32, 0..white
    if photo.alpha is not None and photo.alpha.min() != photo.alpha.max():
        alpha = photo.alpha.astype(np.float32)
        if values.min() == values.max():
            _log.warning("%s: the %s has one color; its alpha is used, opaque = white", photo.name, what)
            values = alpha
        else:
            values = values * (alpha / np.float32(white))
    top = float(values.max())
    if white > 1 and top == 1:
        _log.warning("%s: the %s has values 0 and 1; 1 is taken as white", photo.name, what)
        values = values * np.float32(white)
    gray = (values > 0) & (values < white)
    if gray.any():
        share = float(gray.mean())
        _log.warning(
            "%s: the %s is not black and white (%.1f %% gray); thresholded at 128", photo.name, what, 100 * share
        )
    hole: Hole = values >= white * (128 / 255)
    if invert:
        hole = ~hole
    if warn_inverted and hole.mean() > INVERTED_ABOVE:
        _log.warning(
            "%s: %.0f %% of the %s is %s; it looks inverted (--invert-mask turns it round)",
            photo.name,
            100 * float(hole.mean()),
            what,
            "hole" if what == "mask" else "line",
        )
    return hole


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


def _luminance(photo: Photo) -> NDArray[np.float32]:
    if photo.gray:
        return photo.pixels[..., 0].astype(np.float32)
    luma: NDArray[np.float32] = photo.pixels.astype(np.float32) @ np.array(BT601, np.float32)
    if photo.pixels.dtype.kind == "u":
        # white is exactly white, whatever the weights' rounding
        luma = np.rint(luma)
    return luma
