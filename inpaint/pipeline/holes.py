"""What says which part of a photo is its hole: any number of sources, united, and a larger canvas."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import inpaint.arguments as arguments
from inpaint.errors import UsageError
from inpaint.finding import table
from inpaint.finding.table import SENSITIVITY
from inpaint.images.canvas import Margins, expanded, parse_margins
from inpaint.images.marks import parse_box, parse_color, parse_polygon
from inpaint.images.mask_rules import Hole
from inpaint.images.masks import dilate_hole
from inpaint.images.photo import Photo
from inpaint.images.reading import MAX_PIXELS
from inpaint.pipeline.finders import Found, FoundBy, FoundInAll, found_by
from inpaint.pipeline.hole_sources import Box, HoleSource, ObjectIn, Outline, Painted, Transparent
from inpaint.registry.loadable import Loadable
from inpaint.types import Capabilities, Inpainter

ParsedT = TypeVar("ParsedT")

_log = logging.getLogger("inpaint.pipeline")

ALPHA = "alpha"
"""In place of a mask: what is transparent in the photo itself. `./alpha` is a file of that name."""


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

    @property
    def by_model(self) -> bool:
        """Whether a model finds some of the hole."""
        return any(source.by_model for source in self.sources)

    def joined(self, others: Marks) -> Marks:
        """Return both together; the margins are those of one of them."""
        return Marks(sources=(*self.sources, *others.sources), margins=self.margins or others.margins)

    def prepared(self, photos: Sequence[Path], *, max_pixels: int) -> Marks:
        """Return the marks whose sources know all photos of the work."""
        sources = tuple(source.prepared(photos, max_pixels=max_pixels) for source in self.sources)
        return replace(self, sources=sources)

    def at_work(self, inpainter: Inpainter | None, device: str) -> Marks:
        """Return the marks whose sources have the models that they need, see `HoleSource.at_work`."""
        return replace(self, sources=tuple(source.at_work(inpainter, device) for source in self.sources))

    def or_found(self, masks: int, capabilities: Capabilities, *, sensitivity: float = SENSITIVITY) -> Marks:
        """Return what a fill that can do this finds itself where neither masks nor marks are given, else the marks."""
        return self if masks or self or not capabilities.blind else Marks(sources=(FoundBy(sensitivity),))


def marks_of(
    *,
    alpha: bool = False,
    box: Any = None,
    polygon: Any = None,
    mask_color: str | None = None,
    object_box: Any = None,
    find: str | Sequence[str] | None = None,
    mask_from: str | os.PathLike[str] | Loadable | Inpainter | None = None,
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
        mask_from: A blind model, which finds what is contaminated: its name or place, or the model itself.
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
    if mask_from is not None:
        sources.append(found_by(mask_from, sensitivity=sensitivity))
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


def warn_without_hole(photo: Photo, hole: Hole, masks: Sequence[object], marks: Marks) -> None:
    """Warn of a hole (H, W) that is empty, unless it was only looked for: whatever finds nothing has said so."""
    if not hole.any() and (masks or not all(source.tells for source in marks.sources)):
        _log.warning("%s: the mask has no hole, so nothing is filled", photo.name)
