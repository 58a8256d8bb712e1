"""A fill keeps to the colors around its hole: what a method adds beyond them is its defect, not the image's."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage  # type: ignore[import-untyped]

from inpaint.classical.options import RANGE_PX

Labels: TypeAlias = npt.NDArray[np.int32]


def clip_to_range(image: npt.NDArray[Any], labels: Labels) -> None:
    """Clip each hole, in place and per channel, to the range of the known pixels up to `RANGE_PX` away from it.

    Args:
        image: (H, W, 3), filled.
        labels: (H, W), which hole a pixel belongs to, 0 = known. A known pixel counts for its nearest hole.
    """
    distance, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    ring = (distance > 0) & (distance <= RANGE_PX)
    owner, hole = labels[tuple(nearest[:, ring])], labels > 0
    every = np.arange(labels.max() + 1)
    for channel in range(image.shape[-1]):
        plane = image[..., channel]
        low = np.asarray(ndimage.minimum(plane[ring], owner, every))
        high = np.asarray(ndimage.maximum(plane[ring], owner, every))
        plane[hole] = np.clip(plane[hole], low[labels[hole]], high[labels[hole]])
