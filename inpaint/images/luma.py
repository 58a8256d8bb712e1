"""Gray from colors: one formula, two sets of weights."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BT601: Final = (0.299, 0.587, 0.114)
"""Weights of red, green and blue that Pillow and OpenCV use for gray: for files and masks."""

BT709: Final = (0.2125, 0.7154, 0.0721)
"""Weights of scikit-image, ITU-R BT.709 rounded: for edges, as EdgeConnect's program has them."""


def luma(image: NDArray[Any], weights: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return the gray image (H, W) of colors (H, W, 3), on the same scale, in float64."""
    gray: NDArray[np.float64] = image.astype(np.float64) @ np.array(weights)
    return gray
