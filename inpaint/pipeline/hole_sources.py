"""What says of a photo which part of it is its hole: one class for each way to say it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from inpaint.errors import NotAMaskError
from inpaint.images.marks import Color, Polygon, box_hole, check_within, color_hole, polygon_hole, transparent_hole
from inpaint.images.mask_rules import Hole
from inpaint.images.masks import fit_to, swapped
from inpaint.images.photo import Photo, to_uint8
from inpaint.images.regions import Region
from inpaint.types import Inpainter


class HoleSource(ABC):
    """Something that says of every photo what of it is hole."""

    shows: ClassVar[bool] = False
    """Its hole becomes opaque where the photo is transparent, whether that is asked for or not."""
    by_model: ClassVar[bool] = False
    """A model finds its hole, which should not work while another one fills."""
    tells: ClassVar[bool] = False
    """It warns itself where it finds no hole."""

    @abstractmethod
    def hole_in(self, photo: Photo) -> Hole:
        """Return what of the photo is hole, (H, W), True = hole; raises MaskError where that cannot be."""

    def prepared(self, photos: Sequence[Path], *, max_pixels: int) -> HoleSource:
        """Return the source that knows all photos of the work, for those that look at more than one."""
        return self

    def at_work(self, inpainter: Inpainter | None, device: str) -> HoleSource:
        """Return the source as it works beside a fill, for those that need a model.

        Args:
            inpainter: What fills; None: nothing does.
            device: Where further models are loaded.
        """
        return self


@dataclass(frozen=True, eq=False)
class DrawnMask(HoleSource):
    """A mask of the photo's shape. read: returns it, (h, w); name: for messages."""

    read: Callable[[], Hole]
    name: str

    def hole_in(self, photo: Photo) -> Hole:
        """Return the mask at the photo's size; an error of what is no mask says where the photo looks like one."""
        try:
            found = self.read()
        except NotAMaskError as error:
            raise swapped(error, photo) from None
        return fit_to(found, photo.height, photo.width, name=self.name)


@dataclass(frozen=True)
class Box(HoleSource):
    """A rectangle of the photo."""

    region: Region

    def hole_in(self, photo: Photo) -> Hole:
        """Return the rectangle."""
        return box_hole(photo, self.region)


@dataclass(frozen=True)
class Outline(HoleSource):
    """What lies inside a polygon."""

    corners: Polygon

    def hole_in(self, photo: Photo) -> Hole:
        """Return the inside."""
        return polygon_hole(photo, self.corners)


@dataclass(frozen=True)
class Transparent(HoleSource):
    """What the photo itself has erased."""

    shows = True

    def hole_in(self, photo: Photo) -> Hole:
        """Return what is at most half opaque."""
        return transparent_hole(photo)


@dataclass(frozen=True)
class Painted(HoleSource):
    """What was painted over in a color, in the photo itself."""

    color: Color

    def hole_in(self, photo: Photo) -> Hole:
        """Return the strokes."""
        return color_hole(photo, self.color)


@dataclass(frozen=True)
class ObjectIn(HoleSource):
    """The object that a box surrounds."""

    region: Region

    def hole_in(self, photo: Photo) -> Hole:
        """Return the object, by its colors."""
        from inpaint.finding.objects import object_in

        check_within(photo, self.region)
        return object_in(to_uint8(photo.pixels), self.region)
