"""Training sketches: the lines that a person might draw in the hole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# ITU-R BT.601, the weights of scikit-image's and OpenCV's older gray conversions.
_LUMA = np.array([0.299, 0.587, 0.114])


def canny_sketch(photo: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    """Return the Canny edges of a photo (H, W, 3) smoothed by `sigma` pixels: (H, W), 1 = line."""
    from skimage.feature import canny

    gray = photo @ _LUMA / 255
    edges: NDArray[np.bool_] = canny(gray, sigma=sigma)  # type: ignore[no-untyped-call]
    return edges.astype(np.uint8)


def file_sketch(sketch: NDArray[np.uint8], threshold: float) -> NDArray[np.uint8]:
    """Return the lines of an edge map (H, W): 1 where value / 255 > threshold (0.6 in the public code)."""
    return (sketch > threshold * 255).astype(np.uint8)
