"""Rectangles of an image: one type for every method that works on a part of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Region:
    """A rectangle of whole pixels: rows top to bottom, columns left to right, ends excluded.

    Example:
        >>> region = Region(2, 5, 10, 14)
        >>> region.size, region.area, region.grown(3, within=(40, 15))
        ((3, 4), 12, Region(top=0, bottom=8, left=7, right=15))
    """

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def whole(cls, size: tuple[int, ...]) -> Region:
        """Return the region of a whole image; size begins with height and width."""
        return cls(0, size[0], 0, size[1])

    @classmethod
    def around(cls, mask: NDArray[np.bool_]) -> Region:
        """Return the bounding box of a mask (H, W). Raises ValueError when nothing is True."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not rows.size:
            raise ValueError("an empty mask has no bounding box")
        return cls(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)

    @classmethod
    def of_slices(cls, rows: slice, columns: slice) -> Region:
        """Return the region of two slices with ends, as `scipy.ndimage.find_objects` gives them."""
        return cls(rows.start, rows.stop, columns.start, columns.stop)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    @property
    def area(self) -> int:
        """Pixels inside."""
        return self.size[0] * self.size[1]

    @property
    def slices(self) -> tuple[slice, slice]:
        """What cuts it out: `array[region.slices]`, `tensor[..., *region.slices]`."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, around_px: int, within: tuple[int, ...], *, least_px: int = 0) -> Region:
        """Return it with more pixels on every side.

        Args:
            around_px: How many.
            within: Height and width of the image, which it does not leave.
            least_px: Side that it has afterwards, where the image is not at an end.
        """

        def wider(start: int, end: int, total: int) -> tuple[int, int]:
            more = max(around_px, -(-(least_px - (end - start)) // 2))
            return max(start - more, 0), min(end + more, total)

        return Region(*wider(self.top, self.bottom, within[0]), *wider(self.left, self.right, within[1]))

    def meets(self, other: Region) -> bool:
        """Return whether the two share a pixel."""
        return (
            self.top < other.bottom and other.top < self.bottom and self.left < other.right and other.left < self.right
        )

    def joined(self, *others: Region) -> Region:
        """Return the smallest rectangle that holds all of them."""
        every = (self, *others)
        return Region(
            min(each.top for each in every),
            max(each.bottom for each in every),
            min(each.left for each in every),
            max(each.right for each in every),
        )


def merged(regions: Iterable[Region]) -> list[Region]:
    """Join regions that meet until none do, and return them from top to bottom, then left to right."""
    separate: list[Region] = []
    for region in regions:
        while (met := next((other for other in separate if other.meets(region)), None)) is not None:
            separate.remove(met)
            region = region.joined(met)
        separate.append(region)
    return sorted(separate, key=lambda region: (region.top, region.left))
