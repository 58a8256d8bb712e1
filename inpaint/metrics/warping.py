"""Flicker of a film that was painted: how much a frame differs from the one before, moved by the original's flow."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.images.flow import LEAST_DIS_PX, Flow, consistency, flow_between, warped
from inpaint.metrics.accumulate import wide
from inpaint.metrics.base import Compared, ImageMeasure

Frame = NDArray[np.uint8]


class WarpingError(ImageMeasure):
    """How much a painted frame differs from the one before, moved by the flow of the film (Ruder et al., GCPR 2016).

    The root of the mean squared difference over the channels and the pixels whose flow is consistent there and back, in
    levels of 255. A frame without such a pixel, after a cut for instance, does not count. The film itself, measured in
    the place of what was painted, is the floor: noise, and what the flow gets wrong.
    """

    name, title = "warping_error", "warping error"
    better, low, high = "lower", 0.0, 255.0
    decimals = 2
    needs = frozenset({"before"})
    smallest_px = LEAST_DIS_PX

    def values(self, compared: Compared) -> Tensor:
        """Measure frame by frame."""
        assert compared.before is not None  # `applies` has told
        films = (map(_frame, each) for each in (compared.image, compared.before[0]))
        painted = (map(_levels, each) for each in (compared.completed, compared.before[1]))
        found = [
            warping_error(frame, now, before, then) for frame, before, now, then in zip(*films, *painted, strict=True)
        ]
        return wide(compared.image.new_empty(0)).new_tensor(found)

    def counts(self, compared: Compared) -> Tensor:
        """Leave out frames that show nothing of the one before."""
        counted = super().counts(compared)
        if compared.before is None or not counted.any():
            return counted
        pairs = zip(map(_frame, compared.image), map(_frame, compared.before[0]), strict=True)
        return counted & torch.tensor([bool(_flow(*pair)[1].any()) for pair in pairs], device=counted.device)


def warping_error(frame: Frame, painted: NDArray[Any], before: Frame, painted_before: NDArray[Any]) -> float:
    """Return the error of one frame, in levels of 255; NaN where no pixel's flow is consistent.

    Args:
        frame, before: The film's, (H, W, 3).
        painted, painted_before: What has become of them, (H, W, 3) in levels of 255.
    """
    flow, kept = _flow(frame, before)
    off = painted[kept].astype(np.float64) - warped(painted_before, flow)[kept]
    return math.sqrt(np.square(off).mean()) if kept.any() else math.nan


def _flow(frame: Frame, before: Frame) -> tuple[Flow, NDArray[np.bool_]]:
    """Return the flow from a frame to the one before, and where it is consistent, (H, W)."""
    return _kept_flow(frame.tobytes(), before.tobytes(), frame.shape)


@lru_cache(maxsize=1)
def _kept_flow(frame: bytes, before: bytes, shape: tuple[int, ...]) -> tuple[Flow, NDArray[np.bool_]]:
    """Compute it; what several models have made of a frame is measured one after the other."""
    images = [np.frombuffer(each, np.uint8).reshape(shape) for each in (frame, before)]
    flow, back = flow_between(*images), flow_between(*images[::-1])
    return flow, consistency(flow, back) == 1


def _levels(image: Tensor) -> NDArray[np.float64]:
    """Return an image (3, H, W) in [0, 1] as (H, W, 3) in levels of 255."""
    return 255 * image.permute(1, 2, 0).double().cpu().numpy()


def _frame(image: Tensor) -> Frame:
    return _levels(image).round().astype(np.uint8)
