"""Planes beside image and mask: how a training sample makes one, and how a file becomes one.

A model declares its planes (`inpaint.types.Plane`); what they name as `make` and `read` is imported on first use, here.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import UsageError
from inpaint.images.lettering import Lettering
from inpaint.images.mask_rules import NEAR
from inpaint.images.masks import hole_of
from inpaint.images.photo import Photo, white_of
from inpaint.options import Options
from inpaint.seeds import Purpose
from inpaint.types import Plane

Bytes: TypeAlias = NDArray[np.uint8]
PlaneArray: TypeAlias = NDArray[Any]
"""(H, W) or (H, W, C), in [0, 1]."""

COMPANION: Final = "edge"
"""Ending of the file that belongs to a photo: NAME_edge.png beside NAME.jpg, KEY.edge.png in a shard."""


@dataclass(frozen=True, eq=False)
class SampleParts:
    """What a plane of a sample can be made of.

    Args:
        image: (H, W, 3), cropped and flipped.
        mask: (H, W), 1 = hole.
        companion: (H, W) of the file beside the photo, cut alike; None where there is none.
        lettering: What the text of the mask covers, where there is text.
        another: Decodes a second photo of the set when it is called, (H, W, 3), cut as photos are; None where there is
            none.
        style: Decodes the picture of a style that belongs to the sample; None where there are no styles.
    """

    image: Bytes
    mask: Bytes
    companion: Bytes | None = None
    lettering: Lettering | None = None
    another: Callable[[], Bytes] | None = None
    style: Callable[[], StyleSample] | None = None


@dataclass(frozen=True, eq=False)
class StyleSample:
    """The picture of a style.

    Args:
        name: Of the style: that of its file, without folder and ending.
        side: Of the crops of styles, px.
        reduced: Returns the picture (h, w, 3) with a shorter side of so many pixels, up or down.
    """

    name: str
    side: int
    reduced: Callable[[int], Bytes]


class PlaneMaker(Options):
    """Makes one plane of a training sample; a subclass's fields are the options of `data.planes.NAME`.

    purpose: of its random draws, the same for planes that must draw alike. val_purpose: likewise of those in
    validation; None where validation makes no random choices.
    """

    purpose: ClassVar[Purpose]
    val_purpose: ClassVar[Purpose | None] = None

    @property
    def needs_companion(self) -> bool:
        """Whether it is made from the file beside the photo."""
        return False

    @property
    def needs_style(self) -> bool:
        """Whether it is made from pictures of styles."""
        return False

    def check(self) -> None:
        """Raise MissingDependencyError where something that it needs is not installed."""

    @abstractmethod
    def make(
        self, image: Bytes, mask: Bytes, *, companion: Bytes | None, rng: np.random.Generator | None
    ) -> PlaneArray:
        """Return the plane of one sample.

        Args:
            image: (H, W, 3), cropped and flipped.
            mask: (H, W), 1 = hole.
            companion: (H, W) of the file beside the photo, cut alike; None where there is none.
            rng: For random choices; None in validation, which takes the middle of every range.
        """

    def make_of(self, parts: SampleParts, rng: np.random.Generator | None) -> PlaneArray:
        """Return the plane of one sample; makers that read more than `make` is given override this."""
        companion = parts.companion if self.needs_companion else None
        return self.make(parts.image, parts.mask, companion=companion, rng=rng)


def maker_class(plane: Plane) -> type[PlaneMaker]:
    """Return the class that makes a plane. Raises UsageError when it is not made for training."""
    if plane.make is None:
        raise UsageError(f"the plane '{plane.name}' is not made for training")
    found: type[PlaneMaker] = resolve_name(plane.make)
    return found


def plane_of(photo: Photo, plane: Plane) -> PlaneArray:
    """Return what a file says of a plane. Raises UsageError when the plane does not come from files."""
    if plane.read is None:
        raise UsageError(f"the plane '{plane.name}' does not come from a file")
    read: Callable[[Photo, str], PlaneArray] = resolve_name(plane.read)
    return read(photo, plane.name)


def checked_range(pair: tuple[float, float], *, most: float = math.inf) -> tuple[float, float]:
    """Return the ends of a range of an option; raises ValueError unless 0 <= first <= second <= most."""
    if not 0 <= pair[0] <= pair[1] <= most:
        upper = "" if most == math.inf else f" of at most {most:g}"
        raise ValueError(f"must be two numbers from 0{upper}, the smaller first, got {pair[0]:g} and {pair[1]:g}")
    return pair


def read_edges(photo: Photo, name: str) -> NDArray[np.bool_]:
    """Return edges (H, W), True = edge, of a photo that shows them white on black."""
    return hole_of(photo, what=name)


def read_color(photo: Photo, name: str) -> NDArray[np.float32]:
    """Return colors (H, W, 4) in [0, 1]: red, green, blue, and 1 where a color is given, 0 elsewhere.

    With an alpha channel a color is given where alpha is above half; without one, where the photo is not wholly black,
    or nearly so in formats that leave black only near to what it was. Where none is given the colors are 0.
    """
    colors = photo.array()
    if photo.alpha is None:
        given = colors.max(axis=2) > (NEAR if photo.storage is not None and photo.storage.lossy else 0)
    else:
        given = photo.alpha > white_of(photo.alpha.dtype) / 2
    return np.where(given[..., None], np.dstack([colors, given]), 0).astype(np.float32)
