"""Irregular masks of other papers: PConv's kind, its random-walk substitute, Pluralistic's two, mmagic's."""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inpaint.masks.base import TRIES, CountSpan, HoleMask, Mask, ShareSpan, Span, blank, hole_ratio, scale_to
from inpaint.masks.strokes import paint_chains

COARSE_PX = 128


class PConv(Mask):
    """Irregular masks in the manner of the PConv paper (arXiv 1804.07723), which took theirs from video occlusions.

    The published files are photos of motion and cannot be drawn; this is a generator of our own of the same kind:
    crescents and blobs between level lines of smooth random fields, as objects leave behind when they move, and
    wandering strokes, all dilated by a disc of 5 to 47 pixels diameter at 512 (what the paper's page names), randomly
    rotated. Ratios spread over the paper's six buckets, (0.01, 0.1] to (0.5, 0.6]; the presets pconv_01_10 ...
    pconv_50_60 draw from one bucket. border=False keeps 50 pixels (at 512) at every side known, as half of the
    published test masks do.
    """

    kind: Literal["pconv"] = "pconv"
    strokes: CountSpan = (0, 16)
    dilate_px: Span = (5, 47)  # diameter, at 512
    border: bool = True

    def _draw_once(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        # The distance map is made on a coarse grid and enlarged: its level lines are smooth, and it costs a quarter.
        coarse = min(1.0, COARSE_PX / min(height, width))
        rows, cols = max(1, round(height * coarse)), max(1, round(width * coarse))
        features = _occlusion_bands(rng, rows, cols)
        count = int(rng.integers(self.strokes[0], self.strokes[1] + 1))
        cv2.polylines(features, _wander(rng, rows, cols, count), False, 1)
        low, high = self.dilate_px
        radius = (low + (high - low) * rng.random()) / 2 * scale_to(height, width, 512) * coarse
        if not cv2.countNonZero(features):
            return blank(height, width)
        distance = cv2.distanceTransform(1 - features, cv2.DIST_L2, 3)
        distance = cv2.resize(distance, (width, height), interpolation=cv2.INTER_LINEAR)
        mask = np.asarray(distance <= radius, dtype=np.uint8)
        if not self.border:
            margin = min(round(50 * scale_to(height, width, 512)), (min(height, width) - 1) // 2)
            inner = blank(height, width)
            inner[margin : height - margin, margin : width - margin] = 1
            mask &= inner
        return mask


def _occlusion_bands(rng: np.random.Generator, height: int, width: int) -> HoleMask:
    """Return crescents and blobs: where a smooth random field exceeds a level by less than a second field says."""
    level, spread = rng.random(2).tolist()
    shape = _smooth_field(rng, height, width, bumps=3 + 5 * rng.random())
    motion = _smooth_field(rng, height, width, bumps=2.0)
    low = 2.0 * level - 0.8
    return np.asarray((shape > low) & (shape < low + 0.1 + (0.2 + spread) * motion), dtype=np.uint8)


def _smooth_field(rng: np.random.Generator, height: int, width: int, bumps: float) -> NDArray[np.float32]:
    """Return smooth noise with about `bumps` bumps along the longer side, under any rotation."""
    step, turn = bumps / max(height, width), 2 * math.pi * rng.random()
    c, s = step * math.cos(turn), step * math.sin(turn)
    # One warp rotates, crops and enlarges: image pixel (x, y) reads the grid around its center.
    matrix = np.array([[c, -s, 7.5 - c * width / 2 + s * height / 2], [s, c, 7.5 - s * width / 2 - c * height / 2]])
    return np.asarray(
        cv2.warpAffine(
            rng.standard_normal((16, 16), dtype=np.float32),
            matrix,
            (width, height),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT,
        ),
        dtype=np.float32,
    )


def _wander(rng: np.random.Generator, height: int, width: int, count: int) -> list[NDArray[np.int32]]:
    """Return polylines (N, 2) of (x, y) whose direction drifts, from in or just outside the image."""
    starts = 1.5 * rng.random((count, 2)) - 0.25
    lengths = rng.integers(4, 25, count).tolist()
    turns = 0.6 * rng.standard_normal((count, 24))
    turns[:, 0] = 2 * math.pi * rng.random(count)
    headings = turns.cumsum(axis=1)
    step = max(1.0, math.hypot(height, width) / 30)
    moves = step * np.stack((np.cos(headings), np.sin(headings)), axis=-1)  # (count, 24, 2)
    points = (moves.cumsum(axis=1) + (starts * (width, height))[:, None]).astype(np.int32)
    return [points[n, :length] for n, length in enumerate(lengths)]


class Walk(Mask):
    """naoto0804's substitute for PConv's masks: one 4-neighbor random walk of H * W unit steps from a random start.

    A step against the border stays in place. The public masks were saved as JPEG, which made 29 % of the values neither
    0 nor 1; these are binary. `steps`: length of the walk as a share of H * W.
    """

    kind: Literal["walk"] = "walk"
    steps: float = Field(1.0, gt=0, le=16)

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        height, width = mask.shape
        packed = np.frombuffer(rng.bytes(max(1, int(self.steps * height * width / 4))), dtype=np.uint8)
        rows = _walk(STEPS_OF_BYTE[0], packed, int(rng.integers(height)), height)
        cols = _walk(STEPS_OF_BYTE[1], packed, int(rng.integers(width)), width)
        rows *= width
        rows += cols
        mask.reshape(-1)[rows] = 1


def _steps_of_byte() -> NDArray[np.int32]:
    """Return where the four steps of two bits in a byte lead: (2, 256, 4), y and x after 1 to 4 steps."""
    moves = np.array([(0, 1), (0, -1), (1, 0), (-1, 0)], dtype=np.int32)
    bits = np.arange(256)[:, None] >> np.array([0, 2, 4, 6]) & 3
    return np.ascontiguousarray(np.cumsum(moves[bits], axis=1, dtype=np.int32).transpose(2, 0, 1))


STEPS_OF_BYTE = _steps_of_byte()


def _walk(steps: NDArray[np.int32], packed: NDArray[np.uint8], start: int, length: int) -> NDArray[np.int32]:
    """Return one coordinate of the walk after each step, (N, 4), in [0, length).

    The free walk is folded: mirrored at the border, where it then stands still for one step. The mirror image of a
    symmetric walk is one too, so this has the distribution of a walk that is stopped at the border.
    """
    position = steps.take(packed, axis=0)
    before = position[:, 3].cumsum(dtype=np.int32)
    before += start - position[:, 3]
    position += before[:, None]
    np.remainder(position, 2 * length, out=position)
    return np.minimum(position, 2 * length - 1 - position, out=position)


class Pluralistic(Mask):
    """Pluralistic's irregular mask (CVPR 2019): 16 to 64 lines, filled circles and arcs of ellipses, 60 : 20 : 20 %.

    Lines and arcs are 4 to 20 pixels thick at 256, circles have that radius. The public code swaps the sides of
    images that are not square and refuses sides under 64: both repaired.
    """

    kind: Literal["pluralistic"] = "pluralistic"
    count: CountSpan = (16, 64)
    width_px: CountSpan = (4, 20)  # at 256

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        height, width = mask.shape
        scale = scale_to(height, width, 256)
        count = int(rng.integers(self.count[0], self.count[1] + 1))
        sizes = rng.integers(self.width_px[0], self.width_px[1] + 1, count).tolist()
        angles = rng.integers(3, 181, (count, 3)).tolist()
        for (choice, x, y, u, v), size, turn in zip(rng.random((count, 5)).tolist(), sizes, angles, strict=True):
            # 1 .. side, as in the public code: a point may lie one pixel outside.
            first, second = (1 + int(x * width), 1 + int(y * height)), (1 + int(u * width), 1 + int(v * height))
            thick = max(1, round(size * scale))
            if choice < 0.6:
                cv2.line(mask, first, second, 1, thick)
            elif choice < 0.8:
                cv2.circle(mask, first, thick, 1, -1)
            else:
                cv2.ellipse(mask, first, second, turn[0], turn[1], turn[2], 1, thick)


class PluralisticBoxes(Mask):
    """Pluralistic's regular mask: n = 1 to 5 boxes, each side from 1 / (n + 7) of the image to all that is left."""

    kind: Literal["pluralistic_boxes"] = "pluralistic_boxes"
    count: CountSpan = (1, 5)

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        height, width = mask.shape
        count = int(rng.integers(self.count[0], self.count[1] + 1))
        for u, v, s, t in rng.random((count, 4)).tolist():
            top, bottom = _interval(height, count, u, s)
            left, right = _interval(width, count, v, t)
            mask[top:bottom, left:right] = 1


def _interval(length: int, count: int, u: float, v: float) -> tuple[int, int]:
    start = int((int(length - length / (count + 1)) + 1) * u)
    smallest = int(length / (count + 7))
    return start, start + smallest + int((length - start - smallest + 1) * v)


class Mmagic(Mask):
    """mmagic's irregular mask as its DeepFillv2 and PConv configurations use it: LaMa-like chains of lines.

    4 to 9 chains, 1 to 5 segments of 20 to 127 pixels, 10 to 44 wide, six directions, drawn again until the hole ratio
    lies in `ratio` (after 100 masks the last one is taken).
    """

    kind: Literal["mmagic"] = "mmagic"
    chains: CountSpan = (4, 9)
    length_px: CountSpan = (20, 127)  # at 256, as the width
    width_px: CountSpan = (10, 44)
    angles: int = Field(6, ge=1)
    ratio: ShareSpan = (0.15, 0.65)

    def _draw_once(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        scale = scale_to(height, width, 256)
        for _ in range(TRIES):
            mask = blank(height, width)
            paint_chains(
                mask,
                rng,
                chains=self.chains,
                angles=self.angles,
                length_px=self.length_px,
                width_px=self.width_px,
                scale=scale,
            )
            if self.ratio[0] < hole_ratio(mask) < self.ratio[1]:
                break
        return mask
