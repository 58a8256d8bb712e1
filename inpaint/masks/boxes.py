"""Rectangular holes: random boxes, the center, a half, the frame that outpainting fills, and the whole image."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from inpaint.masks.base import CountSpan, HoleMask, Mask, ShareSpan

Side = Literal["left", "right", "top", "bottom"]
SIDES: tuple[Side, ...] = ("left", "right", "top", "bottom")


class Box(Mask):
    """Boxes anywhere in the image; each side is a uniform share of the image's side, height and width apart."""

    kind: Literal["box"] = "box"
    count: CountSpan = (1, 1)
    size: ShareSpan = (0.25, 0.5)

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        height, width = mask.shape
        smallest, largest = self.size
        for _ in range(int(rng.integers(self.count[0], self.count[1] + 1))):
            u = rng.random(4).tolist()
            rows = max(1, round(height * (smallest + (largest - smallest) * u[0])))
            cols = max(1, round(width * (smallest + (largest - smallest) * u[1])))
            top, left = int((height - rows + 1) * u[2]), int((width - cols + 1) * u[3])
            mask[top : top + rows, left : left + cols] = 1


class Center(Mask):
    """One box in the center, always the same: `fraction` of each side (0.5 leaves three quarters of the image)."""

    kind: Literal["center"] = "center"
    fraction: float = Field(0.5, gt=0, lt=1)

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        height, width = mask.shape
        rows, cols = max(1, round(height * self.fraction)), max(1, round(width * self.fraction))
        top, left = (height - rows) // 2, (width - cols) // 2
        mask[top : top + rows, left : left + cols] = 1


class Half(Mask):
    """One half of the image. `side` names the missing half; "random" draws one of the four."""

    kind: Literal["half"] = "half"
    side: Literal["left", "right", "top", "bottom", "random"] = "random"

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        lines = _lines_from(mask, SIDES[int(rng.integers(4))] if self.side == "random" else self.side)
        lines[: len(lines) // 2] = 1


class Whole(Mask):
    """The whole image: for models that read no mask. The only kind that leaves nothing known."""

    kind: Literal["whole"] = "whole"

    def draw(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        """Return ones; nothing is drawn."""
        return np.ones((height, width), np.uint8)


class Outpaint(Mask):
    """Strips along the borders, to be invented, as in extending an image.

    Args:
        sides: The missing sides (one, several, or "all"), or "random": each with probability 1/2, at least one (as
            LaMa's outpainting masks).
        share: A strip's uniform share of the image's side; every strip has its own, and the middle always stays.
    """

    kind: Literal["outpaint"] = "outpaint"
    sides: Annotated[tuple[Side, ...], Field(min_length=1)] | Literal["all", "random"] = "random"
    share: ShareSpan = (0.1, 0.3)

    @field_validator("sides", mode="before")
    @classmethod
    def _one_side(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) and value not in ("all", "random") else value

    def paint(self, mask: HoleMask, rng: np.random.Generator) -> None:
        """See `Mask`."""
        u = rng.random(9).tolist()
        if self.sides == "all":
            chosen: tuple[Side, ...] = SIDES
        elif self.sides == "random":
            chosen = tuple(side for side, chance in zip(SIDES, u, strict=False) if chance < 0.5)
            chosen = chosen or (SIDES[int(4 * u[8])],)
        else:
            chosen = self.sides
        for side in chosen:
            lines = _lines_from(mask, side)
            share = self.share[0] + (self.share[1] - self.share[0]) * u[4 + SIDES.index(side)]
            # Less than half of the length, so that two opposite strips leave something between them.
            lines[: max(1, min(round(len(lines) * share), (len(lines) - 1) // 2))] = 1


def _lines_from(mask: HoleMask, side: Side) -> HoleMask:
    """Return a view of the mask whose first line lies along a side: its rows, or its columns."""
    lines = mask.T if side in ("left", "right") else mask
    return lines[::-1] if side in ("right", "bottom") else lines
