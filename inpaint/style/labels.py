"""Styles by label pictures: each region of the content takes the style of the region with its label."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InputError
from inpaint.images.labels import labels_of, matched_regions
from inpaint.types import StylePart


def labeled_parts(
    content: NDArray[np.float32],
    style: NDArray[np.float32],
    content_labels: NDArray[Any],
    style_labels: NDArray[Any],
    *,
    weight: float = 1.0,
) -> list[StylePart]:
    """Return one part for each region of the content that has a region of the style to be painted like.

    Args:
        content: (H, W, 3) in [0, 1].
        style: (h, w, 3) in [0, 1].
        content_labels: (H, W) integers, or (H, W, 3) uint8 colors, one for each label.
        style_labels: (h, w) or (h, w, 3), likewise.
        weight: Of every part.

    Raises:
        InputError: A label picture has not the size of its image, or is none.
    """
    for name, picture, image in (("content", content_labels, content), ("style", style_labels, style)):
        if picture.shape[:2] != image.shape[:2]:
            raise InputError(
                f"the labels of the {name} have {picture.shape[1]} x {picture.shape[0]} pixels and it has "
                f"{image.shape[1]} x {image.shape[0]}: they must be equal"
            )
    regions = matched_regions(*labels_of(content_labels, style_labels), content_features=content, style_features=style)
    return [
        StylePart(
            style=style,
            content_mask=region.content.astype(np.float32),
            style_mask=region.style,
            weight=weight,
        )
        for region in regions
    ]
