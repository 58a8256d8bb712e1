"""What a pipeline computes, in NumPy and OpenCV: what its graph is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.export.pipeline import KERNEL_PX, RIM_PX, SIGMA_PX, SOME, WHOLE, WINDOW, PipelineSizes

Pixels: TypeAlias = NDArray[Any]
Paint: TypeAlias = Callable[[Pixels, Pixels], Pixels]
"""From image (1, 3, h, w) and mask (1, 1, h, w), float32 of sides that the network takes, to what it paints."""


def filled(photo: Pixels, hole: NDArray[np.bool_], paint: Paint, sizes: PipelineSizes) -> Pixels:
    """Fill a photo as a pipeline does.

    Args:
        photo: (H, W, 3) uint8.
        hole: (H, W).
        paint: The network.
        sizes: Of the network.

    Returns:
        (H, W, 3) uint8.
    """
    if not hole.any():
        return photo.copy()
    spans = [np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0)]
    wanted = max(WINDOW * max(span[-1] + 1 - span[0] for span in spans), sizes.trained_px)
    window = []
    for span, side in zip(spans, hole.shape, strict=True):
        size = min(wanted, side)
        start = min(max(int((span[0] + span[-1] + 1 - size) / 2), 0), side - size)
        window.append(slice(start, start + size))
    place = (window[0], window[1])
    result = photo.copy()
    inside = hole[place]
    result[place][inside] = _window_filled(photo[place] / np.float32(255), inside, paint, sizes)[inside]
    return result


def _window_filled(image: Pixels, hole: NDArray[np.bool_], paint: Paint, sizes: PipelineSizes) -> Pixels:
    height, width = hole.shape
    longest = max(height, width, sizes.trained_px)
    small_size = max(width * sizes.trained_px // longest, 1), max(height * sizes.trained_px // longest, 1)
    known = (~hole).astype(np.float64)
    weight = cv2.resize(known, small_size, interpolation=cv2.INTER_AREA)
    seen = image * known[..., None]
    color = cv2.resize(seen, small_size, interpolation=cv2.INTER_AREA) / np.maximum(weight, SOME)[..., None]
    color = np.where(weight[..., None] > SOME, color, 0).clip(0, 1)
    small_hole = weight < WHOLE if weight.max() >= WHOLE else weight <= SOME
    rows, columns = (
        -(-max(side, sizes.minimum_px) // sizes.multiple_px) * sizes.multiple_px - side for side in small_hole.shape
    )
    grown = [
        np.pad(each, ((0, rows), (0, columns), (0, 0)), mode="symmetric") for each in (color, small_hole[..., None])
    ]
    inputs = [each.transpose(2, 0, 1)[None].astype(np.float32) for each in grown]
    raw = paint(*inputs)[0].transpose(1, 2, 0)[: small_size[1], : small_size[0]].clip(0, 1)
    near = cv2.dilate(small_hole.astype(np.float32), np.ones((2 * RIM_PX + 1, 2 * RIM_PX + 1)))
    jump = _spread(color - raw, near - small_hole, (sizes.trained_px - 1).bit_length())
    evened = np.where(small_hole[..., None], (raw + jump).clip(0, 1), color)
    painted = cv2.resize(evened, (width, height), interpolation=cv2.INTER_CUBIC)

    def blurred(value: Pixels) -> Pixels:
        size = (KERNEL_PX, KERNEL_PX)
        found: Pixels = cv2.GaussianBlur(value, size, SIGMA_PX, borderType=cv2.BORDER_CONSTANT | cv2.BORDER_ISOLATED)
        return found

    near = blurred(known)
    own = blurred(painted * hole[..., None]) / np.maximum(blurred(1 - known), SOME)[..., None]
    jump = blurred(seen) / np.maximum(near, SOME)[..., None] - own
    mended = painted + np.minimum(2 * near, 1)[..., None] * jump
    levels: Pixels = np.rint(255 * mended.clip(0, 1)).astype(np.uint8)
    return levels


def _spread(jump: Pixels, weight: Pixels, levels: int) -> Pixels:
    """Return a value (h, w, 3) everywhere that is known where the weight (h, w) is 1: pull, then push."""
    if not levels:
        return jump
    height, width = weight.shape
    half = (width + 1) // 2, (height + 1) // 2
    share = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    color = cv2.resize(jump * weight[..., None], half, interpolation=cv2.INTER_AREA)
    mean = color / np.maximum(share, SOME)[..., None]
    beyond = _spread(mean, np.minimum(4 * share, 1), levels - 1)
    wide = cv2.resize(beyond, (width, height), interpolation=cv2.INTER_LINEAR)
    spread: Pixels = wide + weight[..., None] * (jump - wide)
    return spread
