"""Images at other sizes."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def resized(image: NDArray[Any], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Return an image (H, W) or (H, W, 3) at another size (h, w), reduced by areas, enlarged by cubics."""
    if image.shape[:2] == size:
        return np.asarray(image, np.float32)
    smaller = math.prod(size) < math.prod(image.shape[:2])
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.asarray(image, np.float32), size[::-1], interpolation=how), np.float32)
