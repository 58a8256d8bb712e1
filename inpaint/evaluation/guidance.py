"""Guidance for models that are evaluated, made of the true photo as their training makes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import UsageError
from inpaint.images.guidance import COLOR, DRAWN_BY_HAND, SKETCH
from inpaint.images.planes import maker_class
from inpaint.masks import HoleMask
from inpaint.types import Capabilities, Plane

USUAL_SHIFT_PX: Final = 8
NEUTRAL: Final = (replace(SKETCH, options=DRAWN_BY_HAND), COLOR)
"""What models that were given no guidance are measured against."""

Planes = Mapping[str, NDArray[Any]]
"""(H, W, C) in [0, 1], by name."""


@dataclass(frozen=True)
class Guiding:
    """What models are told: nothing, the truth, or the truth at a wrong place, shifted to the lower right."""

    kind: Literal["none", "true", "shifted"] = "none"
    shift_px: int = 0

    def __str__(self) -> str:
        return f"{self.kind}:{self.shift_px}" if self.kind == "shifted" else self.kind

    @classmethod
    def parse(cls, text: str) -> Guiding:
        """Return what "none", "true", "shifted" or "shifted:PIXELS" means. Raises UsageError for anything else.

        Example:
            >>> Guiding.parse("shifted:12")
            Guiding(kind='shifted', shift_px=12)
        """
        if text in ("none", "true"):
            return cls("none" if text == "none" else "true")
        found = re.fullmatch(r"shifted(?::(\d+))?", text)
        if found is None or (shift_px := int(found[1] or USUAL_SHIFT_PX)) == 0:
            raise UsageError(f"--guidance must be none, true, shifted or shifted:PIXELS, got '{text}'")
        return cls("shifted", shift_px)

    def given(self, capabilities: Capabilities, photo: NDArray[np.uint8], mask: HoleMask) -> Planes:
        """Return the planes that a model is given, none where it takes none.

        Args:
            capabilities: The model's.
            photo: The truth, (H, W, 3).
            mask: (H, W), 1 = hole.
        """
        if self.kind == "none":
            return {}
        return {name: self._made(plane, photo, mask) for name, plane in capabilities.guidance.items() if plane.make}

    def asked(self, given: Planes, capabilities: Capabilities, photo: NDArray[np.uint8], mask: HoleMask) -> Planes:
        """Return the lines and colors that a fill is measured against, "lines" (H, W, 1) and "colors" (H, W, 4).

        What the model was given; where it was given none, what could have been drawn.
        """
        found: dict[str, NDArray[Any]] = {}
        for name, plane in capabilities.guidance.items():
            if name in given and plane.scales != "values":
                found.setdefault(plane.scales, given[name])
        for plane in NEUTRAL:
            if plane.scales not in found:
                found[plane.scales] = self._made(plane, photo, mask)
        return found

    def _made(self, plane: Plane, photo: NDArray[np.uint8], mask: HoleMask) -> NDArray[Any]:
        """Return a plane as validation has it, shifted, in the hole only."""
        maker = maker_class(plane)(**plane.options)
        maker.check()
        whole = np.ones_like(mask) if self.shift_px else mask
        made = maker.make(photo, whole, companion=None, rng=None)
        made = shifted(made.reshape(*mask.shape, -1).astype(np.float32), self.shift_px)
        return made * mask[..., None]


def shifted(plane: NDArray[np.float32], by_px: int) -> NDArray[np.float32]:
    """Return a plane (H, W, C) shifted to the lower right, 0 where nothing came from."""
    if by_px == 0:
        return plane
    moved = np.zeros_like(plane)
    moved[by_px:, by_px:] = plane[:-by_px, :-by_px]
    return moved
