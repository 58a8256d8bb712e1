"""What a measure is, and what measures look at.

A measure of images gives one number per image; means over several images are means of these numbers, never of pixels. A
measure of sets compares the features of all painted images with those of all originals and gives one number.

Names tell what was looked at: `psnr` is of the whole completed image, `psnr_hole` of its hole, `psnr_raw` and
`psnr_hole_raw` of what the network painted everywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import InputError
from inpaint.metrics.accumulate import wide
from inpaint.metrics.ssim import ssim_map

Better: TypeAlias = Literal["higher", "lower", "neither"]
Features: TypeAlias = NDArray[np.float64]
"""One row per image, (N, D)."""


class Pair:
    """Painted images beside their originals, and what several measures need of them, computed once.

    Args:
        painted: (B, C, H, W) in [0, 1].
        image: The originals, of the same shape.

    Raises:
        InputError: The shapes differ.
    """

    def __init__(self, painted: Tensor, image: Tensor) -> None:
        if image.ndim != 4 or painted.shape != image.shape:
            raise InputError(
                "completed and image must have one shape (B, C, H, W), "
                f"got {tuple(painted.shape)} and {tuple(image.shape)}"
            )
        self.painted = painted
        self.image = image

    @cached_property
    def absolute(self) -> Tensor:
        """Absolute differences, averaged over channels, (B, H, W)."""
        return self._difference.abs().mean(dim=1)

    @cached_property
    def squared(self) -> Tensor:
        """Squared differences, averaged over channels, (B, H, W)."""
        return self._difference.square().mean(dim=1)

    @cached_property
    def similarity(self) -> Tensor:
        """The map of SSIM, (B, H, W)."""
        return ssim_map(wide(self.painted), wide(self.image))

    @cached_property
    def _difference(self) -> Tensor:
        return wide(self.painted) - wide(self.image)


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """Fills of a batch beside the originals.

    completed, image: (B, 3, H, W) in [0, 1]. mask: (B, 1, H, W), 1 = hole, above 0.5 counts as hole. raw: what was
    painted everywhere, (B, 3, H, W), or None. samples: several fills of each image, (S, B, 3, H, W), or None. found:
    the mask that a blind model found, (B, 1, H, W), or None.

    Raises InputError for shapes that do not belong together.
    """

    completed: Tensor
    image: Tensor
    mask: Tensor
    raw: Tensor | None = None
    samples: Tensor | None = None
    found: Tensor | None = None

    def __post_init__(self) -> None:
        want = (self.image.shape[0], 1, *self.image.shape[-2:])
        if tuple(self.mask.shape) != want:
            raise InputError(f"mask must have shape {want} to match the image, got {tuple(self.mask.shape)}")

    @cached_property
    def hole(self) -> Tensor:
        """Where the hole is, (B, H, W) bool."""
        return self.mask[:, 0] > 0.5

    @cached_property
    def pair(self) -> Pair:
        """The completed images and the originals."""
        return Pair(self.completed, self.image)

    @cached_property
    def raw_pair(self) -> Pair:
        """What was painted everywhere, brought to [0, 1], and the originals. Raises InputError without it."""
        if self.raw is None:
            raise InputError("there is nothing but the completed image to measure")
        return Pair(self.raw.clamp(0, 1), self.image)


class Measure(ABC):
    """One way to say how good fills are.

    name: as in columns and options. title: as in tables, with the unit. better: which direction is better. low, high:
    between which numbers it lies. decimals, scale: how it is shown.
    """

    name: str
    title: str
    better: Better
    low: float
    high: float
    decimals: int = 3
    scale: float = 1.0
    per: ClassVar[Literal["image", "set"]]

    def missing(self) -> str | None:
        """Return in a sentence why it cannot be had here, and the way out; None when it can."""
        return None


Needs: TypeAlias = Literal["samples", "found"]
"""What of `Compared` not every model gives: several different fills, a mask of its own."""


class ImageMeasure(Measure):
    """A measure with one number per image.

    needs: what must be there for it; a model that does not give it is not measured by it.
    """

    per = "image"
    needs: tuple[Needs, ...] = ()

    @abstractmethod
    def values(self, compared: Compared) -> Tensor:
        """Return (B,), float64 (float32 on devices without it), NaN where `counts` is False."""

    def counts(self, compared: Compared) -> Tensor:
        """Return which images count in the mean, (B,) bool.

        Told by what is measured and not by NaN: a model that paints NaN must not look good by being left out.
        """
        return torch.ones(len(compared.image), dtype=torch.bool, device=compared.image.device)


class RegionMeasure(ImageMeasure):
    """The mean of a map over the image or its hole. An image without a hole has no number for the hole.

    Args:
        hole: Over hole pixels only.
        raw: Of what was painted everywhere instead of the completed image.
    """

    family: str

    def __init__(self, *, hole: bool = False, raw: bool = False) -> None:
        self.hole = hole
        self.raw = raw
        self.name = f"{self.family}{'_hole' if hole else ''}{'_raw' if raw else ''}"

    def values(self, compared: Compared) -> Tensor:
        """Measure the pair that was asked for."""
        return self.of_pair(compared.raw_pair if self.raw else compared.pair, compared.hole if self.hole else None)

    def counts(self, compared: Compared) -> Tensor:
        """Leave out images without a hole, where the hole is measured."""
        return compared.hole.flatten(1).any(dim=1) if self.hole else super().counts(compared)

    @abstractmethod
    def of_pair(self, pair: Pair, hole: Tensor | None) -> Tensor:
        """Return (B,) for a pair; hole: (B, H, W), or None for the whole image."""


class SetMeasure(Measure):
    """A measure of all painted images against all originals.

    least: how many images it needs to say anything. extractor: what computes the features; measures that name the same
    one share them.
    """

    per = "set"
    least: int
    extractor: str

    @abstractmethod
    def features(self, images: Tensor) -> Features:
        """Return the features (B, D) of images (B, 3, H, W) uint8."""

    @abstractmethod
    def of_sets(self, painted: Features, originals: Features) -> float:
        """Compare features (N, D) of the painted images and of their originals, row by row the same photo."""


def mean_over(values: Tensor, hole: Tensor | None) -> Tensor:
    """Average (B, H, W) over the hole (B, H, W), or over all; 0/0 = NaN without a hole pixel."""
    if hole is None:
        return values.mean(dim=(1, 2))
    return torch.where(hole, values, 0).sum(dim=(1, 2)) / hole.sum(dim=(1, 2))
