"""What of a photo a user marks as its hole without a mask: boxes, polygons, what is transparent, what has a color."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from PIL import ImageColor

from inpaint.errors import MaskError, UsageError
from inpaint.images.mask_rules import NEAR, Hole
from inpaint.images.photo import Photo, white_of
from inpaint.images.regions import Region
from inpaint.types import shown

Polygon: TypeAlias = tuple[tuple[float, float], ...]
"""Corners (x, y) in pixels from the top left corner of the photo."""
Color: TypeAlias = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

_BOX_HELP = "write x,y,width,height in pixels, such as 120,80,140,220"
_POLYGON_HELP = "write at least three corners as x,y pairs in pixels, such as 10,10,90,15,60,70"
_LOOSE = 3 * NEAR
"""Of the range: so far from the color are the pixels at the edge of a stroke that lossy formats have blurred."""
_EDGE_PX = 2
"""How far an antialiased edge of a stroke reaches into the photo."""


# As they are given ----------------------------------------------------------------------------------------------------


def parse_box(given: str | Sequence[int]) -> Region:
    """Return x, y, width, height, as text or as four integers, as a rectangle.

    Raises:
        UsageError: It is something else, or empty.

    Example:
        >>> parse_box("20,30,40,60")
        Region(top=30, bottom=90, left=20, right=60)
    """
    numbers = _integers(given)
    if numbers is None or len(numbers) != 4 or min(numbers[:2]) < 0 or min(numbers[2:]) < 1:
        raise UsageError(f"the box {_named(given)} is none: {_BOX_HELP}")
    x, y, width, height = numbers
    return Region(y, y + height, x, x + width)


def parse_polygon(given: str | Iterable[Any]) -> Polygon:
    """Return corners, as text or as pairs of numbers.

    Raises:
        UsageError: It is something else, or fewer than three.

    Example:
        >>> parse_polygon("10,10 90,15 60,70.5")
        ((10.0, 10.0), (90.0, 15.0), (60.0, 70.5))
    """
    try:
        values = re.split(r"[\s,;]+", given.strip()) if isinstance(given, str) else np.ravel(np.asarray(given))
        numbers = [float(each) for each in values]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) < 6 or len(numbers) % 2 or not np.isfinite(numbers).all():
        raise UsageError(f"the polygon {_named(given)} is none: {_POLYGON_HELP}")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def parse_color(given: str) -> Color:
    """Return a color by its name in CSS ("red") or as "#rrggbb"; raises UsageError for anything else."""
    try:
        return ImageColor.getrgb(given)[:3]
    except (ValueError, AttributeError, TypeError):
        raise UsageError(f"the color {_named(given)} is none: write a name such as red, or #ff0000") from None


def _integers(given: object) -> list[int] | None:
    """Return whole numbers of a text with commas, or of a sequence; None where there are others."""
    if isinstance(given, str):
        return [int(each) for each in given.split(",")] if re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)*", given) else None
    try:
        values = np.asarray(given)
    except ValueError:
        return None
    return values.tolist() if values.ndim == 1 and values.dtype.kind in "iu" else None


def _named(given: object) -> str:
    return f"'{given}'" if isinstance(given, str) else shown(given)


# Holes (H, W) of a photo ----------------------------------------------------------------------------------------------


def box_hole(photo: Photo, box: Region) -> Hole:
    """Return the hole (H, W) that a box is; raises MaskError for one that does not lie within the photo."""
    check_within(photo, box)
    hole = np.zeros((photo.height, photo.width), bool)
    hole[box.slices] = True
    return hole


def check_within(photo: Photo, box: Region) -> None:
    """Raise MaskError for a box that does not lie within the photo."""
    if box.bottom > photo.height or box.right > photo.width:
        height, width = box.size
        raise MaskError(
            f"{photo.name}: the box {box.left},{box.top},{width},{height} (x,y,width,height) ends at "
            f"{box.right},{box.bottom}, outside the photo of {photo.width} x {photo.height} pixels"
        )


def polygon_hole(photo: Photo, polygon: Polygon) -> Hole:
    """Return the pixels (H, W) whose centers lie inside; where the outline crosses itself, inside changes sides.

    Raises:
        MaskError: A corner lies outside the photo.
    """
    for x, y in polygon:
        if not (0 <= x <= photo.width and 0 <= y <= photo.height):
            raise MaskError(
                f"{photo.name}: the corner {x:g},{y:g} of the polygon lies outside the photo of "
                f"{photo.width} x {photo.height} pixels"
            )
    crossings = np.zeros((photo.height, photo.width + 1), np.uint8)
    for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        # Rows whose centers the edge passes; an end belongs to the edge above it alone, so that none counts twice.
        rows = np.arange(int(np.ceil(y0 - 0.5)), int(np.ceil(y1 - 0.5)))
        if rows.size:
            across = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            crossings[rows, np.ceil(across - 0.5).astype(np.intp).clip(0, photo.width)] ^= 1
    inside: Hole = np.bitwise_xor.accumulate(crossings, axis=1)[:, :-1].astype(bool)
    return inside


def transparent_hole(photo: Photo) -> Hole:
    """Return what is at most half opaque (H, W); raises MaskError for a photo without transparency."""
    if photo.alpha is None:
        raise MaskError(f"{photo.name}: the mask is to be what is transparent, and nothing is: it has no alpha")
    hole: Hole = photo.alpha <= white_of(photo.alpha.dtype) / 2
    return hole


def color_hole(photo: Photo, color: Color) -> Hole:
    """Return what was painted over in a color (H, W), with the edges of the strokes.

    Pixels within 16 of 255 of the color are of a stroke, and those within 48 that are connected to one; 2 pixels
    around them are its antialiased edge.

    Args:
        photo: The photo itself, with the strokes in it.
        color: Of the strokes.
    """
    white = white_of(photo.pixels.dtype)
    away = np.abs(photo.array() - np.array(color, np.float32) / 255).max(axis=2)
    if photo.alpha is not None:
        away[photo.alpha <= white / 2] = 1
    count, pieces = cv2.connectedComponents((away <= _LOOSE).view(np.uint8), connectivity=8)
    strokes = np.zeros(count, bool)
    strokes[pieces[away <= NEAR + 1e-6]] = True
    side = 2 * _EDGE_PX + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    hole: Hole = cv2.dilate(strokes[pieces].view(np.uint8), disc).astype(bool)
    return hole
