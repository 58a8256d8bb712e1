"""Photos with other colors in the hole, which harmonizers learn to give back the colors that they had.

Composites for training are made of real photos, since their truth is known (Tsai et al., "Deep Image Harmonization",
CVPR 2017): an object's colors are changed, as another light, camera or editor would, or are made those of another photo
by a color transfer, as in iHarmony4 (Cong et al., "DoveNet", CVPR 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from inpaint import seeds
from inpaint.classical.color_transfer import Method, encoded, linear_of, transfer
from inpaint.images.planes import Bytes, PlaneMaker, SampleParts
from inpaint.masks.base import ShareSpan

Change: TypeAlias = Literal["light", "transfer"]
Colors: TypeAlias = NDArray[np.float64]

LUMA = np.array([0.2126, 0.7152, 0.0722])  # of ITU-R BT.709
METHODS = get_args(Method)


class Recoloring(PlaneMaker):
    """The photo with other colors in the hole: the plane `composite`, (H, W, 3).

    Args:
        changes: By weight, what changes them: "light", brightness, tint, contrast, saturation; or "transfer", which
            gives them statistics of a second photo (the image itself, elsewhere, where there is none).
        exposure: Most stops by which light grows or falls.
        tint: Most stops by which red and blue grow or fall besides, each for itself.
        contrast: Most stops by which differences from the mean do.
        saturation: Most stops by which differences from gray do.
        gamma: Most stops of the exponent of what lies in [0, 1].
        strength: Range of how far a transfer goes.
        unchanged: Share of the samples whose colors stay, so that what fits is left alone.
    """

    purpose = seeds.RECOLORING
    val_purpose: ClassVar[seeds.Purpose | None] = seeds.VAL_RECOLORING
    changes: dict[Change, float] = Field({"light": 2.0, "transfer": 1.0})
    exposure: float = Field(1.0, ge=0)
    tint: float = Field(0.4, ge=0)
    contrast: float = Field(0.4, ge=0)
    saturation: float = Field(0.7, ge=0)
    gamma: float = Field(0.4, ge=0)
    strength: ShareSpan = (0.5, 1.0)
    unchanged: float = Field(0.05, ge=0, le=1)  # PCT-Net's program: 0.05 of the samples have no object at all

    @field_validator("changes")
    @classmethod
    def _some_weight(cls, weights: dict[Change, float]) -> dict[Change, float]:
        if min(weights.values(), default=0.0) < 0 or not 0 < sum(weights.values()) < np.inf:
            raise ValueError("must hold numbers that are not negative, at least one of them above 0")
        return weights

    def make(
        self, image: Bytes, mask: Bytes, *, companion: Bytes | None, rng: np.random.Generator | None
    ) -> NDArray[Any]:
        """Return the plane of a sample that has no second photo."""
        return self.make_of(SampleParts(image, mask, companion), rng)

    def make_of(self, parts: SampleParts, rng: np.random.Generator | None) -> NDArray[Any]:
        """Return the plane (H, W, 3) float32 in [0, 1]: what 8 bits hold."""
        assert rng is not None  # validation draws as well
        plane: NDArray[Any] = np.divide(self.painted(parts, rng), np.float32(255), dtype=np.float32)
        return plane

    def painted(self, parts: SampleParts, rng: np.random.Generator) -> Bytes:
        """Return the composite (H, W, 3)."""
        found, inside = parts.image.copy(), parts.mask > 0
        if rng.random() < self.unchanged or not inside.any():
            return found
        own = parts.image[inside].astype(np.float64) / 255
        weights = np.array([self.changes.get(kind, 0.0) for kind in get_args(Change)])
        if rng.choice(len(weights), p=weights / weights.sum()):
            changed = self._transferred(own, lambda: _elsewhere(parts, inside), rng)
        else:
            changed = self.relit(own, rng)
        found[inside] = np.rint(255 * changed.clip(0, 1)).astype(np.uint8)
        return found

    def relit(self, own: Colors, rng: np.random.Generator) -> Colors:
        """Return colors (N, 3) in another light, by another camera or editor; not clipped."""
        exposure, red, blue, contrast, saturation, gamma = rng.uniform(-1, 1, 6)
        gains = 2.0 ** (self.exposure * exposure + self.tint * np.array([red, 0.0, blue]))
        changed = encoded(linear_of(own) * gains)
        changed = changed.clip(0, None) ** 2.0 ** (self.gamma * gamma)
        mean = changed.mean(axis=0)
        changed = mean + (changed - mean) * 2.0 ** (self.contrast * contrast)
        gray = (changed @ LUMA)[:, None]
        found: Colors = gray + (changed - gray) * 2.0 ** (self.saturation * saturation)
        return found

    def _transferred(self, own: Colors, another: Callable[[], Colors], rng: np.random.Generator) -> Colors:
        method: Method = METHODS[int(rng.integers(len(METHODS)))]
        strength = rng.uniform(*self.strength)
        found: Colors = own + strength * (transfer(own, another(), method=method) - own)
        return found


def _elsewhere(parts: SampleParts, inside: NDArray[np.bool_]) -> Colors:
    """Return the colors (M, 3) of a second photo, or where there is none of the image beside the hole."""
    if parts.another is not None:
        return parts.another().reshape(-1, 3).astype(np.float64) / 255
    beside = parts.image[~inside] if not inside.all() else parts.image.reshape(-1, 3)
    return beside.astype(np.float64) / 255
