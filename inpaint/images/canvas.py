"""A larger canvas around a photo: the part that is added is a hole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InputError, UsageError
from inpaint.images.mask_rules import Hole
from inpaint.images.photo import Photo, Pixels, white_of
from inpaint.types import shown


@dataclass(frozen=True)
class Margins:
    """Pixels that are added at the sides of a photo."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __bool__(self) -> bool:
        return bool(self.left or self.top or self.right or self.bottom)


def parse_margins(given: str | Sequence[int]) -> Margins:
    """Return left, top, right, bottom, as text or as four integers.

    Raises:
        UsageError: It is something else, or adds nothing.

    Example:
        >>> parse_margins("0,0,64,0")
        Margins(left=0, top=0, right=64, bottom=0)
    """
    if isinstance(given, str):
        numbers = [int(each) for each in re.findall(r"\d+", given)] if re.fullmatch(r"[\d\s,]+", given) else []
    else:
        values = np.asarray(given)
        numbers = values.tolist() if values.ndim == 1 and values.dtype.kind in "iu" else []
    if len(numbers) != 4 or min(numbers) < 0 or not any(numbers):
        name = f"'{given}'" if isinstance(given, str) else shown(given)
        raise UsageError(f"{name} does not say by what to expand: write left,top,right,bottom in pixels, as 0,0,64,0")
    return Margins(*numbers)


def expanded(photo: Photo, hole: Hole, margins: Margins, *, max_pixels: int) -> tuple[Photo, Hole]:
    """Return a photo in a larger canvas, and its hole with what was added.

    What the photo had stays bit for bit in its place, with its depth, transparency, further channels and pages, own
    samples and metadata. What is added is opaque.

    Args:
        photo: What is framed.
        hole: (H, W), of the photo.
        margins: What is added.
        max_pixels: Most pixels of the result.

    Raises:
        InputError: The result would have more pixels.
    """
    if not margins:
        return photo, hole
    height, width = photo.height + margins.top + margins.bottom, photo.width + margins.left + margins.right
    if height * width > max_pixels:
        raise InputError(
            f"{photo.name}: expanded it would have {width} x {height} pixels, more than the limit of {max_pixels:,}"
        )
    return _framed(photo, margins), np.pad(hole, _widths(margins), constant_values=True)


def _framed(photo: Photo, margins: Margins) -> Photo:
    widths = _widths(margins)
    alpha = None if photo.alpha is None else np.pad(photo.alpha, widths, constant_values=white_of(photo.alpha.dtype))
    stored = photo.stored
    if stored is not None:
        # Repeated at the ends, samples and what they were translated to stay equal pixel by pixel.
        stored = replace(
            stored,
            values=_repeated(stored.values, widths),
            pixels=_repeated(stored.pixels, widths),
            alpha=None if stored.alpha is None else _repeated(stored.alpha, widths),
        )
    return replace(
        photo,
        pixels=_repeated(photo.pixels, widths),
        alpha=alpha,
        extra=None if photo.extra is None else _repeated(photo.extra, widths),
        pages=tuple(_framed(page, margins) for page in photo.pages),
        stored=stored,
    )


def _widths(margins: Margins) -> tuple[tuple[int, int], tuple[int, int]]:
    return (margins.top, margins.bottom), (margins.left, margins.right)


def _repeated(values: NDArray[Any], widths: tuple[tuple[int, int], ...]) -> Pixels:
    return np.pad(values, (*widths, *[(0, 0)] * (values.ndim - 2)), mode="edge")
