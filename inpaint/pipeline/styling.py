"""A photo painted in the style of others, at its own size and depth, with all that its file holds."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.blending.placing import continued
from inpaint.errors import MaskError
from inpaint.images.mask_rules import Hole
from inpaint.images.photo import Photo
from inpaint.images.profiles import in_profile_of
from inpaint.images.resizing import resized
from inpaint.pipeline.steps import StepCallback, photos_told
from inpaint.system.files import write_text
from inpaint.types import LearnedStyle, OneLine, StylePart, Stylized, Stylizer

_log = logging.getLogger("inpaint.pipeline")


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class StyleSource(OneLine):
    """A picture whose style is wanted, or a style that the model has learned.

    Args:
        photo: As it was read. A color profile other than the content's is converted. None for a learned style.
        name: Of a learned style; None for the only one.
        content_mask: (H, W) of the content, where it goes; None: everywhere.
        style_mask: (h, w) of the picture, what of it is looked at; None: what is not transparent.
        weight: Above 0, among several.
    """

    photo: Photo | None = None
    name: str | None = None
    content_mask: Hole | None = None
    style_mask: Hole | None = None
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class StylizedPhoto(OneLine):
    """The content in other styles.

    Args:
        photo: The content.
        stylized: What the method returned, at the size at which it worked.
    """

    photo: Photo
    stylized: Stylized


def stylize_photo(
    content: Photo,
    styles: Sequence[StyleSource],
    method: Stylizer,
    *,
    size_px: int | None = None,
    seed: int = 0,
    budget_s: float | None = None,
    callback: StepCallback | None = None,
) -> StylizedPhoto:
    """Paint a photo, and its further pages, in the style of others.

    Args:
        content: Its size, depth, alpha, profile, metadata and further channels are kept; a gray one stays gray.
        styles: Pictures, and where each of them goes.
        method: How, see `inpaint.registry.stylizers`.
        size_px: Longer side at which the method works; larger contents are reduced, and the result is enlarged to the
            photo's size. None: the photo's own.
        seed: For methods that draw at random.
        budget_s: For methods that take long; of every page.
        callback: See `StepCallback`.

    Raises:
        MaskError: A mask is not of its picture's size, or empty.
    """
    size = _work_size(content, size_px)
    colors = _colors(content)
    parts = [part_of(content, source, size) for source in styles]
    whole = _whole(content, styles)

    companions = content.companions()

    def answer(image: NDArray[Any], companions: Sequence[Photo] = companions) -> Photo:
        shown = content.with_fill(resized(image, (content.height, content.width)), whole)
        return content.with_companions(shown, companions)

    found = method.stylize(
        resized(colors, size), parts, seed=seed, budget_s=budget_s, progress=photos_told(callback, content, answer)
    )
    for text in found.warnings:
        _log.warning("%s: %s", content.name, text)
    pages = [
        stylize_photo(page, styles, method, size_px=size_px, seed=seed, budget_s=budget_s).photo
        for page in content.pages
    ]
    channels = companions[: len(companions) - len(content.pages)]
    return StylizedPhoto(photo=answer(found.image, [*channels, *pages]), stylized=found)


def _work_size(content: Photo, size_px: int | None) -> tuple[int, int]:
    longest = max(content.height, content.width)
    factor = 1.0 if size_px is None else min(size_px / longest, 1.0)
    return max(round(content.height * factor), 1), max(round(content.width * factor), 1)


def part_of(content: Photo, source: StyleSource, size: tuple[int, int]) -> StylePart | LearnedStyle:
    """Return a style as a method takes it, for a content that it works on at a size (height, width).

    Raises:
        MaskError: A mask is not of its picture's size, or empty.
    """
    photo, mask, style_mask = source.photo, source.content_mask, source.style_mask
    _check_size("content", content, mask)
    share = None if mask is None else resized(mask.astype(np.float32), size).clip(0, 1)
    if photo is None:
        return LearnedStyle(name=source.name, content_mask=share, weight=source.weight)
    _check_size("style", photo, style_mask)
    if photo.alpha is not None:
        seen = photo.alpha > 0
        style_mask = seen if style_mask is None else style_mask & seen
    if style_mask is not None and not style_mask.any():
        raise MaskError(f"{photo.name}: nothing of it is left to take a style from: its mask is empty")
    return StylePart(
        style=in_profile_of(photo, content),
        content_mask=share,
        style_mask=None if style_mask is None or style_mask.all() else style_mask,
        weight=source.weight,
    )


def _check_size(what: str, photo: Photo, mask: Hole | None) -> None:
    if mask is not None and mask.shape != (photo.height, photo.width):
        size = (photo.height, photo.width)
        raise MaskError(f"{photo.name}: the {what} mask must have its size {size}, got {mask.shape}")


def _whole(content: Photo, styles: Sequence[StyleSource]) -> Hole:
    """Return the pixels (H, W) of a content that some style goes to."""
    masks = [source.content_mask for source in styles]
    if not masks or any(mask is None for mask in masks):
        return np.ones((content.height, content.width), bool)
    found: Hole = np.logical_or.reduce([mask for mask in masks if mask is not None])
    return found


def _colors(content: Photo) -> NDArray[np.float32]:
    """Return a content's colors (H, W, 3), those of the nearest visible pixels where it is transparent."""
    colors = content.array()
    return colors if content.alpha is None else continued(colors, content.alpha > 0)


def write_trace(found: StylizedPhoto, path: str | os.PathLike[str], request: Mapping[str, Any]) -> None:
    """Write how it went as JSON: the request, and what the method tells of its work. The folder is made."""
    content = {
        "request": dict(request),
        "warnings": list(found.stylized.warnings),
        "details": dict(found.stylized.details),
    }
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=2) + "\n")
