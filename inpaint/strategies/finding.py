"""Finding what is contaminated in a photo of any size, by a blind model: whole, or in squares that overlap.

Everything is looked at at the photo's own scale, since text and scratches vanish in reductions. Squares know nothing of
each other; where they overlap their maps are averaged, by weights that fall to 0 before the border of a square, where
its model has seen least.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InpaintError
from inpaint.images.regions import Region
from inpaint.strategies.planning import gigabytes, pixel_bytes
from inpaint.strategies.scaling import Cut
from inpaint.system.environment import is_out_of_memory
from inpaint.types import Capabilities, Inpainter

SQUARE_BYTES = 1.5e9
"""What looking at one square may take: its side follows from this and not from what is free, so that a photo has the
same answer everywhere."""
LEAST_PX, MOST_PX = 256, 1024
"""Sides of a square; a model trained on larger crops has their side at least."""
OVERLAP_SHARE = 0.25  # of the side of a square, that it shares with the next one
UNHEARD_SHARE = 0.25  # of the overlap: what so close to its border a square says does not count

SoftMap = NDArray[np.float32]
"""(H, W), from 0 to 1."""


def find_contaminated(inpainter: Inpainter, cut: Cut, size: tuple[int, int]) -> SoftMap:
    """Return how much a blind model takes each pixel of a photo for contaminated.

    Where memory runs out, all squares are taken with half the side.

    Args:
        inpainter: The model.
        cut: Returns a rectangle of the photo.
        size: Height and width of the photo.

    Raises:
        MaskError: The model is not blind.
        InpaintError: Memory does not reach.
    """
    side_px = square_px(inpainter.capabilities)
    while True:
        try:
            return _in_squares(inpainter, cut, size, side_px)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside of the handler, whose traceback keeps what took the memory.
        if side_px // 2 < LEAST_PX:
            needed = gigabytes(pixel_bytes(inpainter.capabilities) * side_px**2)
            raise InpaintError(f"not enough memory for {inpainter.name} to look at {side_px} x {side_px} px: {needed}")
        side_px = _multiple(side_px // 2, inpainter.capabilities)


def square_px(capabilities: Capabilities) -> int:
    """Return the side of the squares in which a photo is looked at; one of no more pixels is looked at whole."""
    side = math.sqrt(SQUARE_BYTES / pixel_bytes(capabilities))
    least = max(LEAST_PX, capabilities.trained_px or 0, capabilities.smallest_px)
    return _multiple(int(max(least, min(side, MOST_PX))), capabilities)


def _multiple(side_px: int, capabilities: Capabilities) -> int:
    """Return a side that a network takes as it is, no less than this."""
    return -(-side_px // capabilities.multiple_px) * capabilities.multiple_px


def _in_squares(inpainter: Inpainter, cut: Cut, size: tuple[int, int], side_px: int) -> SoftMap:
    """Look at a photo square by square, row by row."""
    height, width = size
    if height * width <= side_px**2:
        return _looked_at(inpainter, cut, Region(0, height, 0, width))
    multiple_px = inpainter.capabilities.multiple_px
    rows, columns = (spans(length, side_px, multiple_px=multiple_px) for length in size)
    down, across = spread(rows, height), spread(columns, width)
    found = np.zeros(size, np.float32)
    for (top, bottom), y in zip(rows, down, strict=True):
        for (left, right), x in zip(columns, across, strict=True):
            region = Region(top, bottom, left, right)
            found[region.slices] += np.outer(y, x) * _looked_at(inpainter, cut, region)
    return found.clip(0, 1)  # rounding


def _looked_at(inpainter: Inpainter, cut: Cut, region: Region) -> SoftMap:
    answer = inpainter.find_mask_arrays(cut(region)[None].astype(np.float32, copy=False))
    soft: SoftMap = answer[0, :, :, 0].astype(np.float32, copy=False)
    return soft


def spans(length: int, side_px: int, *, multiple_px: int = 1) -> list[tuple[int, int]]:
    """Return where equal spans begin and end that cover a length and overlap by a share of their side.

    Example:
        >>> spans(1000, 400)
        [(0, 400), (300, 700), (600, 1000)]
    """
    if length <= side_px:
        return [(0, length)]
    overlap = round(OVERLAP_SHARE * side_px)
    count = -(-(length - overlap) // (side_px - overlap))
    step = (length - side_px) / (count - 1)
    # A network sees the same grid everywhere, but for the last span, which ends where the photo does.
    firsts = [int(number * step) // multiple_px * multiple_px for number in range(count - 1)]
    return [(first, first + side_px) for first in (*firsts, length - side_px)]


def spread(ranges: list[tuple[int, int]], length: int) -> list[SoftMap]:
    """Return for each span how much it counts at each of its places; over all of them that adds up to 1."""
    weights = [_weights(start, stop, length) for start, stop in ranges]
    total = np.zeros(length)
    for (start, stop), own in zip(ranges, weights, strict=True):
        total[start:stop] += own
    return [
        (own / total[start:stop]).astype(np.float32) for (start, stop), own in zip(ranges, weights, strict=True)
    ]  # fmt: skip


def _weights(start: int, stop: int, length: int) -> NDArray[np.float64]:
    """Return weights that rise along half a cosine from both ends, except where the photo itself ends."""
    places, side = np.arange(stop - start), stop - start
    overlap = OVERLAP_SHARE * side
    unheard, risen = UNHEARD_SHARE * overlap, (1 - UNHEARD_SHARE) * overlap
    inwards = np.full(side, float(side))
    if start > 0:
        inwards = np.minimum(inwards, places)
    if stop < length:
        inwards = np.minimum(inwards, places[::-1])
    share = np.clip((inwards - unheard) / (risen - unheard), 0, 1)
    weights: NDArray[np.float64] = 0.5 - 0.5 * np.cos(np.pi * share)
    return weights
