"""The table of what can be found in a photo. Nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import inpaint.arguments as arguments
from inpaint.errors import UsageError, unknown
from inpaint.system.extras import is_installed

if TYPE_CHECKING:
    from inpaint.images.mask_rules import Hole
    from inpaint.images.photo import Photo

SENSITIVITY = 0.5
"""How much is taken for what is looked for, 0 to 1, when nothing is said."""


@dataclass(frozen=True, kw_only=True)
class Finder:
    """Something that can be found.

    Args:
        summary: One line.
        function: "module:function", called with (H, W, 3) uint8 and a sensitivity in [0, 1]; returns the hole (H, W).
        sensitivity: What the sensitivity changes.
        extra: The extra that brings what it needs; None: nothing.
        batch: It is found in several photos at once: the function takes a list of images of one size, and what it
            returns holds for all of them.
    """

    summary: str
    function: str
    sensitivity: str
    extra: str | None = None
    batch: bool = False


FINDERS: Mapping[str, Finder] = {
    "text": Finder(
        summary="lines of text, as their strokes (PP-OCRv6, extra `text`)",
        function="inpaint.finding.text:find_text",
        sensitivity="how sure the detector has to be of a line: a mean of 0.8 at 0, of 0.5 at 0.5, of 0.2 at 1",
        extra="text",
    ),
    "scratches": Finder(
        summary="long thin lines, bright or dark",
        function="inpaint.finding.damage:find_scratches",
        sensitivity="how high a ridge must be among its surroundings: 10 times at 0, 7 at 0.5, 4 at 1; and how long",
    ),
    "dust": Finder(
        summary="small specks, bright or dark",
        function="inpaint.finding.damage:find_dust",
        sensitivity="how far a speck must depart from its ring: 18 times as usual nearby at 0, 12 at 0.5, 6 at 1",
    ),
    "date": Finder(
        summary="the glowing date in a corner",
        function="inpaint.finding.date:find_date",
        sensitivity="how much redder than around it a figure must be: by 110 of 255 at 0, 75 at 0.5, 40 at 1",
    ),
    "watermark": Finder(
        summary="what is the same in a whole folder of photos of one size",
        function="inpaint.finding.watermark:find_watermark",
        sensitivity="how strong the median gradient must be: 12 times the usual at 0, 7.5 at 0.5, 3 at 1",
        batch=True,
    ),
}


def check_finder(name: str) -> str:
    """Return the name; raises UsageError for one that is not in the table."""
    if name not in FINDERS:
        raise UsageError(unknown("thing to find", str(name), FINDERS))
    return name


def is_available(name: str) -> bool:
    """Return whether what is needed to find this is installed."""
    extra = FINDERS[check_finder(name)].extra
    return extra is None or is_installed(extra)


def find(name: str, photo: Photo, *, sensitivity: float = SENSITIVITY) -> Hole:
    """Return where something is in a photo.

    Args:
        name: Of the table.
        photo: The photo.
        sensitivity: From 0, only what is certain, to 1.

    Returns:
        The hole (H, W), True = found; all False where nothing is.

    Raises:
        UsageError: There is no such name, or it is found in several photos at once.
        InputError: The sensitivity is none.
        MissingDependencyError: What it needs is not installed.
    """
    from inpaint.images.photo import to_uint8

    if FINDERS[check_finder(name)].batch:
        raise UsageError(f"a {name} is found in a folder of photos, not in one: what all of them share")
    found: Hole = resolve_name(FINDERS[name].function)(to_uint8(photo.pixels), checked_sensitivity(sensitivity))
    return found


def find_in_all(name: str, photos: Sequence[Photo], *, sensitivity: float = SENSITIVITY) -> Hole:
    """Return what several photos of one size share, (H, W); arguments and errors are those of `find`."""
    from inpaint.images.photo import to_uint8

    images = [to_uint8(photo.pixels) for photo in photos]
    found: Hole = resolve_name(FINDERS[check_finder(name)].function)(images, checked_sensitivity(sensitivity))
    return found


def threshold_of(sensitivity: float) -> float:
    """Return how sure a model has to be of a pixel, from 0 to 1, for it to count as found.

    Example:
        >>> [round(threshold_of(sensitivity), 3) for sensitivity in (0, 0.5, 1)]
        [0.9, 0.5, 0.1]
    """
    return 0.9 - 0.8 * checked_sensitivity(sensitivity)


def checked_sensitivity(value: object) -> float:
    """Return a sensitivity as a plain float; raises UsageError for one that is not from 0 to 1."""
    number = arguments.number("sensitivity", value)
    if number > 1:
        raise UsageError(f"sensitivity must be a number from 0 to 1, got {number:g}")
    return number
