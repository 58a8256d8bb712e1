"""The guided filter (He, Sun and Tang, "Guided Image Filtering", ECCV 2010): smooths where another image is smooth."""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


def guided_filter(guide: NDArray[Any], image: NDArray[Any], *, radius_px: int, eps: float) -> Floats:
    """Return an image smoothed so that in every window it is an affine function of the guide's colors.

    Takes time in proportion to the pixels, whatever the radius.

    Args:
        guide: (H, W, C), for eps usually in [0, 1].
        image: (H, W, D), or (H, W).
        radius_px: A window has 2 r + 1 pixels a side, less at the frame.
        eps: Variance of the guide within a window below which it says nothing.

    Returns:
        Like the image, float64.
    """
    guide = np.asarray(guide, np.float64)
    values = np.asarray(image, np.float64).reshape(*image.shape[:2], -1)
    count = box_sums(np.ones(guide.shape[:2]), radius_px)
    channels = guide.shape[2]

    def mean(plane: NDArray[Any]) -> Floats:
        return box_sums(plane, radius_px) / count

    means = np.stack([mean(guide[..., c]) for c in range(channels)], axis=-1)  # (H, W, C)
    covariance = np.empty((*guide.shape[:2], channels, channels))
    for i in range(channels):
        for j in range(i, channels):
            covariance[..., i, j] = mean(guide[..., i] * guide[..., j]) - means[..., i] * means[..., j]
            covariance[..., j, i] = covariance[..., i, j]
    covariance += eps * np.eye(channels)
    value_means = np.stack([mean(values[..., d]) for d in range(values.shape[2])], axis=-1)  # (H, W, D)
    joint = np.empty((*guide.shape[:2], channels, values.shape[2]))
    for c in range(channels):
        for d in range(values.shape[2]):
            joint[..., c, d] = mean(guide[..., c] * values[..., d]) - means[..., c] * value_means[..., d]
    slope = np.linalg.solve(covariance, joint)  # (H, W, C, D)
    offset = value_means - np.einsum("hwcd,hwc->hwd", slope, means)
    result = np.empty_like(values)
    for d in range(values.shape[2]):
        result[..., d] = mean(offset[..., d])
        for c in range(channels):
            result[..., d] += mean(slope[..., c, d]) * guide[..., c]
    return result.reshape(image.shape)


def box_sums(plane: NDArray[Any], radius_px: int) -> Floats:
    """Return sums over windows (H, W); what lies outside the frame counts 0."""
    side = 2 * radius_px + 1
    summed = cv2.boxFilter(plane, cv2.CV_64F, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(summed, np.float64)
