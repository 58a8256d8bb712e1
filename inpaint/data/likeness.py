"""Which photos show the same: told by what they look like, however they were saved.

The perceptual hash is that of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), as
the package `imagehash` computes it with a hash size of 16: which of the 16 x 16 lowest frequencies of the cosine
transform are above their median. Re-compressed and resized copies keep nearly all of its 256 bits, cropped ones do not.
Therefore a photo is hashed in 81 views, each with none, 4 or 8 % of its height or width off at each of its four ends:
the cosines are stretched over the view instead, so that all views are two matrix products. Mirroring changes the sign
of every second frequency.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.images.photo import BT601, luma

Hashes = NDArray[np.uint64]
"""(..., 4), the 256 bits of each."""

FREQUENCIES = 16  # in each direction
BITS = FREQUENCIES**2
OFF = (0.0, 0.04, 0.08)  # of a side, at each of its ends
SPANS = tuple(product(OFF, repeat=2))  # what is off at the start and at the end, none first
VIEWS = len(SPANS) ** 2
LARGEST_PX = 128  # the highest frequency is still sampled 8 times a wave
THRESHOLD = 50
"""Most bits in which two photos differ that show the same, unless something else is asked for.

Copies cropped by up to 8 % at each side, mirrored or not, resized, re-compressed, differ in fewer: docs/evaluating.md
has the measurement, and how many unrelated photos do, too.
"""
_BLOCK = 1 << 15  # hashes compared at once, so that what is between stays in a processor's cache


@dataclass(frozen=True)
class Likeness:
    """Two photos that look alike.

    train, test: their numbers. distance: bits in which the most similar views differ. mirrored: whether one of them was
    mirrored for it.
    """

    train: int
    test: int
    distance: int
    mirrored: bool


def view_hashes(photo: NDArray[np.uint8]) -> tuple[Hashes, Hashes]:
    """Return the hashes of a photo's views, the whole one first, and of the same views mirrored.

    Args:
        photo: (H, W, 3) RGB.

    Returns:
        (81, 4) each.
    """
    height, width = photo.shape[:2]
    scale = LARGEST_PX / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        photo = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    gray = luma(photo, BT601)
    rows, columns = _waves(gray.shape[0]), _waves(gray.shape[1])  # (9 * 16, H), (9 * 16, W)
    shape = (len(SPANS), FREQUENCIES, len(SPANS), FREQUENCIES)
    # (9, 9, 16, 16): spans of the height, of the width, frequencies of the height, of the width
    spectra = (rows @ gray @ columns.T).reshape(shape).transpose(0, 2, 1, 3)
    signs = 1 - 2 * (np.arange(FREQUENCIES) % 2)
    return _bits(spectra), _bits(spectra * signs)


def _bits(spectra: NDArray[np.float64]) -> Hashes:
    flat = spectra.reshape(VIEWS, BITS)
    above = flat > np.median(flat, axis=1, keepdims=True)
    found: Hashes = np.packbits(above, axis=1).view(np.uint64)
    return found


@lru_cache(maxsize=256)
def _waves(side: int) -> NDArray[np.float64]:
    """Return the cosines of each span of a side, integrated over its pixels: (9 * 16, side)."""
    k = np.arange(FREQUENCIES)[:, None]
    waves = []
    for start, end in SPANS:
        first, length = start * side, (1 - start - end) * side
        edges = np.clip((np.arange(side + 1) - first) / length, 0, 1)
        integral = np.where(k == 0, edges, np.sin(np.pi * k * edges) / (np.pi * np.maximum(k, 1)))
        waves.append(np.diff(integral))
    return np.concatenate(waves)


def alike(train: Hashes, test: Hashes, mirrored: Hashes, *, most: int = THRESHOLD) -> Iterator[Likeness]:
    """Yield the pairs of photos of which a view of one is like the other as a whole, ordered by their numbers.

    Args:
        train: The hashes of the training photos' views, (N, 81, 4).
        test: Those of the test photos' views, (M, 81, 4).
        mirrored: Those of the test photos' views mirrored, (M, 81, 4).
        most: The most bits in which they may differ, 0 to 256.
    """
    together = max(1, _BLOCK // (2 * VIEWS))  # test photos whose views are compared at once
    for start in range(0, len(test), together):
        both = np.stack([test[start : start + together], mirrored[start : start + together]], axis=1)  # (m, 2, 81, 4)
        found: dict[tuple[int, int], tuple[int, bool]] = {}
        # A pair is like in two ways: a view of the test photo with the whole training photo, or the other way round.
        for hashes, queries in ((train[:, 0], both), (train, both[:, :, 0])):
            per_train, per_way = hashes.size // (4 * len(train)), queries.size // (4 * 2 * len(both))
            for hit, query, distance in _near(hashes.reshape(-1, 4), queries.reshape(-1, 4), most):
                number, flipped = divmod(query // per_way, 2)
                pair = (start + number, hit // per_train)
                found[pair] = min(found.get(pair, (BITS, True)), (distance, bool(flipped)))
        for (number, index), (distance, flipped) in sorted(found.items()):
            yield Likeness(index, number, distance, flipped)


def _near(hashes: Hashes, queries: Hashes, most: int) -> Iterator[tuple[int, int, int]]:
    """Yield (hash, query, distance) for all hashes (N, 4) and queries (Q, 4) that differ in at most so many bits."""
    wide = min(len(hashes), _BLOCK)
    words = np.ascontiguousarray(queries.T)[:, :, None]  # (4, Q, 1)
    tall = max(1, _BLOCK // max(wide, 1))
    for left in range(0, len(hashes), wide or 1):
        block = np.ascontiguousarray(hashes[left : left + wide].T)[:, None]  # (4, 1, n)
        for top in range(0, len(queries), tall):
            asked = words[:, top : top + tall]
            # Half of the bits already tell nearly all unrelated photos apart.
            half = np.bitwise_count(block[0] ^ asked[0])
            half += np.bitwise_count(block[1] ^ asked[1])
            rows, columns = np.nonzero(half <= most)
            rest = np.bitwise_count(block[2:, 0, columns] ^ asked[2:, rows, 0]).sum(axis=0, dtype=np.int64)
            distances = half[rows, columns] + rest
            for k in np.flatnonzero(distances <= most).tolist():
                yield left + int(columns[k]), top + int(rows[k]), int(distances[k])
