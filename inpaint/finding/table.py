"""The table of what can be found in a photo. Nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
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
    """

    summary: str
    function: str
    sensitivity: str
    extra: str | None = None


FINDERS: Mapping[str, Finder] = {
    "text": Finder(
        summary="lines of text, as their strokes (PP-OCRv6, extra `text`)",
        function="inpaint.finding.text:find_text",
        sensitivity="how sure the detector has to be of a line: a mean of 0.8 at 0, of 0.5 at 0.5, of 0.2 at 1",
        extra="text",
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
        UsageError: There is no such name.
        InputError: The sensitivity is none.
        MissingDependencyError: What it needs is not installed.
    """
    from inpaint.images.photo import to_uint8

    found: Hole = resolve_name(FINDERS[check_finder(name)].function)(
        to_uint8(photo.pixels), checked_sensitivity(sensitivity)
    )
    return found


def checked_sensitivity(value: object) -> float:
    """Return a sensitivity as a plain float; raises UsageError for one that is not from 0 to 1."""
    number = arguments.number("sensitivity", value)
    if number > 1:
        raise UsageError(f"sensitivity must be a number from 0 to 1, got {number:g}")
    return number
