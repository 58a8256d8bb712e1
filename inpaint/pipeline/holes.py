"""What says which part of a photo is its hole: any number of sources, united, and a larger canvas."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

import inpaint.arguments as arguments
from inpaint.data.headers import header_of_file
from inpaint.errors import InpaintError, NotAMaskError, UsageError
from inpaint.finding import table
from inpaint.finding.table import SENSITIVITY
from inpaint.images.canvas import Margins, expanded, parse_margins
from inpaint.images.marks import (
    Color,
    Polygon,
    box_hole,
    check_within,
    color_hole,
    parse_box,
    parse_color,
    parse_polygon,
    polygon_hole,
    transparent_hole,
)
from inpaint.images.mask_rules import Hole
from inpaint.images.masks import dilate_hole, fit_to, swapped
from inpaint.images.photo import Photo, to_uint8
from inpaint.images.reading import MAX_PIXELS, read_photo
from inpaint.images.regions import Region

ParsedT = TypeVar("ParsedT")

_log = logging.getLogger("inpaint.pipeline")

MOST_ALIKE = 32
"""Most photos that are looked at to find what they share."""
ALPHA = "alpha"
"""In place of a mask: what is transparent in the photo itself. `./alpha` is a file of that name."""


class HoleSource(ABC):
    """Something that says of every photo what of it is hole."""

    shows: ClassVar[bool] = False
    """Its hole becomes opaque where the photo is transparent, whether that is asked for or not."""

    @abstractmethod
    def hole_in(self, photo: Photo) -> Hole:
        """Return what of the photo is hole, (H, W), True = hole; raises MaskError where that cannot be."""

    def prepared(self, photos: Sequence[Path], *, max_pixels: int) -> HoleSource:
        """Return the source that knows all photos of the work, for those that look at more than one."""
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
class Found(HoleSource):
    """Something that is looked for in every photo. name: of `inpaint.finding.table`; sensitivity: 0 to 1."""

    name: str
    sensitivity: float = SENSITIVITY

    def hole_in(self, photo: Photo) -> Hole:
        """Return where it is; nothing, with a warning, where it is not."""
        return self.told(table.find(self.name, photo, sensitivity=self.sensitivity), photo)

    def told(self, hole: Hole, photo: Photo) -> Hole:
        """Return what was found, with a warning where that is nothing."""
        if not hole.any():
            _log.warning("%s: no %s found (--sensitivity %g)", photo.name, self.name, self.sensitivity)
        return hole


@dataclass(frozen=True)
class FoundInAll(Found):
    """Something that all photos of the work share, size by size; in one photo alone looking for it is refused."""

    def prepared(self, photos: Sequence[Path], *, max_pixels: int) -> HoleSource:
        """Return the source that has the other photos to look at; one photo has none."""
        return _Shared(self, tuple(photos), max_pixels) if len(photos) > 1 else self


class _Shared(HoleSource):
    """What photos share, looked for once for every size that occurs among them."""

    def __init__(self, what: FoundInAll, photos: tuple[Path, ...], max_pixels: int) -> None:
        self._what, self._photos, self._max_pixels = what, photos, max_pixels
        self._found: dict[tuple[int, int], Hole] = {}
        self._lock = threading.Lock()

    def hole_in(self, photo: Photo) -> Hole:
        """Return what the photos of this size share; nothing, with a warning, where that is nothing."""
        size = (photo.height, photo.width)
        with self._lock:
            if size not in self._found:
                self._found[size] = self._look(size)
        return self._what.told(self._found[size], photo)

    def _look(self, size: tuple[int, int]) -> Hole:
        alike: list[Photo] = []
        for path in self._photos:
            header = header_of_file(path)
            if {header.height, header.width} != set(size) or len(alike) == MOST_ALIKE:
                continue
            try:
                photo = read_photo(path, max_pixels=self._max_pixels)
            except InpaintError:
                continue  # its own turn says why
            if (photo.height, photo.width) == size:
                alike.append(photo)
        return table.find_in_all(self._what.name, alike, sensitivity=self._what.sensitivity)


@dataclass(frozen=True)
class ObjectIn(HoleSource):
    """The object that a box surrounds."""

    region: Region

    def hole_in(self, photo: Photo) -> Hole:
        """Return the object, by its colors."""
        from inpaint.finding.objects import object_in

        check_within(photo, self.region)
        return object_in(to_uint8(photo.pixels), self.region)


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What is asked for beside masks of files.

    Args:
        sources: Whose holes are united.
        margins: What is added around every photo, as a hole.
    """

    sources: tuple[HoleSource, ...] = ()
    margins: Margins = field(default_factory=Margins)

    def __bool__(self) -> bool:
        return bool(self.sources) or bool(self.margins)

    @property
    def shows(self) -> bool:
        """Whether the filled hole becomes opaque in any case."""
        return any(source.shows for source in self.sources)

    def joined(self, others: Marks) -> Marks:
        """Return both together; the margins are those of one of them."""
        return Marks(sources=(*self.sources, *others.sources), margins=self.margins or others.margins)

    def prepared(self, photos: Sequence[Path], *, max_pixels: int) -> Marks:
        """Return the marks whose sources know all photos of the work."""
        sources = tuple(source.prepared(photos, max_pixels=max_pixels) for source in self.sources)
        return Marks(sources=sources, margins=self.margins)


def marks_of(
    *,
    alpha: bool = False,
    box: Any = None,
    polygon: Any = None,
    mask_color: str | None = None,
    object_box: Any = None,
    find: str | Sequence[str] | None = None,
    sensitivity: float = SENSITIVITY,
    expand: str | Sequence[int] | None = None,
) -> Marks:
    """Return what a caller asks for, checked.

    Args:
        alpha: What is transparent is hole.
        box: x, y, width and height in pixels, as text or integers, or several of these.
        polygon: Corners x, y in pixels, as text or pairs, or several of these.
        mask_color: What has this color in the photo: a name in CSS, or "#rrggbb".
        object_box: As `box`, around an object: the object alone is hole.
        find: What is to be found, by its name in `inpaint.finding.table`, or several of these.
        sensitivity: Of what is found, 0 to 1.
        expand: Pixels to add at left, top, right and bottom, as text or integers.

    Raises:
        UsageError: One of them is something else.
    """
    sources: list[HoleSource] = [Transparent()] if alpha else []
    sources += [Box(each) for each in _each(box, parse_box, depth=1)]
    sources += [Outline(each) for each in _each(polygon, parse_polygon, depth=2)]
    if mask_color is not None:
        sources.append(Painted(parse_color(mask_color)))
    sensitivity = table.checked_sensitivity(sensitivity)
    names = [] if find is None else arguments.texts("find", find)
    sources += [ObjectIn(each) for each in _each(object_box, parse_box, depth=1)]
    for name in names:
        kind = FoundInAll if table.FINDERS[table.check_finder(name)].batch else Found
        sources.append(kind(name, sensitivity))
    return Marks(sources=tuple(sources), margins=Margins() if expand is None else parse_margins(expand))


def _each(given: Any, parse: Callable[[Any], ParsedT], *, depth: int) -> list[ParsedT]:
    """Return one or several values, parsed; one that is no text is a nesting of so many sequences."""
    listed = isinstance(given, (list, tuple))
    if given is None or (listed and not given):
        return []
    if (listed and any(isinstance(each, str) for each in given)) or _nesting(given) > depth:
        return [parse(each) for each in given]
    return [parse(given)]


def _nesting(given: Any) -> int:
    if isinstance(given, np.ndarray):
        return given.ndim
    return 1 + max(map(_nesting, given), default=0) if isinstance(given, (list, tuple)) else 0


def split_masks(masks: Iterable[Any]) -> tuple[list[Any], bool]:
    """Return the masks that are files, images or arrays, and whether the word `alpha` is among them."""
    given = list(masks)
    files = [each for each in given if not (isinstance(each, str) and each == ALPHA)]
    return files, len(files) < len(given)


def check_marked(masks: int, marks: Marks, *, invert: bool, label: object = None) -> None:
    """Raise UsageError where nothing says what the hole is, or options of masks are given without a mask."""
    if not masks and not marks:
        raise UsageError("no mask is given, nor anything else that says what the hole is")
    if not masks and (invert or label is not None):
        raise UsageError(f"{'invert_mask' if invert else 'label'} is for masks, and none is given")


def hole_in(
    photo: Photo,
    sources: Iterable[HoleSource],
    *,
    margins: Margins | None = None,
    dilate_px: int = 0,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Photo, Hole]:
    """Return the photo in its canvas and the hole (H, W) of that: all that the sources say, grown by `dilate_px`.

    Args:
        photo: As it was read; what the sources say is of this size.
        sources: Whose holes are united.
        margins: What is added around it, as a hole.
        dilate_px: By how much the hole grows, in pixels.
        max_pixels: Most pixels of the canvas.

    Raises:
        InputError: The canvas would have more pixels, or a source fails.
    """
    hole = np.zeros((photo.height, photo.width), bool)
    for source in sources:
        hole |= source.hole_in(photo)
    photo, hole = expanded(photo, hole, margins or Margins(), max_pixels=max_pixels)
    return photo, dilate_hole(hole, dilate_px)
