"""Masks that belong to the photos one by one: found by name, read with the photo, and cut as it is."""

from __future__ import annotations

import logging
import os

import numpy as np
from numpy.typing import NDArray

from inpaint.data.opening import counted
from inpaint.data.sources import FileSource, PhotoSource
from inpaint.errors import DataError
from inpaint.images.listing import Companions
from inpaint.images.masks import fit_to, hush
from inpaint.images.regions import Region
from inpaint.masks import HoleMask, Paired

logger = logging.getLogger("inpaint.data")

_NAMED = 3  # photos without a mask that are named; the rest is a number


class PairedMasks:
    """The masks of a source's photos.

    Args:
        masks: Where they lie and how they are read.
        source: The photos. Masks are looked for by a photo's path below a folder; for lists, absolute paths and shards
            also by the ends of that path.
    """

    def __init__(self, masks: Paired, source: PhotoSource) -> None:
        self.masks = masks
        self.source = source
        beside = isinstance(source, FileSource) and os.path.realpath(source.base) == os.path.realpath(masks.folder)
        self._files = Companions(masks.folder, "mask", beside=beside)

    def files_of(self, index: int) -> list[str]:
        """Return the paths of the masks of photo `index`, sorted."""
        name = self.source.names[index].replace(os.sep, "/")
        ends = (
            [name]
            if self.source.kind == "folder"
            else [name.split("/", skip)[-1] for skip in range(name.count("/") + 1)]
        )
        found = next((files for end in ends if (files := self._files.of(end))), [])
        return sorted(map(str, found))

    def having(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the photos that have a mask, and name the others in a warning.

        Raises:
            DataError: There are none.
        """
        has = np.array([bool(self.files_of(int(index))) for index in indices], bool)
        if not has.any():
            raise DataError(
                f"no photo has a mask of its name in '{self.masks.path}' (a.png or a_mask001.png for a.jpg)"
            )
        if not has.all():
            lacking = [self.source.name(int(index)) for index in indices[~has]]
            some = ", ".join(lacking[:_NAMED]) + (", ..." if len(lacking) > _NAMED else "")
            count = counted(len(lacking), "photo")
            logger.warning("%s without a mask in '%s' left out: %s", count, self.masks.path, some)
        kept: NDArray[np.int64] = indices[has]
        return kept

    def read(self, index: int, size: tuple[int, ...], rng: np.random.Generator) -> HoleMask:
        """Return the mask of photo `index`, one of several at random, at the photo's size (H, W): 1 = hole.

        Raises:
            InputError: It cannot be read, has no hole, or another shape than the photo.
        """
        files = self.files_of(index)
        path = files[int(rng.integers(len(files)))]
        return fit_to(self.masks.read(path), *size, name=path, say=hush)


def around_hole(hole: HoleMask, side: int, rng: np.random.Generator) -> Region:
    """Return the part of a photo of which every square of `side` pixels shows something of the hole.

    Args:
        hole: (H, W), 1 = hole somewhere.
        side: Not above height and width.
        rng: Chooses the pixel of the hole that is shown.
    """
    pixel = int(rng.choice(np.flatnonzero(hole)))
    return _around(divmod(pixel, hole.shape[1]), side - 1, side - 1, hole.shape, side)


def center_on_hole(hole: HoleMask) -> Region:
    """Return the square, as high or wide as the photo, that is nearest to its middle and centered on a hole pixel."""
    height, width = hole.shape
    side = min(height, width)
    rows, columns = np.nonzero(hole)
    nearest = int(np.argmin((rows - height / 2) ** 2 + (columns - width / 2) ** 2))
    return _around((int(rows[nearest]), int(columns[nearest])), side // 2, side - side // 2 - 1, hole.shape, side)


def _around(pixel: tuple[int, int], before: int, after: int, size: tuple[int, ...], side: int) -> Region:
    """Return what reaches so far around a pixel, moved into the photo where it is `side` pixels wide at least."""
    bounds = []
    for at, total in zip(pixel, size, strict=True):
        start = min(max(at - before, 0), total - side)
        bounds.append((start, max(min(at + after + 1, total), start + side)))
    (top, bottom), (left, right) = bounds
    return Region(top, bottom, left, right)
