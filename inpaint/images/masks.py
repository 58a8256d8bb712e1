"""Masks from files, Pillow images and arrays: one reader for all who fill, train or measure."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inpaint.errors import MaskError, NotAMaskError
from inpaint.images.mask_rules import LINES, Drawing, Hole, Label, hole_of_drawing
from inpaint.images.photo import Photo
from inpaint.images.reading import MAX_PIXELS, MaskSamples, from_pillow, read_photo, read_stored, stored_in

_log = logging.getLogger("inpaint.images")

Kind = TypeVar("Kind", bound=np.generic)
Say: TypeAlias = Callable[[str, Mapping[str, str]], None]
"""Told of a mask: its name, and remarks by their kind (rule, edge, inverted, size)."""

INVERTED_ABOVE = 0.7
"""A mask with a larger share of hole gets a warning that it looks inverted."""


def warn(name: str, remarks: Mapping[str, str]) -> None:
    """Say what there is to say of a mask in one warning."""
    _log.warning("%s: %s", name, "; ".join(remarks.values()))


def hush(name: str, remarks: Mapping[str, str]) -> None:
    """Say nothing of a mask that is read again and again."""


class OncePerKind:
    """Makes each remark of the first mask only: the masks of a folder are of one kind."""

    def __init__(self) -> None:
        self._made: set[str] = set()

    def __call__(self, name: str, remarks: Mapping[str, str]) -> None:
        """See `Say`; rules differ by their words, other remarks are the same in other words."""
        keys = {kind: words if kind == "rule" else kind for kind, words in remarks.items()}
        new = {kind: words for kind, words in remarks.items() if keys[kind] not in self._made}
        self._made.update(keys.values())
        if new:
            warn(name, {**new, "": "not said again of other masks"})


def read_mask(
    path: str | os.PathLike[str],
    *,
    invert: bool = False,
    label: Label | None = None,
    dilate_px: float = 0,
    max_pixels: int = MAX_PIXELS,
    say: Say = warn,
) -> Hole:
    """Read a mask file as (H, W) bool, True = hole, by the rule of `inpaint.images.mask_rules`.

    Args:
        path: Of any format that `read_photo` reads.
        invert: What the rule calls known is the hole.
        label: What is the hole, instead of the rule: an integer, "#rrggbb" or "transparent".
        dilate_px: By how much the hole is going to grow; a soft edge that this covers is not spoken of.
        max_pixels: Most pixels that the file may claim.
        say: Told how the mask was taken, in one line; white on black needs none.

    Raises:
        InputError: The file cannot be read.
        MaskError: It is no mask, or does not say which of its values is the hole.
    """
    stored = read_stored(path, max_pixels=max_pixels)
    if stored is None:
        drawing = _drawing_of_photo(read_photo(path, max_pixels=max_pixels))
    else:
        drawing = _drawing_of_stored(stored, os.fspath(path))
    return _decided(drawing, invert=invert, label=label, dilate_px=dilate_px, say=say)


def hole_of(
    image: Photo | Image.Image,
    *,
    invert: bool = False,
    label: Label | None = None,
    dilate_px: float = 0,
    what: str = "mask",
    say: Say = warn,
) -> Hole:
    """Return the (H, W) bool hole that an image in memory describes, as `read_mask` reads it from a file.

    Args:
        image: A photo, or a Pillow image.
        invert: As of `read_mask`.
        label: As of `read_mask`.
        dilate_px: As of `read_mask`.
        what: Names the image in messages: sketches are read the same way (white = line).
        say: As of `read_mask`.

    Raises:
        MaskError: As `read_mask` does.
    """
    if isinstance(image, Photo):
        drawing = _drawing_of_photo(image)
    elif (stored := stored_in(image)) is not None:
        drawing = _drawing_of_stored(stored, what)
    else:
        drawing = _drawing_of_photo(from_pillow(image, turn=False))
    return _decided(drawing, invert=invert, label=label, dilate_px=dilate_px, what=what, say=say)


def swapped(error: NotAMaskError, photo: Photo) -> NotAMaskError:
    """Return the error of a mask that shows a photo, with a hint where the photo looks like the mask."""
    try:
        decision = hole_of_drawing(_drawing_of_photo(photo))
    except MaskError:
        return error
    if photo.alpha is not None or not decision.hole.any():
        return error
    return NotAMaskError(f"{error}; {photo.name} looks like the mask: were image and mask swapped?")


def _decided(
    drawing: Drawing, *, invert: bool, label: Label | None, dilate_px: float, say: Say, what: str = "mask"
) -> Hole:
    """Apply the rule and say in one line what a user has to know of it."""
    decision = hole_of_drawing(drawing, label=label, what=what)
    hole = ~decision.hole if invert else decision.hole
    rule = decision.rule if what == "mask" else decision.rule.replace("the hole", "the line")
    remarks: dict[str, str] = {}
    if rule:
        remarks["rule"] = f"the {what} is {rule}" if rule.startswith("a ") else rule
    if what == "mask" and not invert and say is not hush and (edge_px := decision.soft_edge_px()) > dilate_px:
        remarks["edge"] = f"its edge is soft and is cut at half; --dilate {edge_px} covers all of it"
    if (share := np.count_nonzero(hole) / hole.size) > INVERTED_ABOVE:
        found, mend = ("hole", "--invert-mask turns it round") if what == "mask" else ("line", LINES)
        remarks["inverted"] = f"{100 * share:.0f} % of the {what} is {found}; it looks inverted ({mend})"
    if remarks:
        say(drawing.name, remarks)
    return hole


def _drawing_of_stored(stored: MaskSamples, name: str) -> Drawing:
    values, alpha, entries = stored.values, stored.alpha, None
    if stored.palette is not None:
        entries, colors = stored.values, stored.palette[stored.values]  # (H, W), (H, W, 4)
        values, alpha = np.ascontiguousarray(colors[..., :3]), np.ascontiguousarray(colors[..., 3])
    elif values.dtype != np.uint8:
        try:
            values = levels_of_numbers(values)
        except MaskError as error:
            raise MaskError(f"{name}: {error}") from None
    return Drawing(name=name, values=values, alpha=alpha, entries=entries, lossy=stored.lossy)


def levels_of_numbers(values: NDArray[Any], what: str = "mask") -> NDArray[Any]:
    """Return numbers of any type as uint8 or uint16: whole numbers as they are, fractions of one as strengths.

    Args:
        values: bool, integers from 0, or floats: whole numbers, or from 0 to 1. What is no number counts as 0.
        what: Names them in messages.

    Raises:
        MaskError: They are something else.
    """
    if values.dtype.kind not in "buif":
        raise MaskError(f"{what} must be bool, integer or floating point, got {values.dtype}")
    if values.dtype.kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    fractions = values.dtype.kind == "f"
    if fractions:
        values = np.where(np.isnan(values), 0, values)
    low, top = values.min(initial=0).item(), values.max(initial=0).item()
    range_top = 2**32 - 1 if fractions else int(np.iinfo(values.dtype).max)
    if fractions and not (values == np.rint(values)).all():
        if low < 0 or top > 1:
            raise MaskError(f"a floating-point {what} must lie in [0, 1] or hold whole numbers, got {low} to {top}")
        return np.rint(values * 65535.0).astype(np.uint16)
    if range_top / 2 < top <= range_top and top > 65535:  # strengths of the type's own range
        values, top = values.astype(np.float64) * (65535 / range_top), 65535
    if low < 0 or top > 65535:
        raise MaskError(f"{what} must lie in 0..255 or 0..65535, got {low} to {top}")
    return values.astype(np.uint8 if top <= 255 and values.dtype != np.uint16 else np.uint16)


def _drawing_of_photo(photo: Photo) -> Drawing:
    values = np.ascontiguousarray(photo.pixels[..., 0]) if photo.gray else photo.pixels
    alpha = photo.alpha
    if values.dtype.kind == "f":
        values, alpha = _sixteen_bit(values), None if alpha is None else _sixteen_bit(alpha)
    return Drawing(name=photo.name, values=values, alpha=alpha)


def _sixteen_bit(values: NDArray[Any]) -> NDArray[np.uint16]:
    levels: NDArray[np.uint16] = np.rint(values * 65535).astype(np.uint16)
    return levels


def fit_to(
    plane: NDArray[Kind],
    height: int,
    width: int,
    *,
    name: str = "mask",
    what: str = "mask",
    say: Say = warn,
    smaller: Callable[[NDArray[Kind], tuple[int, int]], NDArray[Kind]] | None = None,
) -> NDArray[Kind]:
    """Return a mask or another plane (H, W, ...) at (height, width).

    Where only the scale differs: nearest neighbor, with a warning.

    Args:
        plane: The mask or plane.
        height: Of the photo, in pixels.
        width: Of the photo, in pixels.
        name: Names the plane's file in messages.
        what: Says what it is.
        say: Told that it was resized.
        smaller: Makes a plane smaller, to a height and width, in the place of nearest neighbor.

    Raises:
        MaskError: The aspect differs by more than rounded sides explain, or by more than 2 %.
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
    say(name, {"size": f"the {what} has {columns} x {rows} pixels; resized to {width} x {height}"})
    if smaller is not None and rows >= height and columns >= width:
        return smaller(plane, (height, width))
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
