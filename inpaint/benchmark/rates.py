"""What feeds a training, as tasks to be measured: drawing a mask, making a training sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

import cv2
import numpy as np

from inpaint.benchmark.timing import Work
from inpaint.data.config import DataConfig
from inpaint.errors import ConfigError, unknown
from inpaint.masks import names, parse_mask


def mask_sides(size: int | None = None, kinds: Sequence[str] | None = None) -> dict[str, int]:
    """Return the side in pixels at which each kind of mask is drawn.

    Args:
        size: The same for all; None: what a preset is made for, 256 for the rest.
        kinds: Only these; None: all.

    Raises:
        ConfigError: There is no such kind.
    """
    sides = {name: size or (512 if "512" in name else 256) for name in names()}
    for name in kinds or ():
        if name not in sides:
            raise ConfigError(unknown("mask", name, sides))
    return sides if kinds is None else {name: sides[name] for name in kinds}


def mask_tasks(sides: Mapping[str, int], *, seed: int = 0) -> dict[str, Work]:
    """Return one task per kind: draw one mask."""

    def task(name: str, side: int) -> Work:
        mask, rng = parse_mask(name), np.random.default_rng(seed)
        return lambda: mask.draw(rng, side, side)

    return {name: task(name, side) for name, side in sides.items()}


def data_task(config: DataConfig, *, seed: int = 0) -> Work:
    """Return the task of making one training sample in this process: decode, crop, flip, mask."""
    from inpaint.data.module import InpaintData  # brings Lightning, which masks do not need

    cv2.setNumThreads(1)
    stream, numbers = InpaintData(config, batch_size=1, max_iterations=1, seed=seed).stream, count()
    return lambda: stream[next(numbers)]
