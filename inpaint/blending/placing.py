"""Where the source goes: scaled, rotated and moved into the target's frame, cropped at its border."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from inpaint.blending.base import Image, Mask
from inpaint.errors import MaskError, UsageError
from inpaint.images.regions import Region
from inpaint.types import OneLine

LARGEST_SCALE = 1000.0


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How a source is put into a target.

    Args:
        at: x and y of the source's top left corner in the target, which may be negative; of a rotated source, of the
            box around it. None: its center lies in the center of the target, so one of the target's size stays.
        scale: Factor of its size.
        rotate: Degrees, counterclockwise.

    Raises:
        UsageError: A number is out of range.
    """

    at: tuple[int, int] | None = None
    scale: float = 1.0
    rotate: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.scale <= LARGEST_SCALE:
            raise UsageError(f"scale must be above 0 and at most {LARGEST_SCALE:g}, got {self.scale:g}")
        if not math.isfinite(self.rotate):
            raise UsageError(f"rotate must be a finite number of degrees, got {self.rotate}")
        if self.at is not None and max(map(abs, self.at)) > 10**9:
            raise UsageError(f"at must be x,y in pixels of the target, got {self.at[0]},{self.at[1]}")

    def centered_at(self, x: float, y: float, size: tuple[int, int]) -> Placement:
        """Return it with the center of a source of this height and width at a point of the target, to half a pixel.

        Example:
            >>> Placement(scale=2.0).centered_at(20, 30, (4, 6)).at
            (14, 26)
        """
        height, width = _box(_scaled(size, self.scale), self.rotate)
        return replace(self, at=(round(x - width / 2), round(y - height / 2)))


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Placed(OneLine):
    """A source in the target's frame.

    Args:
        source: (H, W, 3) in [0, 1], beyond its own border continued by that.
        mask: (H, W), the object; at least one pixel.
        outside_share: How much of the object lies outside of the target's frame and is lost.
    """

    source: Image
    mask: Mask
    outside_share: float


def place(
    source: Image,
    mask: Mask,
    size: tuple[int, int],
    placement: Placement | None = None,
    *,
    window: Region | None = None,
) -> Placed:
    """Return a source and its mask in a frame of this size, or in a window of it.

    A source that is neither scaled nor rotated, but by right angles, keeps its values bit for bit. Smaller sources are
    made by averaging areas, larger and rotated ones by cubic interpolation, clipped to [0, 1].

    Args:
        source: (h, w, 3) in [0, 1], with colors everywhere: see `continued`.
        mask: (h, w), the object.
        size: Height and width of the target.
        placement: Default: centered, as it is.
        window: Of the frame: what is returned is this part of it. None: all.

    Raises:
        MaskError: Nothing of the object is left, or nothing in the frame.

    Example:
        >>> source, mask = np.full((2, 2, 3), 0.5, np.float32), np.ones((2, 2), bool)
        >>> placed = place(source, mask, (3, 4), Placement(at=(-1, 1)))
        >>> placed.mask.astype(int).tolist(), placed.outside_share
        ([[0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]], 0.5)
    """
    placement, window = placement or Placement(), window or Region.whole(size)
    if not mask.any():
        raise MaskError("the source's mask is empty: there is no object to blend")
    height, width = _scaled(mask.shape, placement.scale)
    share = mask.astype(np.float32)
    if height < mask.shape[0] or width < mask.shape[1]:
        source = np.asarray(cv2.resize(source, (width, height), interpolation=cv2.INTER_AREA))
        share = np.asarray(cv2.resize(share, (width, height), interpolation=cv2.INTER_AREA))
    quarters, rest = divmod(placement.rotate, 90)
    if rest == 0 and share.shape == (height, width):
        source, share = (np.rot90(each, int(quarters) % 4) for each in (source, share))
        return _moved(source, share > 0.5, _Frame(size, window), placement)
    return _warped(source, share, (height, width), _Frame(size, window), placement)


def source_box(mask: Mask, size: tuple[int, int], placement: Placement) -> Region:
    """Return the box of the object's part of a placed source within a frame of this size; it may be without pixels.

    Args:
        mask: (h, w), the object; at least one pixel.
        size: Height and width of the target.
        placement: Where it goes.
    """
    height, width = _scaled(mask.shape, placement.scale)
    box = _box((height, width), placement.rotate)
    x, y = _corner(placement, box, size)
    placed = Region(y, y + box[0], x, x + box[1])
    if placement.rotate == 0:  # the object may be a small part of its source
        own = Region.around(mask)
        down, across = height / mask.shape[0], width / mask.shape[1]
        placed = Region(
            y + math.floor(own.top * down) - 1,
            y + math.ceil(own.bottom * down) + 1,
            x + math.floor(own.left * across) - 1,
            x + math.ceil(own.right * across) + 1,
        )
    return placed.shared(Region.whole(size))


@dataclass(frozen=True)
class _Frame:
    """The target's height and width, and the window of it that is wanted."""

    size: tuple[int, int]
    window: Region


def _scaled(size: tuple[int, ...], scale: float) -> tuple[int, int]:
    """Return height and width of a source at a scale."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _box(full: tuple[int, int], rotate: float) -> tuple[int, int]:
    """Return height and width of the box around a rotated rectangle of this height and width."""
    angle = math.radians(rotate)
    cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
    height, width = full
    return math.ceil(width * sin + height * cos - 1e-6), math.ceil(width * cos + height * sin - 1e-6)


def _corner(placement: Placement, box: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int]:
    """Return x and y of the top left corner of a box (height, width) in the frame."""
    return placement.at or ((size[1] - box[1]) // 2, (size[0] - box[0]) // 2)


def _moved(source: Image, mask: Mask, frame: _Frame, placement: Placement) -> Placed:
    total = int(mask.sum())
    if not total:
        raise MaskError("nothing of the object is left at this scale")
    x, y = _corner(placement, mask.shape, frame.size)
    height, width = mask.shape
    window = frame.window
    inside = window.shared(Region(y, y + height, x, x + width))
    result = np.zeros(window.size, bool)
    result[inside.moved(-window.top, -window.left).slices] = mask[inside.moved(-y, -x).slices]
    rows, columns = np.arange(window.top, window.bottom), np.arange(window.left, window.right)
    continued_source = source[(rows - y).clip(0, height - 1)[:, None], (columns - x).clip(0, width - 1)]
    box = Region.around(mask).moved(y, x)
    return _found(np.ascontiguousarray(continued_source), result, total, box, frame)


def _warped(source: Image, share: NDArray[Any], full: tuple[int, int], frame: _Frame, placement: Placement) -> Placed:
    """Scale what is still smaller than `full` (height, width), and rotate, in one interpolation."""
    angle = math.radians(placement.rotate)
    cos, sin = math.cos(angle), math.sin(angle)
    height, width = full
    box = _box(full, placement.rotate)
    x, y = _corner(placement, box, frame.size)
    window = frame.window
    across, down = width / share.shape[1], height / share.shape[0]
    turned = np.array([[cos * across, sin * down], [-sin * across, cos * down]])
    # Centers of pixels lie at halves; both centers of the boxes lie on each other.
    middle = np.array([share.shape[1] - 1, share.shape[0] - 1]) / 2
    goal = np.array([x + (box[1] - 1) / 2, y + (box[0] - 1) / 2])
    matrix = np.column_stack([turned, goal - turned @ middle - [window.left, window.top]])
    shown = (window.size[1], window.size[0])
    turned_share = np.asarray(cv2.warpAffine(share, matrix, shown, flags=cv2.INTER_LINEAR))
    mask = turned_share > min(0.5, 0.99 * turned_share.max())  # one pixel may fall between four
    colors = cv2.warpAffine(source, matrix, shown, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    total = max(float((share > 0.5).sum()) * across * down, 1.0)
    corners = turned @ np.array(_corners(share > 0.5)).T + (goal - turned @ middle)[:, None]
    (left, top), (right, bottom) = np.floor(corners.min(axis=1)), np.ceil(corners.max(axis=1))
    own = Region(int(top), int(bottom), int(left), int(right))
    return _found(np.asarray(colors).clip(0, 1), mask, total, own, frame)


def _corners(mask: Mask) -> list[tuple[float, float]]:
    """Return x and y of the corners of a mask's box, between pixels."""
    if not mask.any():
        raise MaskError("nothing of the object is left at this scale")
    box = Region.around(mask)
    return [(x - 0.5, y - 0.5) for x in (box.left, box.right) for y in (box.top, box.bottom)]


def _found(source: Image, mask: Mask, total: float, box: Region, frame: _Frame) -> Placed:
    """Return the answer; `total` pixels of the object were to be placed, in this box of the target's frame."""
    if not mask.any():
        height, width = frame.size
        raise MaskError(
            f"the object lies wholly outside of the target: at x {box.left} to {box.right}, y {box.top} to "
            f"{box.bottom}, while the target has {width} x {height} pixels; move it by at"
        )
    return Placed(source=source, mask=mask, outside_share=max(0.0, 1 - float(mask.sum()) / total))


def continued(source: Image, known: Mask) -> Image:
    """Return a source whose unknown pixels have the color of the nearest known one.

    What a file stores under its transparent pixels is nobody's color, and would be mixed into the object's border.

    Args:
        source: (H, W, 3).
        known: (H, W); without a known pixel the source comes back as it is.
    """
    if known.all() or not known.any():
        return source
    rows, columns = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    result: Image = source[rows, columns]
    return result
