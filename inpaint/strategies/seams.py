"""Making the border of a filled hole good: what was painted is changed inside the hole, and nowhere else.

What was painted is continued outwards by its color at the border, and what it then misses of the known pixels is made
good inside. What networks paint of the known pixels themselves says less: they paint those with the pixel in sight, and
the nearest ones worst. Only mean and contrast of a ring (`color`) are compared with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage  # type: ignore[import-untyped]

from inpaint.classical.bands import weighted_bands
from inpaint.classical.poisson import blended
from inpaint.images.regions import Region, components
from inpaint.strategies.options import SeamName
from inpaint.strategies.scaling import HoleArray, Pixels

FEATHER_PX = 16  # width of the rim in which `feather` works
RING_PX = 16  # width of the ring of known pixels on which `color` measures
MOST_GAIN = 1.5  # by which `color` changes contrast
BANDS = 4  # octaves that `multiband` blends apart, beside the rest
NEAR_PX = 24  # holes nearer than this have one border
REACH_PX = 64  # around a hole, what any of these reads


def seam_windows(hole: HoleArray) -> Iterator[tuple[Region, HoleArray]]:
    """Yield what is mended together: a window of the image, and the hole (h, w) in it, without those of other windows.

    hole: (H, W), not empty.
    """
    labels, boxes = components(hole, gap_px=NEAR_PX)
    for label, box in enumerate(boxes, start=1):
        window = box.grown(REACH_PX, hole.shape)
        yield window, hole[window.slices] & (labels[window.slices] == label)


def mended(name: SeamName, image: Pixels, unknown: HoleArray, hole: HoleArray, painted: Pixels) -> Pixels:
    """Return what was painted with its border made good; only its hole is to be used.

    Args:
        name: How.
        image: (h, w, 3) in [0, 1], not read where unknown.
        unknown: (h, w).
        hole: (h, w), in `unknown`; what else is unknown stays out of it.
        painted: (h, w, 3): the fill in the hole, around it what was painted of the known pixels.

    Returns:
        (h, w, 3) in [0, 1].
    """
    if name == "none" or unknown.all():
        return painted.clip(0, 1)
    rows, columns = ndimage.distance_transform_edt(~hole, return_distances=False, return_indices=True)
    ring = _ring(unknown, hole, 1)
    beyond = bool((painted[ring] != image[ring]).any())
    found = _SEAMS[name](_Scene(image, unknown, hole, painted[rows, columns], painted if beyond else None))
    result: Pixels = found.astype(painted.dtype).clip(0, 1)
    return result


@dataclass(frozen=True, eq=False)
class _Scene:
    """What `mended` is given. painted: continued around the hole. beyond: what the fill painted there, if it did."""

    image: Pixels
    unknown: HoleArray
    hole: HoleArray
    painted: Pixels
    beyond: Pixels | None


def _ring(unknown: HoleArray, hole: HoleArray, width_px: int) -> HoleArray:
    """Return the known pixels that are no farther than so much from the hole."""
    side = 2 * width_px + 1
    near = cv2.dilate(hole.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))) > 0
    ring: HoleArray = near & ~unknown
    return ring


def _feather(scene: _Scene) -> Pixels:
    """Add what is missing at the nearest known pixel, wholly at the rim and less and less inwards."""
    depth, (rows, columns) = ndimage.distance_transform_edt(scene.unknown, return_indices=True)
    missing = scene.image[rows, columns] - scene.painted[rows, columns]
    weight = 0.5 + 0.5 * np.cos(np.pi * np.minimum(depth / (FEATHER_PX + 1), 1.0))
    found: Pixels = scene.painted + weight[..., None] * missing
    return found


def _color(scene: _Scene) -> Pixels:
    """Give the hole the mean and contrast, by channel, that take what was painted of a ring of known pixels to it.

    The mean alone where nothing was painted there: a color that is continued has no contrast.
    """
    ring = _ring(scene.unknown, scene.hole, RING_PX)
    if not ring.any():
        return scene.painted
    known, own = scene.image[ring], (scene.painted if scene.beyond is None else scene.beyond)[ring]
    gain = np.ones(3) if scene.beyond is None else (known.std(axis=0) + 1 / 255) / (own.std(axis=0) + 1 / 255)
    found: Pixels = (scene.painted - own.mean(axis=0)) * gain.clip(1 / MOST_GAIN, MOST_GAIN) + known.mean(axis=0)
    return found


def _poisson(scene: _Scene) -> Pixels:
    """Keep the differences that were painted, and hold the colors at the known pixels around the hole."""
    # What is unknown beside the hole holds nothing: there the painted colors stay.
    target = np.where(scene.unknown[..., None], scene.painted, scene.image)
    return blended(scene.painted, target, scene.hole)


def _multiband(scene: _Scene) -> Pixels:
    """Blend each band of frequencies over its own width (Burt and Adelson, "A multiresolution spline", 1983).

    One image is what was painted, the other the same with the known pixels in it: they differ around the hole alone,
    and low frequencies carry that difference inwards.
    """
    whole = np.where(scene.unknown[..., None], scene.painted, scene.image).astype(np.float32)
    difference = whole - scene.painted.astype(np.float32)
    blend: Pixels = scene.painted + weighted_bands(difference, ~scene.hole, BANDS)
    return blend


_SEAMS: Mapping[str, Callable[[_Scene], Pixels]] = {
    "feather": _feather,
    "color": _color,
    "poisson": _poisson,
    "multiband": _multiband,
}
