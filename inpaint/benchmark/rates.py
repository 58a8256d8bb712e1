"""Measuring speed so that figures can be compared: everything in turns within one run (A B A B)."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from inpaint.data.config import DataConfig
from inpaint.data.module import InpaintData
from inpaint.masks import names, parse_mask

Work = Callable[[], None]


@dataclass(frozen=True)
class Rate:
    """How often per second something was done: the median over the rounds and the extremes."""

    median: float
    lowest: float
    highest: float


def rates_in_turns(tasks: Mapping[str, Work], *, rounds: int = 5, round_s: float = 0.2) -> dict[str, Rate]:
    """Time every task in each round, one after the other, so that a change of the machine's speed hits all alike.

    A task is repeated for `round_s` seconds; the first, uncounted round warms up. Returns repetitions per second.
    """
    seen: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(rounds + 1):
        for name, work in tasks.items():
            rate = _rate(work, round_s)
            if number:
                seen[name].append(rate)
    return {name: Rate(statistics.median(values), min(values), max(values)) for name, values in seen.items()}


def _rate(work: Work, at_least_s: float) -> float:
    started, count = time.perf_counter(), 0
    while True:
        work()
        count += 1
        passed = time.perf_counter() - started
        if passed >= at_least_s:
            return count / passed


def mask_sides(size: int | None) -> dict[str, int]:
    """Return the side at which each kind is drawn: `size`, or what a preset is made for, 256 for the rest."""
    return {name: size or (512 if "512" in name else 256) for name in names()}


def mask_tasks(sides: Mapping[str, int], *, seed: int = 0) -> dict[str, Work]:
    """Return one task per kind: draw one mask."""

    def task(name: str, side: int) -> Work:
        mask, rng = parse_mask(name), np.random.default_rng(seed)
        return lambda: void(mask.draw(rng, side, side))

    return {name: task(name, side) for name, side in sides.items()}


def data_task(config: DataConfig, *, seed: int = 0) -> Work:
    """Return the task of making one training sample in this process: decode, crop, flip, mask."""
    cv2.setNumThreads(1)
    stream = InpaintData(config, batch_size=1, max_iterations=1, seed=seed).stream
    numbers = iter(range(2**62))
    return lambda: void(stream[next(numbers)])


def commit() -> str | None:
    """Return the commit this package stands at, with "+" after it if files were changed; None outside a checkout."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        asked = [["git", "rev-parse", "HEAD"], ["git", "status", "--porcelain", "--untracked-files=no"]]
        head, changed = (
            subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
            for command in asked
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if changed else "")


def void(_: object) -> None:
    """Drop a result."""
