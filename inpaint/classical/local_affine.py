"""Local affine maps of color: what turns one image into another near each pixel, made smooth, and applied again.

The last step of the program of photographic style transfer (Luan, Paris, Shechtman and Bala, "Deep Photo Style
Transfer", CVPR 2017): what no smooth map of the content's colors explains, such as texture that was painted where there
was none, does not come through. Maps are (H, W, 3, 4): by rows red, green and blue of the result, by columns what red,
green, blue and 1 are multiplied by.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.classical.guided_filter import box_sums, guided_filter

Image: TypeAlias = NDArray[Any]
Maps: TypeAlias = NDArray[np.float64]

RIDGE = 1e-3  # of the program: what the slopes cost, on sums over a patch
DETAIL_RADIUS_PX, DETAIL_EPS = 8, 0.01  # of the filter beyond which lies detail


def local_maps(content: Image, result: Image, *, radius_px: int = 1) -> Maps:
    """Fit at each pixel the affine map from the content's colors to the result's, by least squares over its patch.

    Args:
        content, result: (H, W, 3) in [0, 1].
        radius_px: A patch has 2 r + 1 pixels a side, less at the frame.

    Returns:
        (H, W, 3, 4).
    """
    ones = np.ones((*content.shape[:2], 1))
    given = np.concatenate((np.asarray(content, np.float64), ones), axis=2)
    wanted = np.asarray(result, np.float64)
    normal, right = (
        np.stack(
            [
                np.stack([box_sums(given[..., i] * each[..., j], radius_px) for j in range(each.shape[2])], -1)
                for i in range(4)
            ],
            -2,
        )
        for each in (given, wanted)
    )  # (H, W, 4, 4) and (H, W, 4, 3)
    normal += RIDGE * np.diag((1.0, 1.0, 1.0, 0.0))
    return np.asarray(np.linalg.solve(normal, right).swapaxes(-1, -2), np.float64)


def bilateral(maps: Maps, content: Image, *, radius_px: int, edge: float) -> Maps:
    """Smooth maps where the content is smooth: means over a square window weighted by distance and color.

    Takes time in proportion to the pixels of the window; `guided` does not.

    Args:
        maps: (H, W, 3, 4).
        content: (H, W, 3) in [0, 1].
        radius_px: The window has 2 r + 1 pixels a side, less at the frame; deviation of the distance: a third of r.
        edge: Deviation of the color: root of the mean squared difference over the channels.
    """
    height, width = content.shape[:2]
    flat = np.ascontiguousarray(maps.reshape(height, width, -1), np.float32)
    colors = np.asarray(content, np.float32)
    total, weights = np.zeros_like(flat), np.zeros((height, width, 1), np.float32)
    near = 2 * (radius_px / 3) ** 2
    for down in range(-min(radius_px, height - 1), min(radius_px, height - 1) + 1):
        for right in range(-min(radius_px, width - 1), min(radius_px, width - 1) + 1):
            here = np.s_[max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)]
            there = np.s_[max(down, 0) : height - max(-down, 0), max(right, 0) : width - max(-right, 0)]
            off = np.square(colors[here] - colors[there]).mean(axis=2, keepdims=True)
            weight = np.exp(-off / (2 * edge**2) - (down * down + right * right) / near)
            total[here] += weight * flat[there]
            weights[here] += weight
    return (total / weights).reshape(maps.shape).astype(np.float64)


def guided(maps: Maps, content: Image, *, radius_px: int, edge: float) -> Maps:
    """Smooth maps by the guided filter, whose time does not depend on the window.

    Args:
        maps: (H, W, 3, 4).
        content: (H, W, 3) in [0, 1], the guide.
        radius_px: A window has 2 r + 1 pixels a side, less at the frame.
        edge: Deviation of the content's colors in a window from which on it is an edge; the filter's eps is its square.
    """
    return guided_filter(content, maps.reshape(*maps.shape[:2], -1), radius_px=radius_px, eps=edge**2).reshape(
        maps.shape
    )


def applied(maps: Maps, content: Image) -> Maps:
    """Return the content (H, W, 3) mapped, not clipped."""
    found: Maps = np.einsum("hwij,hwj->hwi", maps[..., :3], np.asarray(content, np.float64)) + maps[..., 3]
    return found


def enlarged(maps: Maps, size: tuple[int, int]) -> Maps:
    """Return maps at another height and width, between the old places bilinear."""
    if maps.shape[:2] == size:
        return maps
    flat = maps.reshape(*maps.shape[:2], -1)
    planes = [cv2.resize(flat[..., k], size[::-1], interpolation=cv2.INTER_LINEAR) for k in range(flat.shape[2])]
    return np.asarray(np.stack(planes, axis=-1).reshape(*size, *maps.shape[2:]), np.float64)


def detail_restored(image: Image, content: Image) -> Maps:
    """Return an image with the fine detail of the content added: what a guided filter of the content takes away.

    Mends bands of one color, which smooth maps leave where the content hardly varies (of the same program).
    """
    wide = np.asarray(content, np.float64)
    return np.asarray(image + (wide - guided_filter(wide, wide, radius_px=DETAIL_RADIUS_PX, eps=DETAIL_EPS)))
