"""Half the size and back, without letting what a hole holds into the image."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from inpaint.fills.array_fill import HoleArray, ImageArray


def halved(image: ImageArray, hole: HoleArray) -> tuple[ImageArray, npt.NDArray[np.float64]]:
    """Return image (H, W, 3) at half the size, rounded up, and which share of each pixel was known (H/2, W/2).

    Each pixel is the mean of the known ones among the four it stands for; 0 where there is none.
    """
    height, width = hole.shape
    even = ((0, height % 2), (0, width % 2))
    weight = np.pad((~hole).astype(image.dtype), even, mode="edge")
    known = np.pad(np.where(hole[..., None], 0, image), (*even, (0, 0)), mode="edge")
    share = _quads(weight[..., None])[..., 0]  # (H/2, W/2)
    return _quads(known) / np.maximum(share, 0.25)[..., None], share


def upsampled(image: ImageArray, shape: tuple[int, ...]) -> ImageArray:
    """Return image (h, w, 3) bilinearly at twice the size, cut to shape (H, W): the inverse of `halved`'s grid."""
    height, width = image.shape[:2]
    doubled = cv2.resize(image, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(doubled[: shape[0], : shape[1]], dtype=image.dtype)


def _quads(values: ImageArray) -> ImageArray:
    """Return the mean of each 2 x 2 block of (H, W, C), H and W even."""
    height, width, channels = values.shape
    blocks = values.reshape(height // 2, 2, width // 2, 2, channels)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=values.dtype)
