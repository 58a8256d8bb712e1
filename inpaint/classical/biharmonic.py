"""Biharmonic fill: the smoothest surface through what is known, by scikit-image; best for thin holes.

Solves Laplacian^2 u = 0 in the hole with the known pixels as data (Damelin and Hoang 2018). The solver is
`skimage.restoration.inpaint_biharmonic`; what is added here:

- **Border.** The solver mirrors the image at its border, so a hole that touches it ends there with slope zero. A
  boundary that continues slopes (the natural one of thin plates) was tried on photos and lost 0.03 to 0.05 dB.
- **Range.** Wide holes overshoot. Each hole is therefore clipped, per channel, to the range of the known pixels up to
  `RANGE_PX` away from it; scikit-image's own range is that of the whole image (0.3 dB worse in boxes).
- **Regions.** Holes farther apart than the stencil reaches do not influence each other. They are solved together while
  they are near and few, which is fastest, else batch by batch, each in a window of its own.
- **Memory.** A solve takes about 4 kB per hole pixel. A single hole of more than `LARGEST_PX` is filled from an
  image of half the size, and only pixels up to `BAND_PX` from what is known are solved again, in overlapping tiles.
  Where known pixels lie scattered through the hole that is everything; in a wide hole the middle stays as smooth as the
  smaller image made it, and a warning says so.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage  # type: ignore[import-untyped]
from skimage.restoration import inpaint_biharmonic

from inpaint.classical.options import RANGE_PX, STENCIL_PX, BiharmonicOptions
from inpaint.classical.pyramid import halved, upsampled
from inpaint.classical.ranges import Labels, clip_to_range
from inpaint.fills.array_fill import ArrayFill, Context, HoleArray, ImageArray, Report
from inpaint.images.regions import Region
from inpaint.types import StopFill

logger = logging.getLogger("inpaint.classical")

LARGEST_PX = 60_000  # hole pixels in one solve: about 250 MB and a second
WINDOW_PX = 1_000_000  # area up to which several holes share one window
BAND_PX = 12
TILE_PX = 192
OVERLAP_PX = 16


def biharmonic(image: ImageArray, hole: HoleArray, *, report: Report = lambda share: None) -> ImageArray:
    """Return image (H, W, 3) with hole (H, W) filled; known pixels unchanged, the hole's content is not read.

    At least one pixel must be known. Warns when the middle of a hole was solved at a smaller size.
    """
    filled, coarse_px = _filled(image, hole, report)
    if coarse_px > hole.sum() / 100:
        logger.warning(
            "biharmonic: the hole is too large to be solved at once; its %d innermost pixels come from a smaller "
            "image. The fill 'patch' suits wide holes better",
            coarse_px,
        )
    return filled


def _filled(image: ImageArray, hole: HoleArray, report: Report) -> tuple[ImageArray, int]:
    """Return the filled image and how many pixels were not solved at full size."""
    filled = np.where(hole[..., None], mean_color(image, hole), image)  # (H, W, 3)
    near = Region.around(hole).grown(RANGE_PX + STENCIL_PX, hole.shape).slices
    work, gap = filled[near], hole[near]  # `work` is a view: what follows writes into `filled`
    labels, sizes = _regions(gap)
    total, done, coarse_px = int(sizes[1:].sum()), 0, 0
    with contextlib.suppress(StopFill):  # what was not reached keeps the mean
        for label in np.flatnonzero(sizes[1:] > LARGEST_PX) + 1:
            coarse_px += _solve_in_parts(work, labels == label)
            done += int(sizes[label])
            report(done / total)
        for region, members in _batches(labels, sizes):
            part = region.grown(RANGE_PX + STENCIL_PX, gap.shape).slices
            work[part] = _solved(work[part], np.isin(labels[part], members))
            done += int(sizes[members].sum())
            report(done / total)
    clip_to_range(work, labels)
    return filled, coarse_px


def mean_color(image: ImageArray, hole: HoleArray) -> npt.NDArray[np.float64]:
    """Return the mean (3,) of the known pixels of an image (H, W, 3)."""
    return np.array(cv2.mean(image, (~hole).view(np.uint8))[:3])


def _solved(image: ImageArray, hole: HoleArray) -> ImageArray:
    return np.asarray(inpaint_biharmonic(image, hole, channel_axis=-1), dtype=np.float64)


def _regions(hole: HoleArray) -> tuple[Labels, npt.NDArray[np.int64]]:
    """Return a label per hole pixel (0 = known) and the pixels of each label; labels do not influence each other.

    The stencil reaches two steps. Holes whose neighborhoods of one step do not touch, diagonally either, are farther.
    """
    labels, count = ndimage.label(ndimage.binary_dilation(hole), structure=np.ones((3, 3)))
    labels = np.where(hole, labels, 0).astype(np.int32)
    return labels, np.bincount(labels.ravel(), minlength=count + 1)


def _batches(labels: Labels, sizes: npt.NDArray[np.int64]) -> Iterator[tuple[Region, list[int]]]:
    """Yield regions with the labels that are solved together in them, leaving out those too large for one solve."""
    members: list[int] = []
    region: Region | None = None
    pixels = 0
    for label, slices in enumerate(ndimage.find_objects(labels), start=1):
        if slices is None or sizes[label] > LARGEST_PX:
            continue
        box = Region.of_slices(*slices)
        joined = box if region is None else region.joined(box)
        if region is not None and (pixels + sizes[label] > LARGEST_PX or joined.area > WINDOW_PX):
            yield region, members
            members, pixels, joined = [], 0, box
        region = joined
        members.append(label)
        pixels += int(sizes[label])
    if region is not None:
        yield region, members


def _solve_in_parts(image: ImageArray, hole: HoleArray) -> int:
    """Fill one large hole in place: from half the size, then anew near what is known. Return how many pixels stay."""
    small, share = halved(image, hole)
    # A pixel that stands for a part of its four lies off its place, which bends slopes: taken where there is no other.
    whole = share == 1
    gap = ~whole & ((share == 0) | ndimage.binary_dilation(whole, np.ones((3, 3))))
    if gap.any():
        small, _ = _filled(small, gap, lambda share: None)
    image[hole] = upsampled(small, hole.shape)[hole]
    unknown = hole & (ndimage.distance_transform_edt(hole) <= BAND_PX)
    for top in range(0, hole.shape[0], TILE_PX):
        for left in range(0, hole.shape[1], TILE_PX):
            tile = Region(top, top + TILE_PX, left, left + TILE_PX).grown(OVERLAP_PX, hole.shape)
            around = tile.grown(STENCIL_PX, hole.shape).slices
            own = np.zeros(hole.shape, np.bool_)
            own[tile.slices] = unknown[tile.slices]
            if own.any():
                image[around] = _solved(image[around], own[around])
    return int(hole.sum() - unknown.sum())


class Biharmonic(ArrayFill):
    """Biharmonic surface through the known pixels; see this module for border, range and memory."""

    name = "biharmonic"
    capabilities = BiharmonicOptions.capabilities
    steps = 100

    def __init__(self, options: BiharmonicOptions | None = None) -> None:
        self.options = options or BiharmonicOptions()

    def paint(self, image: ImageArray, hole: HoleArray, context: Context) -> ImageArray:
        """See the module."""
        return biharmonic(image, hole, report=context.report)
