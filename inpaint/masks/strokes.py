"""Two families of brush strokes, as polylines: the zigzag of DeepFillv2 and the chains of LaMa.

Random numbers are drawn for a whole stroke or mask at once and the rest is plain Python arithmetic: a call into NumPy
for one number costs more than drawing a line.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.masks.base import HoleMask

MEAN_ANGLE = 2 * math.pi / 5
ANGLE_RANGE = 2 * math.pi / 15


def zigzag(rng: np.random.Generator, height: int, width: int, vertices: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the points (x, y) of one free-form stroke, all inside the image.

    DeepFillv2's algorithm (arXiv 1806.03589, supplement, with the constants of its public code): from a uniform start
    the stroke takes steps of length N(R, floor(R / 2)) clipped to [0, 2R], with R = diagonal / 8, whose angle is
    uniform in a window around 2 pi / 5 and is mirrored at every second step. The window is drawn once a stroke. The
    misprint of the paper and the swapped sides of the public code are repaired.

    Args:
        rng: Where the numbers come from.
        height: Of the image, in pixels.
        width: Of the image, in pixels.
        vertices: (fewest, most) steps, both possible.
    """
    count = int(rng.integers(vertices[0], vertices[1] + 1))
    uniform = rng.random(count + 4).tolist()
    normal = rng.standard_normal(count).tolist()
    mean_step = math.sqrt(height * height + width * width) / 8
    spread = mean_step // 2
    lowest = MEAN_ANGLE - ANGLE_RANGE * uniform[0]
    window = MEAN_ANGLE + ANGLE_RANGE * uniform[1] - lowest
    x, y = int(width * uniform[2]), int(height * uniform[3])
    points = [(x, y)]
    for i in range(count):
        angle = lowest + window * uniform[4 + i]
        step = min(max(mean_step + spread * normal[i], 0.0), 2 * mean_step)
        rise = step * math.sin(angle)
        x = int(min(max(x + step * math.cos(angle), 0.0), width - 1))
        y = int(min(max(y + rise if i % 2 else y - rise, 0.0), height - 1))
        points.append((x, y))
    return points


def paint_stroke(mask: HoleMask, points: list[tuple[int, int]], thickness: int) -> None:
    """Add a polyline with round joints and ends to the hole, in place."""
    line: NDArray[np.int32] = np.array(points, dtype=np.int32)
    # OpenCV covers an odd number of pixels, thickness + 1 for an even thickness and + 2 for an odd one. Taken down to
    # an even number it covers 2 * (thickness // 2) + 1, which is the disc that the public code draws at a joint.
    cv2.polylines(mask, [line], False, 1, max(1, thickness - thickness % 2))


def paint_chains(
    mask: HoleMask,
    rng: np.random.Generator,
    *,
    chains: tuple[int, int],
    angles: int,
    length_px: tuple[int, int],
    width_px: tuple[int, int],
    scale: float,
) -> None:
    """Add LaMa's chains of thick lines to the hole, in place.

    Each starts anywhere and has 1 to 5 segments; a segment's angle is 0.01 + {0 .. angles - 1} radians, negated in
    every second chain. Ends are clipped to the image (advimman/lama, saicinpainting/training/data/masks.py).

    Args:
        mask: (H, W), changed.
        rng: Where the numbers come from.
        chains: (fewest, most).
        angles: How many directions there are.
        length_px: Of a segment before scaling: uniform integers, both ends possible.
        width_px: Likewise.
        scale: What both are multiplied by.
    """
    height, width = mask.shape
    count = int(rng.integers(chains[0], chains[1] + 1))
    starts = rng.random((count, 2)).tolist()
    segments = rng.integers(1, 6, count).tolist()
    total = sum(segments)
    directions = (rng.integers(0, angles, total) + 0.01).tolist()
    lengths = (rng.integers(length_px[0], length_px[1] + 1, total) * scale).tolist()
    thicknesses = np.maximum(np.rint(rng.integers(width_px[0], width_px[1] + 1, total) * scale), 1)
    widths = thicknesses.astype(int).tolist()
    n = 0
    for chain in range(count):
        x, y = int(starts[chain][0] * width), int(starts[chain][1] * height)
        sign = -1.0 if chain % 2 == 0 else 1.0  # 2 pi - angle
        for _ in range(segments[chain]):
            angle = directions[n]
            end_x = min(max(int(x + sign * lengths[n] * math.sin(angle)), 0), width)
            end_y = min(max(int(y + lengths[n] * math.cos(angle)), 0), height)
            cv2.line(mask, (x, y), (end_x, end_y), 1, widths[n])
            x, y = end_x, end_y
            n += 1
