"""Flicker of a film that was painted: how much a frame differs from the one before, moved by the original's flow."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.images.flow import consistency, flow_between, warped

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class WarpingError:
    """Of a film, in levels of 255; less is steadier.

    Args:
        rms: Root of the mean over pairs of frames of the mean squared difference, over the pixels whose flow is
            consistent there and back and the channels.
        pairs: How many pairs of frames have such a pixel.
        share: Mean share of such pixels.
    """

    rms: float
    pairs: int
    share: float


def warping_error(frames: Iterable[tuple[Frame, Frame]]) -> WarpingError:
    """Measure how much a painted film flickers (Ruder et al., GCPR 2016; Lai et al., ECCV 2018).

    The original film measured by itself is the floor: noise, and what the flow gets wrong.

    Args:
        frames: Pairs (original, painted), in the film's order, each (H, W, 3).
    """
    errors, shares = list[float](), list[float]()
    before: tuple[Frame, Frame] | None = None
    for original, painted in frames:
        if before is not None:
            flow, back = flow_between(original, before[0]), flow_between(before[0], original)
            shares.append(float((kept := consistency(flow, back) == 1).mean()))
            if kept.any():
                errors.append(squared_difference(painted, warped(before[1], flow), kept))
        before = original, painted
    mean = float(np.mean(errors)) if errors else math.nan
    return WarpingError(math.sqrt(mean), len(errors), float(np.mean(shares)) if shares else math.nan)


def squared_difference(painted: NDArray[Any], moved: NDArray[Any], kept: NDArray[np.bool_]) -> float:
    """Return the mean squared difference of images (H, W, 3) over the pixels kept (H, W) and all channels."""
    return float(np.square(painted[kept].astype(np.float64) - moved[kept]).mean())
