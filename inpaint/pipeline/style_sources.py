"""Which pictures a photo is painted after, as a caller names them: read once, and matched with each content."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import inpaint.arguments as arguments
from inpaint.errors import InputError, UsageError
from inpaint.images.labels import labels_of, matched_regions, read_label_picture
from inpaint.images.mask_rules import Hole
from inpaint.images.photo import Photo
from inpaint.images.reading import MAX_PIXELS
from inpaint.pipeline.holes import Marks
from inpaint.pipeline.sources import PathLike, Source, marked, photo_of
from inpaint.pipeline.styling import StyleSource
from inpaint.types import Stylizer

ALL = "all"
"""In place of a mask: the whole picture. `./all` is a file of that name."""

LabelSource: TypeAlias = "PathLike | NDArray[Any]"
"""A label picture: a file, or labels (H, W), or colors (H, W, 3)."""
Masks: TypeAlias = "Sequence[Source | None]"


@dataclass(frozen=True)
class AskedStyle:
    """Styles with their weights and masks, in one order; labels: of the content and of the only style."""

    styles: tuple[Source, ...]
    weights: tuple[float, ...]
    content_masks: tuple[Source | None, ...]
    style_masks: tuple[Source | None, ...]
    labels: tuple[LabelSource, LabelSource] | None = None
    _read: dict[int, tuple[Photo, Hole | None]] = field(default_factory=dict)

    def sources(self, content: Photo, stylizer: Stylizer, *, max_pixels: int = MAX_PIXELS) -> list[StyleSource]:
        """Return the styles for a content; pictures are read once for all contents.

        Raises:
            UsageError: Pictures are given to a model that has learned its styles.
            InputError: A picture or a mask cannot be read, or has another shape than what it is for.
        """
        found = []
        for number, (style, weight) in enumerate(zip(self.styles, self.weights, strict=True)):
            mask = self.content_masks[number]
            place = None if mask is None else marked(content, mask, Marks(), max_pixels=max_pixels)[1]
            if stylizer.learned is not None:
                if not isinstance(style, str) or self.style_masks[number] is not None:
                    known = ", ".join(stylizer.learned)
                    raise UsageError(f"{stylizer.name} has learned its styles: give one by its name ({known}), no mask")
                found.append(StyleSource(name=style, content_mask=place, weight=weight))
                continue
            photo, style_mask = self._picture(number, max_pixels)
            source = StyleSource(photo=photo, content_mask=place, style_mask=style_mask, weight=weight)
            found += [source] if self.labels is None else _by_labels(source, content, *self.labels)
        return found

    def _picture(self, number: int, max_pixels: int) -> tuple[Photo, Hole | None]:
        if number not in self._read:
            photo = photo_of(self.styles[number], max_pixels, what="style")
            mask = self.style_masks[number]
            looked = None if mask is None else marked(photo, mask, Marks(), max_pixels=max_pixels)[1]
            self._read[number] = photo, looked
        return self._read[number]


def _by_labels(
    source: StyleSource, content: Photo, of_content: LabelSource, of_style: LabelSource
) -> list[StyleSource]:
    """Return a style once for every region of the content that is to be painted like one of its own."""
    photo = source.photo
    assert photo is not None
    pictures = {"content": (content, of_content), "style": (photo, of_style)}
    read = []
    for what, (image, given) in pictures.items():
        labels = given if isinstance(given, np.ndarray) else read_label_picture(given)
        if labels.shape[:2] != (image.height, image.width):
            raise InputError(
                f"the labels of the {what} must have its size {image.width}x{image.height}, "
                f"got {labels.shape[1]}x{labels.shape[0]}"
            )
        read.append(labels)
    regions = matched_regions(*labels_of(*read), content_features=content.array(), style_features=photo.array())
    return [replace(source, content_mask=region.content, style_mask=region.style) for region in regions]


def asked_styles(
    styles: Source | Sequence[Source],
    weights: Sequence[float] | None = None,
    content_masks: Source | Masks | None = None,
    style_masks: Source | Masks | None = None,
    *,
    content_labels: LabelSource | None = None,
    style_labels: LabelSource | None = None,
) -> AskedStyle:
    """Return what is asked for, its numbers checked.

    Args:
        styles: One picture or several.
        weights: One for each; None or empty: all alike.
        content_masks: White = where the style goes, one for each; `ALL` or None: everywhere.
        style_masks: Likewise, what is looked at of each picture.
        content_labels: A picture of the content's size, (H, W) integers or (H, W, 3) colors: what has one label is
            painted like what has it in the only style. In place of masks.
        style_labels: Likewise, of the style.

    Raises:
        UsageError: Their numbers differ, a weight is not above 0, or labels and masks are given together.
    """
    listed = _listed(styles)
    given = [] if weights is None else list(weights)
    numbers = [arguments.number("weight", weight) for weight in given]
    if any(weight <= 0 for weight in numbers):
        raise UsageError(f"weights must be above 0, got {', '.join(f'{weight:g}' for weight in numbers)}")
    masks = {"content mask": _listed(content_masks), "style mask": _listed(style_masks)}
    for what, each in {"weight": given, **masks}.items():
        if each and len(each) != len(listed):
            whole = "" if what == "weight" else f"; '{ALL}' stands for no mask"
            raise UsageError(f"{len(each)} {what}s and {len(listed)} styles: give one for each{whole}")
    if (content_labels is None) != (style_labels is None):
        raise UsageError("labels are of the content and of the style: give both, or none")
    if content_labels is not None and (len(listed) != 1 or any(masks.values())):
        raise UsageError("labels are for one style, and in place of masks")
    content, style = ([None if _is_all(mask) else mask for mask in each] for each in masks.values())
    count = len(listed)
    return AskedStyle(
        styles=tuple(listed),
        weights=tuple(numbers) or (1.0,) * count,
        content_masks=tuple(content) or (None,) * count,
        style_masks=tuple(style) or (None,) * count,
        labels=None if content_labels is None or style_labels is None else (content_labels, style_labels),
    )


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    if isinstance(given, (str, os.PathLike)):
        if not os.fspath(given):
            raise InputError("an empty path")
        return [given]
    return list(given) if isinstance(given, (list, tuple)) else [given]


def _is_all(mask: object) -> bool:
    return mask is None or (isinstance(mask, str) and mask == ALL)
