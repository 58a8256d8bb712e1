"""Color transfer without learning: giving an object the colors of what it is to stand among, by their statistics.

Four methods, by what they make equal: the mean and the deviation of every channel of CIELAB (`reinhard`), mean and
covariance of RGB (`covariance`), the histogram of every channel of RGB (`histogram`), or that of many directions in
RGB, and so nearly the whole distribution (`distribution`). All compute in float64 and round nothing, so that images of
16 bits keep their steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.classical.options import TransferMethod
from inpaint.errors import InputError, UsageError, unknown

Method: TypeAlias = TransferMethod
Around: TypeAlias = Literal["ring", "whole"]
Colors: TypeAlias = NDArray[np.float64]
"""(N, 3), RGB in [0, 1]; transferred ones may lie beyond."""
Image: TypeAlias = NDArray[np.floating]
Mask: TypeAlias = NDArray[np.bool_]

RING_SHARE = 0.25  # width of the ring, of the side of a square as large as the mask
LEAST_RING_PX = 8.0
LEAST_SPREAD = 1e-6  # deviations and square roots of eigenvalues below this are not divided by
TURNS = 20  # of `distribution`; Pitié et al. come near to the end with so many
SEED = 0  # of its directions

_TO_XYZ = np.array(
    ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
)
_WHITE = _TO_XYZ.sum(axis=1)  # D65, so that white is exactly (100, 0, 0)
_CUBE, _LINE = (6 / 29) ** 3, 3 * (6 / 29) ** 2


def transferred(
    source: Image,
    mask: Mask,
    target: Image,
    *,
    method: Method = "reinhard",
    around: Around = "ring",
    ring_px: float | None = None,
    strength: float = 1.0,
    reach_px: int = 0,
) -> Image:
    """Return the source with the colors that its object should have in the target.

    Args:
        source: (H, W, 3) RGB in [0, 1], floating point, in the target's frame.
        mask: (H, W), True where the object is; only its pixels change, unless `reach_px` says more.
        target: (H, W, 3), likewise; what lies under the object is not read.
        method: What is made equal, see above.
        around: Whose statistics the object gets: those of the target's pixels near the mask, or of all of them.
        ring_px: How near; None: a quarter of the side of a square as large as the mask, and 8 pixels at least.
        strength: How far the colors go, 1 = all the way.
        reach_px: How far beyond the mask the source's pixels change as the object does, for those who read differences
            across its border.

    Returns:
        (H, W, 3), the source's type, in [0, 1]. The source itself where the object or what surrounds it is empty.

    Raises:
        InputError: Shapes do not fit.
        UsageError: The method is none, or the strength is not from 0 to 1.

    Example:
        >>> dark, light = np.full((8, 8, 3), 0.2), np.full((8, 8, 3), 0.7)
        >>> center = np.zeros((8, 8), bool)
        >>> center[2:6, 2:6] = True
        >>> result = transferred(dark, center, light)
        >>> [round(float(result[row, row, 0]), 6) for row in (0, 4)]
        [0.2, 0.7]
    """
    if source.shape != target.shape or source.ndim != 3 or source.shape[-1] != 3 or mask.shape != source.shape[:2]:
        raise InputError(
            f"source and target must have one shape (H, W, 3) and the mask (H, W), got {source.shape}, {target.shape} "
            f"and {mask.shape}"
        )
    if not 0 <= strength <= 1:
        raise UsageError(f"strength={strength:g}: must be from 0 to 1")
    if method not in get_args(Method):
        raise UsageError(unknown("color transfer", method, get_args(Method)))
    place = surroundings(mask, around=around, ring_px=ring_px)
    if not mask.any() or not place.any():
        return source.copy()
    own, wanted = source[mask].astype(np.float64), target[place].astype(np.float64)
    reached = mask if reach_px == 0 else distance_to(mask) <= reach_px
    moved = own if reach_px == 0 else source[reached].astype(np.float64)
    found = moved + strength * (transfer(own, wanted, method=method, moved=moved) - moved)
    result = source.copy()
    result[reached] = found.clip(0, 1)
    return result


def surroundings(mask: Mask, *, around: Around = "ring", ring_px: float | None = None) -> Mask:
    """Return the pixels (H, W) outside of a mask whose colors count; see `transferred`.

    Where the ring holds nothing, since the mask is empty, it is all of the image.
    """
    if around == "whole" or not mask.any():
        return ~mask
    width = ring_width(int(mask.sum())) if ring_px is None else ring_px
    distance = distance_to(mask)
    near: Mask = (distance > 0) & (distance <= width)
    return near


def ring_width(count: int) -> float:
    """Return how wide the ring around a mask of so many pixels is, in pixels."""
    return max(RING_SHARE * math.sqrt(count), LEAST_RING_PX)


def distance_to(mask: Mask) -> NDArray[np.float32]:
    """Return how far each pixel is from a mask (H, W) that is not empty, in pixels; 0 inside."""
    found = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(found, np.float32)


def transfer(own: Colors, wanted: Colors, *, method: Method, moved: Colors | None = None) -> Colors:
    """Return colors with the statistics of others, not clipped.

    Args:
        own: (N, 3) RGB in [0, 1], N at least 1.
        wanted: (M, 3), likewise.
        method: See above.
        moved: (K, 3), which move as `own` has to; None: `own`.

    Returns:
        (N, 3), or (K, 3).
    """
    return _METHODS[method](own, wanted, own if moved is None else moved)


def reinhard(own: Colors, wanted: Colors, moved: Colors) -> Colors:
    """Give colors the mean and the deviation of others, channel by channel in CIELAB.

    Reinhard et al., "Color Transfer between Images" (2001), who take the decorrelated space of Ruderman; its logarithm
    has no value for black, and CIELAB is what most programs take in its place. A channel without deviation is moved.
    """
    ours, theirs = to_lab(own), to_lab(wanted)
    spread = ours.std(axis=0)
    scale = np.where(spread > LEAST_SPREAD, theirs.std(axis=0) / np.maximum(spread, LEAST_SPREAD), 1.0)
    return from_lab((to_lab(moved) - ours.mean(axis=0)) * scale + theirs.mean(axis=0))


def covariance(own: Colors, wanted: Colors, moved: Colors) -> Colors:
    """Give colors the mean and the covariance of others by the linear map that moves them least.

    Pitié and Kokaram (CVMP 2007): with A, B the covariances,
    T = A^-1/2 (A^1/2 B A^1/2)^1/2 A^-1/2, which is symmetric. Directions in which colors do not differ stay.
    """
    a, b = (np.cov(each, rowvar=False, bias=True).reshape(3, 3) for each in (own, wanted))
    root = _power(a, 0.5)
    inverse = _power(a, -0.5)
    map_ = inverse @ _power(root @ b @ root, 0.5) @ inverse
    values, vectors = np.linalg.eigh(a)
    flat = vectors[:, values <= LEAST_SPREAD**2]
    map_ += flat @ flat.T
    found: Colors = (moved - own.mean(axis=0)) @ map_ + wanted.mean(axis=0)
    return found


def histogram(own: Colors, wanted: Colors, moved: Colors) -> Colors:
    """Give every channel the histogram of others: the value of each rank becomes the others' of that rank."""
    channels = zip(own.T, wanted.T, moved.T, strict=True)
    return np.stack([_ranked(ours, theirs, values) for ours, theirs, values in channels], axis=1)


def distribution(own: Colors, wanted: Colors, moved: Colors) -> Colors:
    """Give colors nearly the whole distribution of others, by histograms along many directions.

    Pitié, Kokaram and Dahyot (Computer Vision and Image Understanding 107, 2007): turn all colors at random, match
    the histograms of the three axes, turn back, and again. The first turn is none. The turns are always the same.
    """
    rng, ours, found = np.random.default_rng(SEED), own, moved
    for turn in range(TURNS):
        axes = np.linalg.qr(rng.standard_normal((3, 3)))[0] if turn else np.eye(3)
        turned, theirs = ours @ axes, wanted @ axes
        found = histogram(turned, theirs, found @ axes) @ axes.T
        ours = histogram(turned, theirs, turned) @ axes.T
    return found


_METHODS: Mapping[Method, Callable[[Colors, Colors, Colors], Colors]] = {
    "reinhard": reinhard,
    "covariance": covariance,
    "histogram": histogram,
    "distribution": distribution,
}


def _ranked(own: Colors, wanted: Colors, moved: Colors) -> Colors:
    """Return what numbers (K,) become where those of (N,) get the distribution of others (M,); ties stay ties."""
    values, counts = np.unique(own, return_counts=True)
    share = (np.cumsum(counts) - counts / 2) / len(own)  # the middle of each value's ranks, in (0, 1)
    theirs = np.sort(wanted)
    at = (np.arange(len(theirs)) + 0.5) / len(theirs)
    found: Colors = np.interp(moved, values, np.interp(share, at, theirs))
    return found


def _power(matrix: Colors, exponent: float) -> Colors:
    """Return a power of a symmetric matrix without negative eigenvalues; those near 0 stay 0, also inverted."""
    values, vectors = np.linalg.eigh(matrix)
    there = values > LEAST_SPREAD**2
    powered = np.where(there, np.where(there, values, 1.0) ** exponent, 0.0)
    found: Colors = (vectors * powered) @ vectors.T
    return found


def to_lab(colors: Colors) -> Colors:
    """Return CIELAB (..., 3) of sRGB colors in [0, 1] or beyond, for the white of D65."""
    xyz = linear_of(colors) @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > _CUBE, np.cbrt(xyz), xyz / _LINE + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=-1)


def from_lab(lab: Colors) -> Colors:
    """Return sRGB colors (..., 3) of CIELAB; the inverse of `to_lab`."""
    lightness, a, b = np.moveaxis(lab, -1, 0)
    y = (lightness + 16) / 116
    f = np.stack((y + a / 500, y, y - b / 200), axis=-1)
    xyz = np.where(f > 6 / 29, f**3, _LINE * (f - 4 / 29)) * _WHITE
    return encoded(xyz @ np.linalg.inv(_TO_XYZ).T)


def linear_of(colors: Colors) -> Colors:
    """Return light of sRGB values; below 0 the straight part goes on."""
    curved = ((np.maximum(colors, 0.04045) + 0.055) / 1.055) ** 2.4
    found: Colors = np.where(colors > 0.04045, curved, colors / 12.92)
    return found


def encoded(light: Colors) -> Colors:
    """Return sRGB values of light; the inverse of `linear_of`."""
    knee = 0.04045 / 12.92
    curved = 1.055 * np.maximum(light, knee) ** (1 / 2.4) - 0.055
    found: Colors = np.where(light > knee, curved, 12.92 * light)
    return found
