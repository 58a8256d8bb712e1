"""Patch fill, coarse to fine: the hole is made of patches that the image has elsewhere.

After Wexler, Shechtman and Irani, "Space-Time Completion of Video" (PAMI 2007), on one image: every patch that meets
the hole looks for its most similar patch among those without hole (`patchmatch`), every pixel of the hole becomes a
weighted mean of what these patches propose for it, and both are repeated, from a small image up to the full one.
Best for wide holes and texture. Nothing outside the image is known to it, so it invents no objects.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage  # type: ignore[import-untyped]

from inpaint.classical.biharmonic import biharmonic, mean_color
from inpaint.classical.options import SEARCH_PX, STENCIL_PX, PatchOptions
from inpaint.classical.patchmatch import Indices, Search
from inpaint.classical.pyramid import halved, upsampled
from inpaint.fills.array_fill import ArrayFill, Context, HoleArray, ImageArray, Report
from inpaint.images.regions import Region, components
from inpaint.types import StopFill

logger = logging.getLogger("inpaint.classical")
T = TypeVar("T", bound=np.generic)

SIDE = 7  # of a patch
REACH = SIDE // 2
SMALLEST_PX = 32  # shortest side of the coarsest level
WIDE_PX = 2 * SIDE  # holes no wider are filled at the size at hand: coarser levels gained nothing there
SPECK_PX = WIDE_PX  # isolated holes no longer a side are filled as by biharmonic: 1 to 3 dB better, and far quicker
SPARSE_SHARE = 0.02  # of hole in an image, below which its pixels are cheaper one by one
ROUNDS = (3, 5, 8, 12)  # of search and vote: finest level first, 12 at all coarser ones
SWEEPS = 4  # of a search
FADE = 1.3  # confidence falls by this factor per pixel away from what is known (Wexler et al.: gamma)
PERCENTILE = 75  # of the costs: the squared width of the votes' kernel (Wexler et al.)
SHARP = 0.02  # times that width in the last vote, nearly a choice: a mean looks like plastic, for 0.1 dB more
STILL = 0.5 / 255  # mean change of the hole below which a level is done
SMOOTHINGS = 200  # of the first guess


def patch_fill(
    image: ImageArray, hole: HoleArray, *, rng: np.random.Generator, report: Report = lambda share: None
) -> ImageArray:
    """Return image (H, W, 3) with hole (H, W) filled; known pixels unchanged, the hole's content is not read.

    rng: decides where the search looks. Specks, isolated holes up to `SPECK_PX` a side, are filled as by `biharmonic`,
    and so is everything where no patch is free of the hole; then a warning says so. At least one pixel must be known.
    When `report` raises StopFill, what there is by then is returned, brought to full size.
    """
    specks = _specks(hole)
    if specks.any():
        hole = hole & ~specks
        if not hole.any():
            return biharmonic(image, specks)
        # Colors near a speck bound its fill: what stands for another hole must not.
        image = biharmonic(np.where(hole[..., None], mean_color(image, hole | specks), image), specks)
        image[hole] = 0
    window = _window(hole)
    levels = _pyramid(image[window], hole[window])
    if not levels:
        logger.warning(
            "patch: no %d x %d pixels of the image are free of holes, so nothing can be copied; filled as by "
            "'biharmonic'",
            *(SIDE, SIDE),
        )
        return biharmonic(image, hole, report=report)
    filled = image.copy()
    filled[window] = _coarse_to_fine(levels, rng, report)
    filled[~hole] = image[~hole]
    return filled


@dataclass(frozen=True)
class _Level:
    """One size of the image: what is known, and where the hole is."""

    image: ImageArray
    hole: HoleArray

    def halved(self) -> _Level:
        """Return the next coarser level: a pixel is known where one of its four is."""
        image, share = halved(self.image, self.hole)
        return _Level(image, np.equal(share, 0))

    def sources(self) -> HoleArray:
        """Return where patches may be centered that are free of hole, of the padded image."""
        taken = _dilated(_padded(self.hole))
        return _inside(taken.shape) & ~taken


def _pyramid(image: ImageArray, hole: HoleArray) -> list[_Level]:
    """Return the levels from fine to coarse; none if even the finest has nothing to copy."""
    levels: list[_Level] = []
    level = _Level(image, hole)
    while level.hole.any() and level.sources().any():
        levels.append(level)
        wide = 2 * ndimage.distance_transform_edt(level.hole).max() > WIDE_PX
        if not wide or min(level.hole.shape) < 2 * SMALLEST_PX:
            break
        level = level.halved()
    return levels


def _coarse_to_fine(levels: list[_Level], rng: np.random.Generator, report: Report) -> ImageArray:
    """Return the finest level filled, (H, W, 3)."""
    rounds = [ROUNDS[min(number, len(ROUNDS) - 1)] for number in range(len(levels))]
    work = [n * int(level.hole.sum()) for n, level in zip(rounds, levels, strict=True)]
    done, stopped = 0, False
    current = _harmonic(levels[-1])
    parent: _Synthesis | None = None
    for number in reversed(range(len(levels))):
        level = levels[number]
        if number + 1 < len(levels):
            current = np.where(level.hole[..., None], upsampled(current, level.hole.shape), level.image)
        if stopped:
            continue
        synthesis = _Synthesis(level, current, rng, parent)
        try:
            for turn in range(rounds[number]):
                change = synthesis.turn(rng)
                report((done + work[number] * (turn + 1) / rounds[number]) / sum(work))
                if change < STILL:
                    break
        except StopFill:
            stopped = True
        if number == 0:
            synthesis.vote(sharpness=SHARP)
        done += work[number]
        current, parent = synthesis.result(), synthesis
    return current


def _harmonic(level: _Level) -> ImageArray:
    """Return a first guess: the mean, smoothed inside the hole."""
    guess = np.where(level.hole[..., None], level.image[~level.hole].mean(axis=0), level.image)
    if level.hole.mean() < SPARSE_SHARE:
        return _smoothed_alone(guess, level.hole)
    for _ in range(SMOOTHINGS):
        guess[level.hole] = cv2.blur(guess, (3, 3), borderType=cv2.BORDER_REFLECT)[level.hole]
    return guess


def _smoothed_alone(guess: ImageArray, hole: HoleArray) -> ImageArray:
    """Smooth as `_harmonic` does, reading only the pixels of the hole and around it."""
    inside = np.flatnonzero(hole)
    places = np.pad(
        np.arange(hole.size).reshape(hole.shape), 1, mode="symmetric"
    )  # of each pixel of the mirrored image
    rows, columns = np.divmod(inside, hole.shape[1])
    around = [places[rows + down, columns + right] for down in range(3) for right in range(3)]
    flat = guess.reshape(-1, 3)
    for _ in range(SMOOTHINGS):
        flat[inside] = sum(flat[each] for each in around) / len(around)
    return guess


class _Synthesis:
    """One level at work. The image is mirrored by half a patch on all sides, so that all pixels are centers.

    Rounding: single precision, in a fixed order, so that a seed decides the result to the last bit.
    """

    def __init__(self, level: _Level, guess: ImageArray, rng: np.random.Generator, parent: _Synthesis | None) -> None:
        hole = _padded(level.hole)
        self.shape = hole.shape
        self._values = np.ascontiguousarray(_padded(guess), dtype=np.float32)  # (H + 2r, W + 2r, 3)
        self._hole = np.flatnonzero(np.pad(level.hole, REACH))
        confidence = np.float32(FADE) ** -ndimage.distance_transform_edt(hole).astype(np.float32)
        legal = level.sources()
        self.targets = np.flatnonzero(_dilated(hole) & _inside(hole.shape))
        self._confidence = confidence.ravel()[self.targets]
        everywhere = np.flatnonzero(legal)
        sources = everywhere[rng.integers(0, len(everywhere), len(self.targets))]
        if parent is not None:
            inherited = self._inherited(parent)
            sources = np.where(legal.ravel()[inherited], inherited, sources)
        self._search = Search(self._values, confidence, self.targets, legal, sources, side=SIDE)
        self._radii = [max(hole.shape) >> halving for halving in range(max(hole.shape).bit_length())]

    def turn(self, rng: np.random.Generator) -> float:
        """Search and vote once; return the mean change in the hole."""
        for sweep in range(SWEEPS):
            self._search.improve(rng, jumps=(8, 1) if sweep == 0 else (2, 1), radii=self._radii)
        change = self.vote()
        self._search.renew()
        return change

    def vote(self, *, sharpness: float = 1.0) -> float:
        """Give each pixel of the hole the weighted mean of what the patches over it propose; return the mean change."""
        spread = np.float32(2 * sharpness * max(float(np.percentile(self._search.costs, PERCENTILE)), 1e-6))
        flat, number = self._values.reshape(-1, 3), self._search.number
        # Beside the image there is no target, number -1: the last cost, which gives no weight.
        costs = np.append(self._search.costs, np.float32(np.inf))
        width, reach = self.shape[1], range(-REACH, REACH + 1)
        steps = [down * width + right for down in reach for right in reach]
        lowest = np.full(len(self._hole), np.inf, np.float32)  # keeps the weights in range
        for step in steps:
            np.minimum(lowest, costs[number[self._hole - step]], out=lowest)
        total = np.zeros((len(self._hole), 1), np.float32)
        proposed = np.zeros((len(self._hole), 3), np.float32)
        for step in steps:
            over = number[self._hole - step]
            weight = (self._confidence[over] * np.exp((lowest - costs[over]) / spread))[:, None]
            proposed += weight * flat[self._search.sources[over] + step]
            total += weight
        proposed /= total
        change = float(np.abs(proposed - flat[self._hole]).mean())
        flat[self._hole] = proposed
        self._values[:] = _padded(self.result())
        return change

    def result(self) -> ImageArray:
        """Return the level's image as it is now, (H, W, 3)."""
        return self._values[REACH:-REACH, REACH:-REACH].astype(np.float64)

    def _inherited(self, parent: _Synthesis) -> Indices:
        """Return for each target the place that corresponds to its parent's source; 0, no legal place, without one."""
        (height, width), (_, coarse_width) = self.shape, parent.shape
        rows, columns = np.divmod(self.targets, width)
        coarse_rows, coarse_columns = (rows - REACH) // 2 + REACH, (columns - REACH) // 2 + REACH
        number = parent._search.number.take(coarse_rows * coarse_width + coarse_columns, mode="clip")
        source_rows, source_columns = np.divmod(parent._search.sources[number], coarse_width)
        rows = np.clip(rows + 2 * (source_rows - coarse_rows), REACH, height - 1 - REACH)
        columns = np.clip(columns + 2 * (source_columns - coarse_columns), REACH, width - 1 - REACH)
        return np.where(number >= 0, rows * width + columns, 0)


def _padded(plane: npt.NDArray[T]) -> npt.NDArray[T]:
    """Return (H, W, ...) mirrored by half a patch on all four sides."""
    return np.pad(plane, [(REACH, REACH)] * 2 + [(0, 0)] * (plane.ndim - 2), mode="symmetric")


def _dilated(hole: HoleArray) -> HoleArray:
    """Return where a patch meets the hole (H, W)."""
    grown = cv2.dilate(hole.astype(np.uint8), np.ones((SIDE, SIDE), np.uint8))
    return np.asarray(grown, dtype=np.bool_)


def _inside(shape: tuple[int, ...]) -> HoleArray:
    """Return where a patch lies inside a plane of this shape."""
    return np.pad(np.ones((shape[0] - 2 * REACH, shape[1] - 2 * REACH), np.bool_), REACH)


def _specks(hole: HoleArray) -> HoleArray:
    """Return the holes that are small and so far from others that these do not matter to them."""
    labels, boxes = components(hole, gap_px=2 * STENCIL_PX)
    small = np.array([False, *(max(box.size) <= SPECK_PX for box in boxes)])
    specks: HoleArray = hole & small[labels]
    return specks


def _window(hole: HoleArray) -> tuple[slice, slice]:
    """Return the part of the image in which sources are looked for."""
    box = Region.around(hole)
    return box.grown(max(SEARCH_PX, *box.size), hole.shape).slices


class Patch(ArrayFill):
    """Patch fill, coarse to fine; see this module. Another seed looks elsewhere and may find another fill."""

    name = "patch"
    capabilities = PatchOptions.capabilities
    steps = 100

    def __init__(self, options: PatchOptions | None = None) -> None:
        self.options = options or PatchOptions()

    def paint(self, image: ImageArray, hole: HoleArray, context: Context) -> ImageArray:
        """See the module."""
        return patch_fill(image, hole, rng=context.generator(), report=context.report)
