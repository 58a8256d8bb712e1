"""What every kind of mask has in common: frozen options, drawn from a generator, never empty and never full."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, Field

from inpaint.errors import MaskError
from inpaint.images.lettering import Lettering

HoleMask: TypeAlias = NDArray[np.uint8]
"""(H, W), values 0 and 1, 1 = hole, C-contiguous."""

TRIES = 100  # how often a kind is drawn again before a rule is met by force


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError("the first number must not exceed the second")
    return span


Span = Annotated[tuple[float, float], AfterValidator(_ordered)]
"""(lowest, highest) of a continuous quantity."""

Share = Annotated[float, Field(ge=0, le=1)]
ShareSpan = Annotated[tuple[Share, Share], AfterValidator(_ordered)]
"""(lowest, highest) share in [0, 1]."""

_Natural = Annotated[int, Field(ge=0)]
CountSpan = Annotated[tuple[_Natural, _Natural], AfterValidator(_ordered)]
"""(fewest, most), both possible."""


class Mask(BaseModel, frozen=True, extra="forbid"):
    """A way of drawing masks: pure options, no state.

    A mask depends on the generator's state and the size alone: the same seed gives the same mask wherever NumPy and
    OpenCV are the same. Lengths given in pixels belong to the kind's nominal size and are scaled by
    min(height, width) / nominal, so a mask looks alike at every size.
    """

    kind: str

    def draw(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        """Draw one mask.

        There is always at least one hole pixel and one known pixel: a mask with none is drawn again, and after 100
        attempts one random pixel is changed (only tiny sizes and extreme options come to that).

        Args:
            rng: Where all random numbers come from.
            height: Of the mask, in pixels.
            width: Of the mask, in pixels.

        Returns:
            (H, W) uint8, 1 = hole, a new array.

        Raises:
            MaskError: There are fewer than two pixels.
        """
        if height < 1 or width < 1 or height * width < 2:
            raise MaskError(f"a mask needs at least two pixels, got {height} x {width}")
        for _ in range(TRIES):
            mask = self._draw_once(rng, height, width)
            if 0 < cv2.countNonZero(mask) < mask.size:
                return mask
        return with_both(mask, rng)

    def _draw_once(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        """Draw one mask that may be empty or full; it must be a new contiguous array."""
        mask = blank(height, width)
        self.paint(mask, rng)
        return mask

    def draw_lettered(self, rng: np.random.Generator, height: int, width: int) -> tuple[HoleMask, Lettering | None]:
        """Draw the same mask, and say what its text covers where it is, or holds, text.

        What is hole and no text has no coverage there.
        """
        return self.draw(rng, height, width), None

    def files(self) -> tuple[str, ...]:
        """Return the files that this mask itself is drawn from; most kinds have none."""
        return ()

    def parts(self) -> tuple[Mask, ...]:
        """Return this mask and those that it is made of."""
        return (self,)

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """Add a hole to the mask in place: for kinds that draw on top of what there is."""
        raise NotImplementedError


def content_of_files(mask: Mask) -> str | None:
    """Return a hash of the files that masks are drawn from, their names included; None where there are none."""
    files = [file for part in mask.parts() for file in part.files()]
    if not files:
        return None
    common, found = os.path.commonpath([os.path.dirname(file) for file in files]), hashlib.blake2b(digest_size=8)  # noqa: PTH120
    for file in files:
        try:
            content = Path(file).read_bytes()
        except OSError:
            content = b""  # told when it is drawn
        found.update(f"{os.path.relpath(file, common)}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
    return found.hexdigest()


def blank(height: int, width: int) -> HoleMask:
    """Return a mask without a hole."""
    return np.zeros((height, width), dtype=np.uint8)


def with_both(mask: HoleMask, rng: np.random.Generator) -> HoleMask:
    """Return a mask that has hole and known pixels: where it lacks one of them, a random pixel is changed in place."""
    if not 0 < cv2.countNonZero(mask) < mask.size:
        pixel = int(rng.integers(mask.size))
        mask.flat[pixel] = 1 - mask.flat[pixel]
    return mask


def hole_ratio(mask: HoleMask) -> float:
    """Return the share of hole pixels, in [0, 1]."""
    return cv2.countNonZero(mask) / mask.size


def scale_to(height: int, width: int, nominal_px: int) -> float:
    """Return the factor for lengths that are given in pixels of a nominal size."""
    return min(height, width) / nominal_px
