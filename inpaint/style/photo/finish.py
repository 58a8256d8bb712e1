"""The last step: whatever was painted becomes local affine maps of the content's colors, and looks like a photo.

It may follow any method whose result has the content's frame, a feed-forward network's say.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.classical.local_affine import applied, bilateral, detail_restored, enlarged, guided, local_maps
from inpaint.style.photo.options import FinishOptions

AT_PX = 700  # longest side of the authors' images


def finished(
    content: NDArray[Any], painted: NDArray[Any], options: FinishOptions, *, reduced: NDArray[Any] | None = None
) -> NDArray[np.float64]:
    """Return the content as smooth local maps make it like the painted image, not clipped.

    Args:
        content: (H, W, 3) in [0, 1].
        painted: (h, w, 3), of the same frame, not larger.
        options: How.
        reduced: The content at the painted image's size; None: it is reduced here.
    """
    size = (content.shape[0], content.shape[1])
    if options.smoothing == "none":
        image = np.asarray(painted, np.float64)
        if image.shape[:2] != size:
            image = np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC), np.float64)
    else:
        small = content if reduced is None else reduced
        if small.shape != painted.shape:
            small = cv2.resize(small, (painted.shape[1], painted.shape[0]), interpolation=cv2.INTER_AREA)
        smooth = guided if options.smoothing == "guided" else bilateral
        radius_px = max(round(options.radius_px * max(small.shape[:2]) / AT_PX), 1)
        maps = smooth(local_maps(small, painted), small, radius_px=radius_px, edge=options.edge)
        image = applied(enlarged(maps, size), content)
    return detail_restored(image, content) if options.detail else image
