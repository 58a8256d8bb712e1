"""A part of an image made anew of another image's patches (Barnes et al. 2009): each pixel a mean of their pixels."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.classical.patchmatch import Search

SIDE = 7  # of a patch
REACH = SIDE // 2
SWEEPS = 5  # of the search


def resynthesized(
    image: NDArray[np.float32],
    texture: NDArray[np.float32],
    where: NDArray[np.bool_],
    *,
    rng: np.random.Generator,
    legal: NDArray[np.bool_] | None = None,
    report: Callable[[float], None] = lambda share: None,
) -> NDArray[np.float32]:
    """Return the image with the pixels in `where` made of patches of the texture.

    Args:
        image: (H, W, 3).
        texture: (h, w, 3), at least SIDE a side.
        where: (H, W).
        rng: Decides where is looked.
        legal: (h, w), pixels of which patches may consist; None: all. Without a whole patch all are taken.
        report: Told which share is done.

    Returns:
        (H, W, 3). Patches meet the frame mirrored.
    """
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    if not rows.size:
        return image.copy()
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    # Every patch that holds a pixel to be made: centers up to REACH outside, whose patches reach as far again.
    margin = 2 * REACH
    mirrored = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    part = mirrored[top : bottom + 2 * margin, left : right + 2 * margin]
    inside = np.pad(where[top:bottom, left:right], margin)
    plane, first_row = _stacked(texture, part)
    source = np.zeros(plane.shape[:2], np.bool_)
    source[: texture.shape[0], : texture.shape[1]] = _centers(texture.shape[:2], legal)
    targets = np.zeros(plane.shape[:2], np.bool_)
    targets[first_row : first_row + part.shape[0], : part.shape[1]] = _grown(inside)
    centers, everywhere = np.flatnonzero(targets), np.flatnonzero(source)
    begun = everywhere[rng.integers(0, len(everywhere), len(centers))]
    search = Search(plane, np.ones(plane.shape[:2], np.float32), centers, source, begun, side=SIDE)
    longest = max(texture.shape[:2])
    radii = [longest >> halving for halving in range(longest.bit_length())]
    for sweep in range(SWEEPS):
        search.improve(rng, jumps=(8, 1) if sweep == 0 else (2, 1), radii=radii)
        report((sweep + 1) / SWEEPS)
    made = np.zeros((*inside.shape, 3), np.float32)
    offsets = np.flatnonzero(inside)
    pixel_rows, pixel_columns = np.divmod(offsets, inside.shape[1])
    places = (pixel_rows + first_row) * plane.shape[1] + pixel_columns
    flat, total = plane.reshape(-1, 3), np.zeros((len(places), 3), np.float32)
    for down in range(-REACH, REACH + 1):
        for across in range(-REACH, REACH + 1):
            step = down * plane.shape[1] + across
            total += flat[search.sources[search.number[places - step]] + step]
    made.reshape(-1, 3)[offsets] = total / (SIDE * SIDE)
    result = image.copy()
    result[where] = made[inside]
    return result


def _stacked(texture: NDArray[np.float32], part: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """Return both in one plane, one below the other, and the row at which the second begins."""
    width = max(texture.shape[1], part.shape[1])
    plane = np.zeros((texture.shape[0] + part.shape[0], width, 3), np.float32)
    plane[: texture.shape[0], : texture.shape[1]] = texture
    plane[texture.shape[0] :, : part.shape[1]] = part
    return plane, texture.shape[0]


def _grown(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where a patch meets the pixels."""
    return np.asarray(cv2.dilate(inside.astype(np.uint8), np.ones((SIDE, SIDE), np.uint8)), np.bool_)


def _centers(size: tuple[int, ...], legal: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return where whole patches of what may be used are centered."""
    inner = np.zeros(size, np.bool_)
    inner[REACH : size[0] - REACH, REACH : size[1] - REACH] = True
    if legal is None:
        return inner
    chosen = inner & ~_grown(~legal)
    return chosen if chosen.any() else inner
