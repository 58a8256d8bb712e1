"""Masks made of masks: one of several by weight, the union of several, and any kind brought to a wanted hole ratio."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from pydantic import BaseModel, Field, SerializeAsAny, field_validator

from inpaint.errors import MaskError
from inpaint.images.lettering import Lettering
from inpaint.masks.base import TRIES, HoleMask, Mask, Share, ShareSpan, blank, scale_to, with_both

BORDER_NOMINAL_PX = 512  # of PConv's masks, whose distance to the border is 50 pixels

Inner = SerializeAsAny[Mask]
"""A mask inside another one; `parse_mask` makes it of what describes it."""


class Weighted(BaseModel, frozen=True, extra="forbid"):
    """A mask and how often it is drawn, relative to the others."""

    mask: Inner
    weight: float = Field(1.0, gt=0, allow_inf_nan=False)


class Mixture(Mask):
    """One of several masks, drawn by weight: `[{mask: deepfill, weight: 3}, {mask: box, weight: 1}]`."""

    kind: Literal["mixture"] = "mixture"
    of: Annotated[tuple[Weighted, ...], Field(min_length=1)]

    def parts(self) -> tuple[Mask, ...]:
        """See `Mask`."""
        return (self, *(inner for part in self.of for inner in part.mask.parts()))

    def draw_lettered(self, rng: np.random.Generator, height: int, width: int) -> tuple[HoleMask, Lettering | None]:
        """See `Mask`."""
        mask, lettering = self._chosen(rng).draw_lettered(rng, height, width)
        return mask, lettering

    def _draw_once(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        return self._chosen(rng).draw(rng, height, width)

    def _chosen(self, rng: np.random.Generator) -> Mask:
        steps = list(accumulate(part.weight for part in self.of))
        chosen = bisect_right(steps, rng.random() * steps[-1])
        return self.of[min(chosen, len(self.of) - 1)].mask


class Union(Mask):
    """The union of several masks, each drawn independently."""

    kind: Literal["union"] = "union"
    of: Annotated[tuple[Inner, ...], Field(min_length=1)]

    def parts(self) -> tuple[Mask, ...]:
        """See `Mask`."""
        return (self, *(inner for part in self.of for inner in part.parts()))

    def draw_lettered(self, rng: np.random.Generator, height: int, width: int) -> tuple[HoleMask, Lettering | None]:
        """See `Mask`; of several texts the last one counts, the others are holes like any other."""
        for _ in range(TRIES):
            mask, lettering = blank(height, width), None
            for part in self.of:
                drawn, written = part.draw_lettered(rng, height, width)
                mask |= drawn
                lettering = written or lettering
            if 0 < cv2.countNonZero(mask) < mask.size:
                return mask, lettering
        return with_both(mask, rng), None

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        height, width = mask.shape
        for part in self.of:
            mask |= part.draw(rng, height, width)


class Target(Mask):
    """Any kind of mask, with a hole ratio within `ratio` (one number, or lowest and highest).

    A mask that has it by chance is taken as it is. After `tries` masks, the one nearest to a ratio drawn uniformly
    from the range grows or shrinks evenly at its rim until exactly that share of the pixels is hole; so the ratio
    always lies in the range, or within half a pixel of it where the range holds no whole number of pixels.

    Args:
        mask: What is brought there.
        ratio: The range.
        tries: How many masks are drawn.
        border: "clear" keeps the hole `border_px` away from the borders, by drawing on what lies within; "touching" has
            a hole pixel nearer than that, by moving a hole that has none. PConv's test masks are half of each.
        border_px: In pixels of an image of 512, scaled by min(height, width) / 512, at least 1.
    """

    kind: Literal["target"] = "target"
    mask: Inner
    ratio: ShareSpan
    tries: int = Field(8, ge=1)
    border: Literal["any", "clear", "touching"] = "any"
    border_px: int = Field(50, ge=1)

    def parts(self) -> tuple[Mask, ...]:
        """See `Mask`."""
        return (self, *self.mask.parts())

    @field_validator("ratio", mode="before")
    @classmethod
    def _one_number(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int | float) else value

    @field_validator("ratio")
    @classmethod
    def _not_trivial(cls, span: tuple[Share, Share]) -> tuple[Share, Share]:
        if span[1] == 0 or span[0] == 1:
            raise ValueError("a mask without a hole, or with nothing else, cannot be asked for")
        return span

    def _draw_once(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        if self.border == "any":
            return self._brought(rng, height, width)
        rim = max(1, round(self.border_px * scale_to(height, width, BORDER_NOMINAL_PX)))
        rows, cols = height - 2 * rim, width - 2 * rim
        if self.border == "clear":
            if rows * cols < 2 or min(rows, cols) < 1 or self.ratio[0] * height * width > rows * cols - 1:
                raise MaskError(
                    f"a hole of {self.ratio[0]:.0%} that keeps {rim} pixels away from the borders has no room in "
                    f"{height} x {width}"
                )
            mask = blank(height, width)
            mask[rim : height - rim, rim : width - rim] = self._brought(rng, rows, cols, size=height * width)
            return mask
        return _touching(self._brought(rng, height, width), rim)

    def _brought(self, rng: np.random.Generator, height: int, width: int, *, size: int | None = None) -> HoleMask:
        """Draw a mask with the wanted hole ratio; size: pixels that the ratio is of, those of the mask by default."""
        size = size or height * width
        lowest, highest = self.ratio
        wanted = lowest + (highest - lowest) * rng.random()
        nearest, distance = blank(height, width), math.inf
        for _ in range(self.tries):
            mask = self.mask.draw(rng, height, width)
            ratio = cv2.countNonZero(mask) / size
            if lowest <= ratio <= highest:
                return mask
            if abs(ratio - wanted) < distance:
                nearest, distance = mask, abs(ratio - wanted)
        count = min(_whole(wanted, self.ratio, size), nearest.size - 1)
        return with_hole_pixels(nearest, count, 2 * math.pi * rng.random())


def _touching(mask: HoleMask, rim: int) -> HoleMask:
    """Return the mask, moved to the nearest border where no hole pixel lies within `rim` of one, until one does."""
    rows, cols = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    gaps = (int(rows[0]), mask.shape[0] - 1 - int(rows[-1]), int(cols[0]), mask.shape[1] - 1 - int(cols[-1]))
    side = min(range(4), key=gaps.__getitem__)  # top, bottom, left, right
    step = gaps[side] - (rim - 1)
    if step <= 0:
        return mask
    # What leaves the mask on one side, all known, comes back on the other one.
    return np.ascontiguousarray(np.roll(mask, step if side % 2 else -step, axis=side // 2))


def _whole(wanted: float, span: tuple[float, float], size: int) -> int:
    """Return a number of hole pixels within the span (where there is one), at least 1 and at most size - 1."""
    count = round(wanted * size)
    # A tiny allowance, so that 0.3 of 10 pixels is 3 although 0.3 * 10 may not be.
    fewest, most = math.ceil(span[0] * size - 1e-6), math.floor(span[1] * size + 1e-6)
    if fewest <= most:
        count = min(max(count, fewest), most)
    return min(max(count, 1), size - 1)


def with_hole_pixels(mask: HoleMask, count: int, direction_rad: float = 0.0) -> HoleMask:
    """Return the mask grown or shrunk at its rim to exactly `count` hole pixels, 1 <= count < size.

    Pixels join in the order of their distance to the hole (and leave in the order of their distance to what is known).

    Args:
        mask: (H, W), with both kinds of pixels.
        count: Hole pixels afterwards.
        direction_rad: Of equally distant pixels those further along it come first, so that the last ring has no ragged
            edge.
    """
    hole = cv2.countNonZero(mask)
    if hole == count:
        return mask.copy()
    grow = hole < count
    candidates = 1 - mask if grow else mask
    # Counted in steps of 1/64 pixel: whole rings are taken without sorting all pixels, only the last ring is sorted.
    steps = np.asarray(cv2.distanceTransform(candidates, cv2.DIST_L2, 5) * 64, dtype=np.int32).ravel()
    sizes = np.bincount(steps)
    sizes[0] = 0  # the pixels that stay what they are
    ends = np.cumsum(sizes)
    change = abs(count - hole)
    ring = int(np.searchsorted(ends, change))  # the ring in which the wanted number is reached
    result = mask.ravel().copy()
    value = 1 if grow else 0
    result[(steps > 0) & (steps < ring)] = value
    pixels = np.flatnonzero(steps == ring)
    along = math.sin(direction_rad) * (pixels // mask.shape[1]) + math.cos(direction_rad) * (pixels % mask.shape[1])
    first = np.argsort(-along, kind="stable")[: change - int(ends[ring - 1])]
    result[pixels[first]] = value
    return result.reshape(mask.shape)
