"""What a measure is, and what measures look at.

A measure of images gives one number per image; means over several images are means of these numbers, never of pixels. A
measure of sets compares the features of all painted images with those of all originals and gives one number. What a
measure needs beside completed images, originals and masks it says (`Measure.needs`); where that is not there, or an
image is too small for it, there is no number, which `ImageMeasure.applies` tells beforehand.

Names tell what was looked at: `psnr` is of the whole completed image, `psnr_hole` of its hole, `psnr_raw` and
`psnr_hole_raw` of what the network painted everywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import InputError
from inpaint.metrics.accumulate import wide
from inpaint.metrics.separation import Separation, separate
from inpaint.metrics.ssim import ssim_map

Better: TypeAlias = Literal["higher", "lower", "neither"]
Need: TypeAlias = Literal["raw", "samples", "found", "lines", "colors", "style", "before"]
Features: TypeAlias = NDArray[np.float64]
"""One row per image, (N, D)."""
T = TypeVar("T")

NEEDS: Mapping[Need, str] = {
    "raw": "what the model painted everywhere",
    "samples": "several fills of each image",
    "found": "the mask that a blind model found",
    "lines": "lines drawn for the fill to follow",
    "colors": "colors given for the fill to follow",
    "style": "a picture whose style is wanted",
    "before": "a film's frame before, and what has become of it",
}
"""What a measure may need, in words."""


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
        self._kept: dict[Hashable, Any] = {}

    def once(self, key: Hashable, compute: Callable[[Tensor, Tensor], T]) -> T:
        """Return what `compute` makes of (painted, image), computed by the first of several measures that ask.

        Args:
            key: Equal for equal computations.
            compute: Called once for each key.
        """
        if key not in self._kept:
            self._kept[key] = compute(self.painted, self.image)
        found: T = self._kept[key]
        return found

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
    the mask that a blind model found, (B, 1, H, W), or None. lines, colors: what the fill was to follow, (B, 1, H, W),
    1 = line, and (B, 4, H, W), RGB and 1 where a color is given, or None. style: the pictures whose style was wanted,
    (B, 3, h, w), or None. before: of frames of films the originals before, and what has become of these, each as image;
    or None.

    Raises InputError for shapes that do not belong together.
    """

    completed: Tensor
    image: Tensor
    mask: Tensor
    raw: Tensor | None = None
    samples: Tensor | None = None
    found: Tensor | None = None
    lines: Tensor | None = None
    colors: Tensor | None = None
    style: Tensor | None = None
    before: tuple[Tensor, Tensor] | None = None

    def __post_init__(self) -> None:
        want = (self.image.shape[0], 1, *self.image.shape[-2:])
        if tuple(self.mask.shape) != want:
            raise InputError(f"mask must have shape {want} to match the image, got {tuple(self.mask.shape)}")
        if self.found is not None and tuple(self.found.shape) != want:
            raise InputError(f"found must have shape {want} to match the image, got {tuple(self.found.shape)}")
        for name, plane, channels in (("lines", self.lines, 1), ("colors", self.colors, 4)):
            size = (len(self.image), channels, *self.image.shape[-2:])
            if plane is not None and tuple(plane.shape) != size:
                raise InputError(f"{name} must have shape {size} to match the image, got {tuple(plane.shape)}")
        if self.style is not None and self.style.shape[:-2] != self.image.shape[:-2]:
            batch = ", ".join(map(str, self.image.shape[:-2]))
            raise InputError(f"style must have shape ({batch}, h, w) to match the image, got {tuple(self.style.shape)}")
        if self.before is not None and any(each.shape != self.image.shape for each in self.before):
            shapes = " and ".join(str(tuple(each.shape)) for each in self.before)
            raise InputError(f"before must have the image's shape {tuple(self.image.shape)} twice, got {shapes}")
        if self.samples is not None and self.samples.shape[1:] != self.image.shape:
            shape = f"(S, {', '.join(map(str, self.image.shape))})"
            raise InputError(f"samples must have shape {shape} to match the image, got {tuple(self.samples.shape)}")

    @property
    def given(self) -> frozenset[Need]:
        """What there is beside completed images, originals and masks; one sample alone is none."""
        there: dict[Need, bool] = {
            "raw": self.raw is not None,
            "samples": self.samples is not None and len(self.samples) > 1,
            "found": self.found is not None,
            "lines": self.lines is not None,
            "colors": self.colors is not None,
            "style": self.style is not None,
            "before": self.before is not None,
        }
        return frozenset(need for need, is_there in there.items() if is_there)

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

    @cached_property
    def sample_pairs(self) -> list[Pair]:
        """All pairs of the samples. Raises InputError where there are not at least two."""
        if self.samples is None or len(self.samples) < 2:
            raise InputError("there are not several fills of each image to compare")
        return [Pair(*two) for two in combinations(self.samples, 2)]


class Measure(ABC):
    """One way to say how good fills are.

    name: as in columns and options. title: as in tables, with the unit. better: which direction is better. low, high:
    between which numbers it lies. decimals, scale: how it is shown. needs: what it looks at beside completed images,
    originals and masks. smallest_px: the shorter side that images must have.
    """

    name: str
    title: str
    better: Better
    low: float
    high: float
    decimals: int = 3
    scale: float = 1.0
    needs: frozenset[Need] = frozenset()
    smallest_px: int = 1
    per: ClassVar[Literal["image", "set"]]

    def missing(self) -> str | None:
        """Return in a sentence why it cannot be had here, and the way out; None when it can.

        Weights that are not here yet are fetched, so that the answer is true: it may take a while, once.
        """
        return None

    def lacks(self, given: Collection[Need], *, side_px: int | None = None) -> str | None:
        """Return in a sentence why it says nothing about certain images; None when it does say something.

        Args:
            given: What there is beside completed images, originals and masks.
            side_px: The shorter side of the images; None where they have several sizes.
        """
        for need in sorted(self.needs):
            if need not in given:
                return f"it needs {NEEDS[need]}"
        if side_px is not None and side_px < self.smallest_px:
            return f"it needs images of at least {self.smallest_px} pixels a side, these have {side_px}"
        return None


class ImageMeasure(Measure):
    """A measure with one number per image. A model that does not give what it needs is not measured by it."""

    per = "image"

    @abstractmethod
    def values(self, compared: Compared) -> Tensor:
        """Return (B,), float64 (float32 on devices without it), NaN where `counts` is False.

        Raises:
            InputError: It does not apply.
        """

    def applies(self, compared: Compared) -> bool:
        """Return whether there is what it needs and the images are large enough."""
        return self.lacks(compared.given, side_px=min(compared.image.shape[-2:])) is None

    def counts(self, compared: Compared) -> Tensor:
        """Return which images count in the mean, (B,) bool; none where it does not apply.

        Told by what is measured and not by NaN: a model that paints NaN must not look good by being left out.
        """
        return torch.full((len(compared.image),), self.applies(compared), device=compared.image.device)


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
        self.needs = self.needs | {"raw"} if raw else self.needs

    def values(self, compared: Compared) -> Tensor:
        """Measure the pair that was asked for."""
        return self.of_pair(compared.raw_pair if self.raw else compared.pair, compared.hole if self.hole else None)

    def counts(self, compared: Compared) -> Tensor:
        """Leave out images without a hole, where the hole is measured."""
        counted = super().counts(compared)
        return counted & compared.hole.flatten(1).any(dim=1) if self.hole else counted

    @abstractmethod
    def of_pair(self, pair: Pair, hole: Tensor | None) -> Tensor:
        """Return (B,) for a pair; hole: (B, H, W), or None for the whole image."""


class Sets:
    """Features of all painted images beside those of their originals, and what several measures need of them.

    Args:
        painted: (N, D).
        originals: (N, D), row by row of the same photo; of its style for measures `over_styles`.
        means: Of the measures of images that a measure of sets is made of, over the same rows.

    Raises:
        InputError: The shapes differ.
    """

    def __init__(self, painted: Features, originals: Features, means: Mapping[str, float] | None = None) -> None:
        if painted.ndim != 2 or painted.shape != originals.shape:
            raise InputError(
                f"painted and originals must have one shape (N, D), got {painted.shape} and {originals.shape}"
            )
        self.painted = painted
        self.originals = originals
        self.means = means or {}

    @cached_property
    def separation(self) -> Separation:
        """How well a linear classifier tells the two apart, fitted once."""
        return separate(self.painted, self.originals)


class Extractor(ABC):
    """What turns an image into one row of features.

    name: tells extractors apart. dimensions: how many features.
    """

    name: str
    dimensions: int

    def missing(self) -> str | None:
        """Return why it cannot be had here, as `Measure.missing`."""
        return None

    @abstractmethod
    def features(self, images: Tensor) -> Features:
        """Return the features (B, D) of images (B, 3, H, W) uint8, computed on their device.

        A row depends on its image alone, so that rows may come from batches of any size and from several processes.
        """


class SetMeasure(Measure):
    """A measure of all painted images against all originals.

    extractor: what computes the features; measures that name the same one have the same features, which are computed
    once. least: how many images it needs to say anything. advised: with fewer, the sample count decides more than what
    was painted. why: of both, as the end of a sentence. over_styles: whether it compares the images in all styles with
    these styles' pictures, and so has one number for all of them. made_of: measures of images whose means it needs.

    Args:
        source: Of the features.
    """

    per = "set"
    extractor: str
    least: int
    advised: int
    why: str
    over_styles: ClassVar[bool] = False
    made_of: ClassVar[tuple[str, ...]] = ()

    def __init__(self, source: Extractor) -> None:
        self.source = source
        self.extractor = source.name

    def missing(self) -> str | None:
        """Ask for the extractor."""
        return self.source.missing()

    def features(self, images: Tensor) -> Features:
        """Return the features (B, D) of images (B, 3, H, W) uint8, as the extractor does."""
        return self.source.features(images)

    @abstractmethod
    def of_sets(self, sets: Sets) -> float:
        """Compare the painted images with their originals."""

    def refusal(self, count: int) -> str | None:
        """Return in a sentence why so many images are too few; None when they suffice."""
        if count >= self.least:
            return None
        return f"{self.name} needs at least {self.least} images, got {count}: {self.why}"

    def caution(self, count: int) -> str | None:
        """Return what to say beside a number of so many images; None from `advised` on."""
        if count >= self.advised:
            return None
        return f"{self.name} of {count} images, fewer than {self.advised}: {self.why}"


def mean_over(values: Tensor, hole: Tensor | None) -> Tensor:
    """Average (B, H, W) over the hole (B, H, W), or over all; 0/0 = NaN without a hole pixel."""
    if hole is None:
        return values.mean(dim=(1, 2))
    return torch.where(hole, values, 0).sum(dim=(1, 2)) / hole.sum(dim=(1, 2))
