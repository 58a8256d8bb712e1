"""Filling part by part: holes are cut out of a photo with what a fill wants to see around them.

The cost of a fill then follows the holes, not the frame, and a network works at the photo's own scale on images of
about the size that it was trained on. Which parts there are depends on the mask and the fill's capabilities alone.
Where parts would save nothing, or a hole with its context is all of the photo, there is one part, the whole photo.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import inpaint.seeds as seeds
from inpaint.errors import InpaintError
from inpaint.fills.arrays import mean_known
from inpaint.fills.request import ImageSeed
from inpaint.images.regions import Region, components
from inpaint.types import Capabilities, Fill, Inpainter, Progress, ProgressCallback, Seed, StopFill

HoleArray: TypeAlias = NDArray[np.bool_]
Cut: TypeAlias = Callable[[Region], NDArray[Any]]

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
    holes in it belong to other parts.
    """

    region: Region
    hole: HoleArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Painting:
    """One fill of a whole photo.

    colors: (H, W, 3) in its hole, 0 elsewhere. score: higher = better, or None. warnings: what the fill says against
    its answer, with the part where there are several.
    """

    colors: NDArray[Any]
    score: float | None
    warnings: tuple[str, ...] = ()


def works_on_the_whole(capabilities: Capabilities) -> bool:
    """Return whether a fill reads and paints the whole photo, however small its holes."""
    return _Context.of(capabilities) is None


def parts_of(hole: HoleArray, capabilities: Capabilities) -> list[Part]:
    """Return the parts in which a photo is filled; every pixel of the hole belongs to exactly one.

    Args:
        hole: (H, W), not empty.
        capabilities: Of the fill.
    """
    whole = [Part(Region.whole(hole.shape), hole)]
    context = _Context.of(capabilities)
    if context is None or min(hole.shape) <= context.px:
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


def fill_parts(
    inpainter: Inpainter,
    cut: Cut,
    hole: HoleArray,
    *,
    guidance: Mapping[str, NDArray[Any]] | None = None,
    samples: int = 1,
    seed: Seed = 0,
    progress: ProgressCallback | None = None,
) -> list[Painting]:
    """Fill the hole of one photo part by part and return `samples` fills.

    Known pixels are not touched, so sample k of the photo is sample k of every part. A single part has the seed itself,
    as each further one has a seed derived from it.

    Args:
        inpainter: The fill.
        cut: Returns a rectangle of the photo, (h, w, 3) floating point in [0, 1].
        hole: (H, W), not empty.
        guidance: Planes (H, W, C) by name.
        samples: How many fills.
        seed: An integer, or a sequence of one.
        progress: Told every step; previews are those of a part. When it raises StopFill, parts not reached get the mean
            color of what is known around them and the score -inf.

    Raises:
        InpaintError: The fill fails.
    """
    parts = parts_of(hole, inpainter.capabilities)
    steps = _Steps([part.region.area for part in parts], progress)
    paintings: list[NDArray[Any]] = []
    scores: list[list[float]] = []
    warnings: list[list[str]] = [[] for _ in range(samples)]
    for number, part in enumerate(parts):
        rows, image = part.region.slices, cut(part.region)
        fills: Sequence[Fill[Any] | None] = [None] * samples  # of a part that is not reached
        if not steps.stopped:
            fills = inpainter.fill_arrays(
                image[None],
                hole[rows][None, ..., None].astype(np.float32),
                guidance={name: plane[rows][None] for name, plane in (guidance or {}).items()},
                samples=samples,
                seed=_seed_of(seed, number),
                progress=steps.of(number),
            )
        completed = [_completed(fill, image, hole[rows], name=inpainter.name) for fill in fills]
        # Pages of zeros take no memory until they are written to: this holds the hole alone.
        paintings = paintings or [np.zeros((*hole.shape, 3), each.dtype) for each in completed]
        for painting, each in zip(paintings, completed, strict=True):
            painting[rows][part.hole] = each[part.hole]
        scores.append([_score(fill) for fill in fills])
        where = f"part {number + 1} of {len(parts)}: " if len(parts) > 1 else ""
        for told, fill in zip(warnings, fills, strict=True):
            told += [] if fill is None else [f"{where}{text}" for text in fill.warnings]
    weights = [np.count_nonzero(part.hole) for part in parts]
    means = np.average(scores, axis=0, weights=weights)  # NaN where there are no scores
    return [
        Painting(colors=colors, score=None if np.isnan(score) else float(score), warnings=tuple(told))
        for colors, score, told in zip(paintings, means, warnings, strict=True)
    ]


@dataclass(frozen=True)
class _Context:
    """What a fill wants around a hole, see `Capabilities`; least_px and multiple_px: of the sides of the region."""

    px: int
    share: float
    least_px: int
    multiple_px: int

    @classmethod
    def of(cls, capabilities: Capabilities) -> _Context | None:
        """Return what the capabilities say, or None for a fill that wants the whole photo."""
        least_px = max(capabilities.smallest_px, capabilities.trained_px or 0)
        if capabilities.context_px is not None:
            return cls(capabilities.context_px, capabilities.context_share, least_px, capabilities.multiple_px)
        if capabilities.trained_px is not None:
            return cls(capabilities.trained_px // 2, TRAINED_SHARE, least_px, capabilities.multiple_px)
        return None

    def around(self, box: Region, shape: tuple[int, ...]) -> Region:
        """Return the region to read for a hole with this bounding box."""
        wide = box.grown(max(self.px, math.ceil(self.share * max(box.size))), shape)
        return wide.widened(shape, least_px=self.least_px, multiple_px=self.multiple_px)


class _Steps:
    """Progress over all parts, by their areas, since that is what a part costs."""

    def __init__(self, areas: Sequence[int], progress: ProgressCallback | None) -> None:
        self.stopped = False
        self._areas = areas
        self._progress = progress
        self._started = time.monotonic()

    def of(self, number: int) -> ProgressCallback | None:
        """Return what the fill of a part is told to call."""
        tell = self._progress
        if tell is None or len(self._areas) == 1:
            return tell

        def report(step: Progress) -> None:
            share = (sum(self._areas[:number]) + self._areas[number] * step.done / step.total) / sum(self._areas)
            elapsed_s = time.monotonic() - self._started
            try:
                tell(
                    Progress(
                        done=number * step.total + step.done,
                        total=len(self._areas) * step.total,
                        remaining_s=elapsed_s * (1 / share - 1) if share else None,
                        preview=step.preview,
                    )
                )
            except StopFill:
                self.stopped = True
                raise

        return report


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


def _seed_of(seed: Seed, number: int) -> Seed:
    """Return the seed of a part: the photo's own, or one derived from it."""
    if number == 0:
        return seed
    own = ImageSeed.of_each(seed, 1)[0].integer()
    return seeds.integer(own, seeds.PART, number)


def _completed(fill: Fill[Any] | None, image: NDArray[Any], hole: HoleArray, *, name: str) -> NDArray[Any]:
    """Return the completed image (h, w, 3) of a part, or its mean color where it was not reached."""
    if fill is None:
        plain = mean_known(image.transpose(2, 0, 1), hole[None])  # (3, 1, 1)
        return np.broadcast_to(plain[:, 0, 0], image.shape)
    if fill.completed.shape != (1, *image.shape):
        raise InpaintError(f"{name} returned {fill.completed.shape} for an image of {(1, *image.shape)}")
    completed: NDArray[Any] = fill.completed[0]
    return completed


def _score(fill: Fill[Any] | None) -> float:
    if fill is None:
        return -np.inf
    return np.nan if fill.score is None else float(fill.score[0])
