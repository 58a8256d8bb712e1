"""Rectangles of an image: one type for every method that works on a part of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
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

    def widened(self, within: tuple[int, ...], *, least_px: int, multiple_px: int = 1) -> Region:
        """Return it with sides that suit a method, moved where an end of the image is in the way.

        Args:
            within: Height and width of the image, which it does not leave.
            least_px: Shortest side; the image's own where that is shorter.
            multiple_px: Of which the sides are multiples, as far as the image reaches.

        Example:
            >>> Region(0, 5, 10, 14).widened((40, 15), least_px=6, multiple_px=4)
            Region(top=0, bottom=8, left=7, right=15)
        """

        def wider(start: int, end: int, total: int) -> tuple[int, int]:
            side = min(-(-max(end - start, least_px) // multiple_px) * multiple_px, total)
            first = min(max(start - (side - (end - start)) // 2, 0), total - side)
            return first, first + side

        return Region(*wider(self.top, self.bottom, within[0]), *wider(self.left, self.right, within[1]))

    def moved(self, down: int, right: int) -> Region:
        """Return it shifted by so many pixels, also beyond the ends of an image."""
        return Region(self.top + down, self.bottom + down, self.left + right, self.right + right)

    def meets(self, other: Region) -> bool:
        """Return whether the two share a pixel."""
        return (
            self.top < other.bottom and other.top < self.bottom and self.left < other.right and other.left < self.right
        )

    def shared(self, other: Region) -> Region:
        """Return the rectangle that both hold; without pixels where they do not meet."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        return Region(top, max(min(self.bottom, other.bottom), top), left, max(min(self.right, other.right), left))

    def joined(self, *others: Region) -> Region:
        """Return the smallest rectangle that holds all of them."""
        every = (self, *others)
        return Region(
            min(each.top for each in every),
            max(each.bottom for each in every),
            min(each.left for each in every),
            max(each.right for each in every),
        )


def components(mask: NDArray[np.bool_], *, gap_px: int = 0) -> tuple[NDArray[np.int32], list[Region]]:
    """Return the connected parts of a mask (H, W): a label for each pixel of it, and the bounding box of each label.

    Args:
        mask: True = of a part; neighbors are connected, diagonal ones too.
        gap_px: Parts with at most so many pixels between them count as one.

    Returns:
        Labels (H, W), 1 for the first box; what they are outside the mask has no meaning.

    Example:
        >>> labels, boxes = components(np.array([[True, False, True, False, False, True]]), gap_px=1)
        >>> labels[0, [0, 2, 5]], boxes[0].size
        (array([1, 1, 2], dtype=int32), (1, 3))
    """
    before, behind = gap_px // 2, gap_px - gap_px // 2
    # With a margin, so that a box is its part's own grown by exactly the gap at the ends of the image, too.
    grown = cv2.copyMakeBorder(mask.astype(np.uint8), before, behind, before, behind, cv2.BORDER_CONSTANT)
    if gap_px:
        grown = cv2.dilate(grown, np.ones((gap_px + 1, gap_px + 1), np.uint8), anchor=(behind, behind))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(grown, connectivity=8)
    height, width = mask.shape
    boxes = [Region(y, y + h - gap_px, x, x + w - gap_px) for x, y, w, h, _ in stats[1:].tolist()]
    return labels[before : before + height, before : before + width].astype(np.int32, copy=False), boxes


def merged(regions: Iterable[Region]) -> list[Region]:
    """Join regions that meet until none do, and return them from top to bottom, then left to right."""
    separate: list[Region] = []
    for region in regions:
        while (met := next((other for other in separate if other.meets(region)), None)) is not None:
            separate.remove(met)
            region = region.joined(met)
        separate.append(region)
    return sorted(separate, key=lambda region: (region.top, region.left))
