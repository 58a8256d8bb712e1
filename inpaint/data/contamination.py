"""Photos painted over in the hole, which blind models learn to find and to mend: other photos, noise, colors, text.

After VCNet (Wang et al., ECCV 2020, arXiv 2003.06816), whose program lays other photos over strokes and boxes. There
the opacity of one sample in two reaches 24 pixels out of the mask that is learned; here all that is painted over lies
within the mask, unless `rim` is "grown".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from inpaint import seeds
from inpaint.images.lettering import Lettering, laid_over
from inpaint.images.photo import BT709, luma
from inpaint.images.planes import Bytes, PlaneMaker, SampleParts
from inpaint.masks.base import Share, ShareSpan, Span
from inpaint.masks.growing import grown

Content: TypeAlias = Literal["photo", "noise", "solid", "gradient"]
Weights: TypeAlias = dict[Content, float]
Colors: TypeAlias = NDArray[Any]
"""(3,) or (H, W, 3)."""

INKS = ((255.0, 255.0, 255.0), (0.0, 0.0, 0.0), (255.0, 220.0, 0.0))  # text is mostly white, black or yellow
LARGEST_GRAIN_PX = 8


class Contamination(PlaneMaker):
    """The photo with something else in the hole: the plane `contaminated`, (H, W, 3).

    Args:
        contents: What lies in holes that are no text, by weight: "photo", a second one of the set (the image itself,
            upside down, where there is none), "noise", "solid" or "gradient" colors.
        inks: Likewise of letters.
        contrast: Least difference of luma, of 1, between letters of one color and the mean of what they lie on: text is
            written to be read. Black or white takes the place of a color that is nearer.
        opacity: Range of the opacity of what lies in holes.
        ink_opacity: Range of the opacity of text.
        soft: Share of the samples whose hole has a smooth rim; text has smooth edges always.
        rim: Where opacity rises: "inside" the hole, over `rim_px`; or "grown", outside of it over 24 pixels, as in
            VCNet's program, so that pixels count as known that are not.
        rim_px: Range of the width of a rim inside the hole; half of the hole at most.
        flip: Share of the second photos that are turned upside down.
    """

    purpose = seeds.CONTAMINATION
    val_purpose: ClassVar[seeds.Purpose | None] = seeds.VAL_CONTAMINATION
    contents: Weights = Field({"photo": 5.0, "noise": 1.0, "solid": 2.0, "gradient": 2.0})
    inks: Weights = Field({"solid": 16.0, "gradient": 3.0, "photo": 1.0})
    contrast: Share = 0.3
    opacity: ShareSpan = (1.0, 1.0)
    ink_opacity: ShareSpan = (0.6, 1.0)
    soft: Share = 0.5
    rim: Literal["inside", "grown"] = "inside"
    rim_px: Span = (1.0, 4.0)
    flip: float = Field(0.5, ge=0, le=1)  # VCNet: vertical, one photo in two

    @field_validator("contents", "inks")
    @classmethod
    def _some_weight(cls, weights: Weights) -> Weights:
        if min(weights.values(), default=0.0) < 0 or not 0 < sum(weights.values()) < np.inf:
            raise ValueError("must hold numbers that are not negative, at least one of them above 0")
        return weights

    def make(self, image: Bytes, mask: Bytes, *, companion: Bytes | None, rng: np.random.Generator | None) -> Colors:
        """Return the plane of a sample that has no second photo and no text."""
        return self.make_of(SampleParts(image, mask, companion), rng)

    def make_of(self, parts: SampleParts, rng: np.random.Generator | None) -> Colors:
        """Return the plane (H, W, 3) float32 in [0, 1]: what 8 bits hold."""
        assert rng is not None  # validation draws as well
        plane: Colors = np.divide(self.painted(parts, rng), np.float32(255), dtype=np.float32)
        return plane

    def painted(self, parts: SampleParts, rng: np.random.Generator) -> Bytes:
        """Return the contaminated photo (H, W, 3)."""
        another = _Once(parts, upside_down=rng.random() < self.flip)
        image: NDArray[Any] = parts.image.astype(np.float32)
        inside = parts.mask.astype(np.float32)
        written = None if parts.lettering is None else inside * (parts.lettering.whole > 0)
        plain = inside if written is None else inside - written
        if plain.any():
            colors = _content(_one_of(self.contents, rng), image.shape[:2], rng, another)
            image = laid_over(image, (colors, self._alpha(plain, rng)), rng.uniform(*self.opacity))
        if parts.lettering is not None and written is not None:
            image = self._lettered(image, parts.lettering, written, rng, another)
        return np.asarray(np.rint(image), np.uint8)

    def _alpha(self, hole: NDArray[np.float32], rng: np.random.Generator) -> NDArray[Any]:
        """Return the opacity (H, W) of what lies in a hole."""
        if rng.random() >= self.soft:
            return hole
        if self.rim == "grown":
            return grown(hole)
        depth = np.asarray(cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5), np.float32)
        width = min(rng.uniform(*self.rim_px), float(depth.max()) / 2)
        alpha: NDArray[Any] = np.clip(depth / (width + 1), 0, 1)
        return alpha

    def _lettered(
        self,
        image: NDArray[Any],
        lettering: Lettering,
        where: NDArray[np.float32],
        rng: np.random.Generator,
        another: Callable[[], Bytes],
    ) -> NDArray[Any]:
        """Return the image with text on it, within `where`."""
        kind = _one_of(self.inks, rng)
        if kind == "solid":
            color = _legible(_ink(rng), image[where > 0], self.contrast)
        else:
            color = _content(kind, where.shape, rng, another)
        around = np.full(3, 0.0 if float(np.mean(color)) > 127 else 255.0) if rng.random() < 0.8 else _ink(rng)
        opacity = rng.uniform(*self.ink_opacity)
        if lettering.shadow is not None:
            shadow = lettering.shadow / 255 * where
            image = laid_over(image, (np.zeros(3), shadow), opacity * rng.uniform(0.5, 1.0))
        colors, covered = lettering.ink(color, around)
        return laid_over(image, (colors, covered * where), opacity)


class _Once:
    """The second photo of a sample, decoded when it is first asked for."""

    def __init__(self, parts: SampleParts, *, upside_down: bool) -> None:
        self._parts = parts
        self._upside_down = upside_down
        self._found: Bytes | None = None

    def __call__(self) -> Bytes:
        if self._found is None:
            if self._parts.another is None:
                self._found = self._parts.image[::-1, ::-1]
            else:
                self._found = self._parts.another()[:: -1 if self._upside_down else 1]
        return self._found


def _one_of(weights: Mapping[Content, float], rng: np.random.Generator) -> Content:
    """Return a name drawn by weight."""
    steps = np.cumsum(list(weights.values()))
    number = int(np.searchsorted(steps, rng.random() * steps[-1], side="right"))
    return list(weights)[min(number, len(weights) - 1)]


def _content(kind: Content, size: tuple[int, int], rng: np.random.Generator, another: Callable[[], Bytes]) -> Colors:
    """Return what lies in a hole; size: of the image, height and width."""
    height, width = size
    if kind == "photo":
        return another()
    if kind == "solid":
        return rng.integers(0, 256, 3).astype(np.float32)
    if kind == "noise":
        grain = int(rng.integers(1, LARGEST_GRAIN_PX + 1)) if rng.random() < 0.5 else 1
        channels = 1 if rng.random() < 0.3 else 3
        rows, cols = -(-height // grain), -(-width // grain)
        drawn = rng.integers(0, 256, (rows, cols, channels), dtype=np.uint8)
        spread: Bytes = drawn.repeat(grain, 0).repeat(grain, 1)[:height, :width]
        return np.broadcast_to(spread, (height, width, 3))
    angle = rng.uniform(0, 2 * np.pi)
    first, last = rng.integers(0, 256, (2, 3)).astype(np.float32)
    along = (
        np.cos(angle) * np.linspace(-0.5, 0.5, width)[None] + np.sin(angle) * np.linspace(-0.5, 0.5, height)[:, None]
    )
    share = (along / np.abs(along).max() / 2 + 0.5)[..., None]
    gradient: NDArray[Any] = first * (1 - share) + last * share
    return gradient


def _ink(rng: np.random.Generator) -> NDArray[Any]:
    """Return the color of text: one of those that are usual, or any."""
    number = int(rng.integers(len(INKS) + 1))
    return np.array(INKS[number]) if number < len(INKS) else rng.integers(0, 256, 3).astype(np.float64)


def _legible(color: NDArray[Any], under: NDArray[Any], contrast: float) -> NDArray[Any]:
    """Return a color (3,), or black or white where the mean of the pixels (N, 3) under it is too near."""
    if not len(under):
        return color
    lightness = float(luma(under.mean(axis=0), BT709))
    if abs(float(luma(color, BT709)) - lightness) >= 255 * contrast:
        return color
    return np.full(3, 0.0 if lightness > 127 else 255.0)
