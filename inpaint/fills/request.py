"""What a fill works on: the seed of each image, the clock that reports progress, the request that was checked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

import inpaint.seeds as seeds
from inpaint.fills.arrays import Array
from inpaint.fills.checks import checked_seeds
from inpaint.types import Progress, ProgressCallback, Seed, StopFill

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ImageSeed:
    """The seed of one image of a batch: (s, i) of an integer seed s, or the image's own."""

    words: tuple[int, ...]

    @classmethod
    def of_each(cls, seed: Seed, count: int) -> tuple[ImageSeed, ...]:
        """Return the seeds of `count` images; raises InputError as `checked_seeds` does."""
        given = checked_seeds(seed, count)
        if isinstance(given, int):
            return tuple(cls((given, number)) for number in range(count))
        return tuple(cls((own,)) for own in given)

    def generator(self, sample: int) -> np.random.Generator:
        """Return NumPy's generator of one sample of the image."""
        return seeds.generator(self.words, seeds.DRAW, sample)

    def integer(self) -> int:
        """Return one number that stands for the seed: the image's own, or one derived from (s, i).

        (s, 0) is s itself: a method that restores a single image by another way paints the same with it.
        """
        if len(self.words) == 1 or self.words[1] == 0:
            return self.words[0]
        return seeds.integer(self.words[0], seeds.IMAGE, self.words[1])


class Clock:
    """Counts what is done of a fill and tells the caller, who may ask to stop.

    Args:
        units: Fills to paint, images times samples.
        steps: Of progress for each; more than one for methods that take long.
        callback: The caller's.
    """

    def __init__(self, units: int, steps: int, callback: ProgressCallback | None) -> None:
        self.stopped = False
        self.units_done = 0
        self._steps = steps
        self._total = units * steps
        self._callback = callback
        self._told = 0
        self._started = time.monotonic()

    @property
    def listened(self) -> bool:
        """Whether anybody is told; else a preview need not be made."""
        return self._callback is not None

    def report(self, share: float, preview: Tensor | None = None) -> None:
        """Say which share of the present unit is done, 0 to 1, and perhaps what it looks like, (1, 3, H, W).

        Raises:
            StopFill: The caller has had enough; the best so far may be returned instead of going on.
        """
        self._tell(int((self.units_done + min(share, 1.0)) * self._steps), preview)

    def finish(self, units: int) -> None:
        """Count so many more units as done; `stopped` says whether the caller has had enough."""
        self.units_done += units
        with suppress(StopFill):
            self._tell(self.units_done * self._steps, None)

    def _tell(self, done: int, preview: Tensor | None) -> None:
        if self._callback is None or self.stopped or (done <= self._told and preview is None):
            return
        self._told = done
        elapsed_s = time.monotonic() - self._started
        remaining_s = elapsed_s * (self._total / done - 1) if done else None
        try:
            self._callback(Progress(done=done, total=self._total, remaining_s=remaining_s, preview=preview))
        except StopFill:
            self.stopped = True
            raise


@dataclass(frozen=True, kw_only=True)
class Request:
    """A fill that was asked for and checked; arrays (B, C, H, W) of one kind.

    Args:
        image: (B, 3, H, W) in the type of the results.
        mask: (B, 1, H, W), as it was given; from 0 to 1, as a blind fill found it, where none was.
        hole: (B, 1, H, W), bool.
        guidance: Planes by name.
        seeds: Of each image.
        draws: Samples to paint of each image; 1 where all would be the same.
        clock: Where progress is reported.
        warnings: Of each unit, by its number, what is to be said against its fill.
        strategies: Of each unit, by its number, what a strategy did.
        encoded: What `find_to_fill` left behind of the images; None where the mask was given.
    """

    image: Array
    mask: Array
    hole: Array
    guidance: Mapping[str, Array]
    seeds: tuple[ImageSeed, ...]
    draws: int
    clock: Clock
    warnings: dict[int, tuple[str, ...]] = field(default_factory=dict)
    strategies: dict[int, str] = field(default_factory=dict)
    encoded: object = None

    def warnings_of(self, sample: int) -> tuple[str, ...]:
        """Return what is to be said against one sample of all images, which are named where there are several."""
        return tuple(self._named(sample, {unit: list(texts) for unit, texts in self.warnings.items()}))

    def strategy_of(self, sample: int) -> str:
        """Return what a strategy did for one sample of all images, which are named where there are several."""
        return "; ".join(self._named(sample, {unit: [text] for unit, text in self.strategies.items() if text}))

    def _named(self, sample: int, said: Mapping[int, list[str]]) -> list[str]:
        found = []
        for unit, texts in sorted(said.items()):
            if unit % self.draws == sample:
                where = f"image {unit // self.draws}: " if len(self.image) > 1 else ""
                found += [f"{where}{text}" for text in texts]
        return found
