"""Photos that go once around, 360 degrees: the right end continues at the left one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.images.regions import Region
from inpaint.strategies.scaling import Cut, HoleArray


@dataclass(frozen=True)
class Panorama:
    """How a photo that goes around is laid out flat for filling.

    width: of the photo. start: column of it at which the layout begins. more_px: columns that it is continued by on
    both sides.
    """

    width: int
    start: int
    more_px: int

    @classmethod
    def of(cls, hole: HoleArray, around_px: int) -> Panorama:
        """Return the layout that begins in the middle of the longest stretch of columns without a hole.

        Args:
            hole: (H, W), not empty.
            around_px: How far around a hole a fill looks; columns are added as far as the stretch is too short for it.
        """
        width = hole.shape[1]
        free = np.flatnonzero(~hole.any(axis=0))
        if not free.size:
            return cls(width, 0, min(around_px, width // 2))
        breaks = np.flatnonzero(np.diff(np.append(free, free[0] + width)) > 1)  # where a stretch ends
        if not breaks.size:
            return cls(width, int(free[0]), 0)
        ends = free[breaks]
        begins = free[(np.roll(breaks, 1) + 1) % free.size]
        lengths = (ends - begins) % width + 1
        longest = int(lengths.argmax())
        length = int(lengths[longest])
        start = (int(begins[longest]) + length // 2) % width
        return cls(width, start, min(max(around_px - length // 2, 0), width // 2))

    @property
    def columns(self) -> NDArray[np.int64]:
        """The photo's column at each column of the layout."""
        return (np.arange(-self.more_px, self.width + self.more_px) + self.start) % self.width

    def laid_out(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Return a plane (H, W, ...) in the layout."""
        return np.take(plane, self.columns, axis=1)

    def to_fill(self, hole: HoleArray) -> HoleArray:
        """Return which pixels of the layout are filled: each of the hole once.

        Of a hole that goes all around, the continuation at the right as well: its ends are to meet.
        """
        mine = self.laid_out(hole)
        mine[:, : self.more_px] = False
        if not hole.any(axis=0).all():
            mine[:, self.more_px + self.width :] = False
        return mine

    def cut(self, cut: Cut) -> Cut:
        """Return what cuts rectangles out of the layout."""

        def wrapped(region: Region) -> NDArray[Any]:
            pieces, left = [], region.left
            while left < region.right:
                first = (left - self.more_px + self.start) % self.width
                wide = min(region.right - left, self.width - first)
                pieces.append(cut(Region(region.top, region.bottom, first, first + wide)))
                left += wide
            return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)

        return wrapped

    def rolled_up(self, colors: NDArray[Any], hole: HoleArray) -> NDArray[Any]:
        """Return colors (H, width + 2 more_px, 3) of the layout as the photo's (H, W, 3).

        Where the hole goes all around, its beginning passes over from what was painted behind its end.
        """
        middle = colors[:, self.more_px : self.more_px + self.width]
        if self.more_px and hole.any(axis=0).all():
            beyond = colors[:, self.more_px + self.width :]
            weight = 0.5 + 0.5 * np.cos(np.pi * (np.arange(self.more_px) + 0.5) / self.more_px)
            own = middle[:, : self.more_px]
            middle = middle.copy()
            middle[:, : self.more_px] = own + weight[:, None] * (beyond - own)
        return np.roll(middle, self.start, axis=1)

    def guidance(self, planes: Mapping[str, NDArray[Any]] | None) -> dict[str, NDArray[Any]]:
        """Return planes (H, W, C) by name in the layout."""
        return {name: self.laid_out(plane) for name, plane in (planes or {}).items()}
