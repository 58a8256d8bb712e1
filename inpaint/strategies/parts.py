"""Which parts of a photo are filled: holes are cut out of it with what a fill wants to see around them.

The cost of a fill then follows the holes, not the frame, and a network works at the photo's own scale on images of
about the size that it was trained on. Which parts there are depends on the mask and the fill's capabilities alone.
Where parts would save nothing, or a hole with its context is all of the photo, there is one part, the whole photo.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inpaint.images.regions import Region, components
from inpaint.strategies.scaling import HoleArray, scaled_to
from inpaint.types import Capabilities

NEAR_PX = 24  # holes nearer than this, or than the context, are one: they influence each other
CELL_PX = 256  # holes whose middles lie in one cell of a grid are filled together: a call costs as much as such a cell
TRAINED_SHARE = (
    0.5  # context of a network, of the hole's longer side: a quarter of the image is hole then, as in training
)
WORTH_SHARE = 0.75  # of the photo's area: from here on parts save too little to be worth their borders


@dataclass(frozen=True, eq=False)
class Part:
    """Holes that are filled together.

    region: the rectangle that is read and painted. hole: (h, w) of the region, what is filled as this part; further
    holes in it belong to other parts. working: height and width that it is painted at, where not the region's own.
    tile_px: side of the tiles in which it is painted, where not at once.
    """

    region: Region
    hole: HoleArray
    working: tuple[int, int] | None = None
    tile_px: int | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that it is painted at."""
        return self.working or self.region.size

    @property
    def scale(self) -> float:
        """The size that it is painted at as a share of its own."""
        return max(self.size) / max(self.region.size)

    @property
    def at_once_px(self) -> int:
        """Pixels that the fill gets in one call."""
        height, width = self.size
        most = self.tile_px or max(height, width)
        return min(height, most) * min(width, most)

    def within(self, longer_px: float) -> Part:
        """Return it painted at a longer side of at most so many pixels."""
        if longer_px >= max(self.size):
            return self
        return replace(self, working=scaled_to(self.region.size, longer_px))


def works_on_the_whole(capabilities: Capabilities) -> bool:
    """Return whether a fill reads and paints the whole photo, however small its holes."""
    return _Context.of(capabilities) is None


def context_px(hole: HoleArray, capabilities: Capabilities, *, margin_px: int | None = None) -> int:
    """Return how far around a hole (H, W), not empty, a fill looks at most; the photo's width where it has no end."""
    context = _Context.of(capabilities, margin_px)
    if context is None:
        return int(hole.shape[1])
    _, boxes = components(hole, gap_px=min(context.px, NEAR_PX))
    return max(max(context.px, math.ceil(context.share * max(box.size)), context.least_px // 2) for box in boxes)


def whole_of(hole: HoleArray) -> list[Part]:
    """Return the one part that is all of a photo."""
    return [Part(Region.whole(hole.shape), hole)]


def parts_of(
    hole: HoleArray, capabilities: Capabilities, *, margin_px: int | None = None, trigger_px: int = 0
) -> list[Part]:
    """Return the parts in which a photo is filled; every pixel of the hole belongs to exactly one.

    Args:
        hole: (H, W), not empty.
        capabilities: Of the fill.
        margin_px: Around a hole, in place of what the capabilities say.
        trigger_px: Photos whose longer side is no more than this are one part.
    """
    whole = whole_of(hole)
    context = _Context.of(capabilities, margin_px)
    if context is None or min(hole.shape) <= context.px or max(hole.shape) <= trigger_px:
        return whole
    gap_px = min(context.px, NEAR_PX)
    near = Region.around(hole).grown(0, hole.shape)
    labels, boxes = components(hole[near.slices], gap_px=gap_px)
    boxes = [box.moved(near.top, near.left) for box in boxes]
    cell_px = max(CELL_PX, 2 * context.px)
    most = (2 * cell_px) ** 2  # area up to which parts are joined: a cell and half of one around it
    groups = _joined(_binned(boxes, [context.around(box, hole.shape) for box in boxes], cell_px), most)
    area = sum(region.area for region, _ in groups)
    small = hole.size <= 4 * most and area >= WORTH_SHARE * hole.size
    if small or any(region.area == hole.size for region, _ in groups):
        return whole
    number = np.zeros(len(boxes) + 1, np.int32)  # of each label's group
    for group, (_, own) in enumerate(groups, start=1):
        number[own] = group
    parts = []
    for group, (region, _) in enumerate(groups, start=1):
        inner = region.shared(near)
        mine = np.zeros(region.size, np.bool_)
        mine[inner.moved(-region.top, -region.left).slices] = (
            number[labels[inner.moved(-near.top, -near.left).slices]] == group
        )
        parts.append(Part(region, mine & hole[region.slices]))
    return parts


@dataclass(frozen=True)
class _Context:
    """What a fill wants around a hole, see `Capabilities`; least_px and multiple_px: of the sides of the region."""

    px: int
    share: float
    least_px: int
    multiple_px: int

    @classmethod
    def of(cls, capabilities: Capabilities, margin_px: int | None = None) -> _Context | None:
        """Return what the capabilities say, or None for a fill that wants the whole photo; margin_px: instead of it."""
        if capabilities.recolors:
            return None  # the light of the whole photo counts
        least_px = max(capabilities.smallest_px, capabilities.trained_px or 0)
        if margin_px is not None:
            return cls(margin_px, 0.0, least_px, capabilities.multiple_px)
        if capabilities.context_px is not None:
            return cls(capabilities.context_px, capabilities.context_share, least_px, capabilities.multiple_px)
        if capabilities.trained_px is not None:
            return cls(capabilities.trained_px // 2, TRAINED_SHARE, least_px, capabilities.multiple_px)
        return None

    def around(self, box: Region, shape: tuple[int, ...]) -> Region:
        """Return the region to read for a hole with this bounding box."""
        wide = box.grown(max(self.px, math.ceil(self.share * max(box.size))), shape)
        return wide.widened(shape, least_px=self.least_px, multiple_px=self.multiple_px)


def _binned(boxes: Sequence[Region], regions: Sequence[Region], cell_px: int) -> list[tuple[Region, list[int]]]:
    """Return the regions in which holes are filled together, with the labels of these holes, counted from 1.

    Together are the small holes whose middles lie in one cell of a grid. boxes: of each hole; regions: with context.
    """
    groups: dict[tuple[int, ...], tuple[Region, list[int]]] = {}
    for label, (box, region) in enumerate(zip(boxes, regions, strict=True), start=1):
        cell = ((box.top + box.bottom) // 2 // cell_px, (box.left + box.right) // 2 // cell_px)
        key = cell if 2 * max(box.size) <= cell_px else (*cell, label)
        joined, labels = groups.get(key, (region, []))
        labels.append(label)
        groups[key] = (joined.joined(region), labels)
    return list(groups.values())


def _joined(groups: Sequence[tuple[Region, list[int]]], most: int) -> list[tuple[Region, list[int]]]:
    """Join regions, with the labels of their holes, where the joined one is no larger than both are.

    most: Area up to which they are joined; beyond it, only a region that lies in another one.
    """
    separate: list[tuple[Region, list[int]]] = []
    sides = np.empty((0, 4), np.int64)  # of the separate ones: minus top, minus left, bottom, right
    for region, labels in groups:
        while True:
            own = np.array([-region.top, -region.left, region.bottom, region.right])
            joint, areas = _areas(np.maximum(sides, own)), _areas(sides)
            saved = np.where(joint <= np.maximum(most, np.maximum(areas, region.area)), areas + region.area - joint, -1)
            if not len(saved) or saved.max() < 0:
                break
            other, more = separate.pop(best := int(saved.argmax()))
            sides = np.delete(sides, best, axis=0)
            region, labels = region.joined(other), labels + more
        separate.append((region, labels))
        sides = np.vstack((sides, own))
    return sorted(separate, key=lambda group: (group[0].top, group[0].left))


def _areas(sides: NDArray[np.int64]) -> NDArray[np.int64]:
    areas: NDArray[np.int64] = (sides[:, 2] + sides[:, 0]) * (sides[:, 3] + sides[:, 1])
    return areas
