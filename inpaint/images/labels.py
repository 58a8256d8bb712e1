"""Label pictures: which region of one image belongs to which of another, whatever the palette and however they match.

A label is an entry of a palette, a gray value, or a color; compression and soft edges leave colors that are none, which
go to the label that is nearest by color or place. A region that the other image lacks is given to one that it has.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage  # type: ignore[import-untyped]

from inpaint.errors import InputError
from inpaint.images.reading import read_photo, read_stored

Labels: TypeAlias = NDArray[np.int32]
Mask: TypeAlias = NDArray[np.bool_]

NEAR = 25  # of 255, in every channel: so far apart two colors are one label, as in Luan et al.'s program
LEAST_SHARE = 0.005  # of an image's area; smaller regions say too little of a style
MOST_COLORS = 64  # labels; a picture of more is a photo


class MatchedRegion(NamedTuple):
    """A region of the content and the one of the style that it is painted like.

    Args:
        content: (H, W).
        style: (h, w).
    """

    content: Mask
    style: Mask


def read_label_picture(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read a label picture: (H, W) entries of a palette or gray values, or (H, W, 3) uint8 colors.

    Raises:
        InputError: It cannot be read.
    """
    stored = read_stored(path)
    if stored is not None:
        return stored.values
    photo = read_photo(path)
    return photo.pixels[..., 0] if photo.gray else photo.pixels


def paired_regions(
    content_labels: NDArray[Any], style_labels: NDArray[Any], *, content: NDArray[Any], style: NDArray[Any]
) -> list[MatchedRegion]:
    """Return the regions of a content, each with the region of a style that it is painted like.

    Args:
        content_labels: (H, W) integers, or (H, W, 3) uint8 colors, one for each label.
        style_labels: (h, w) or (h, w, 3), likewise.
        content: (H, W, C), whose colors say which regions are alike where labels do not match.
        style: (h, w, C), likewise.

    Raises:
        InputError: A label picture has not the size of its image, or is none.
    """
    for name, picture, image in (("content", content_labels, content), ("style", style_labels, style)):
        if picture.shape[:2] != image.shape[:2]:
            raise InputError(
                f"the labels of the {name} have {picture.shape[1]} x {picture.shape[0]} pixels and it has "
                f"{image.shape[1]} x {image.shape[0]}: they must be equal"
            )
    return matched_regions(*labels_of(content_labels, style_labels), content_features=content, style_features=style)


def labels_of(*pictures: NDArray[Any]) -> tuple[Labels, ...]:
    """Return the labels of pictures that belong together, by number: equal numbers are equal labels.

    Args:
        pictures: All (H, W) integers, which are labels as they stand, or all (H, W, 3) uint8 colors.

    Raises:
        InputError: They are neither, or of more colors than label pictures have.
    """
    if all(each.ndim == 2 and each.dtype.kind in "bui" for each in pictures):
        return tuple(each.astype(np.int32) for each in pictures)
    if not all(each.ndim == 3 and each.shape[2] == 3 and each.dtype == np.uint8 for each in pictures):
        found = ", ".join(f"{each.dtype} {each.shape}" for each in pictures)
        raise InputError(f"label pictures must all be integers (H, W) or all uint8 (H, W, 3), got {found}")
    colors = np.concatenate([each.reshape(-1, 3) for each in pictures]).astype(np.int32)
    codes, where, counts = np.unique(colors @ np.array((65536, 256, 1)), return_inverse=True, return_counts=True)
    values = np.stack((codes >> 16, codes >> 8 & 255, codes & 255), axis=1)
    of_code = np.full(len(codes), -1, np.int32)
    palette: list[NDArray[Any]] = []
    places = np.split(where.ravel(), np.cumsum([each.shape[0] * each.shape[1] for each in pictures])[:-1])
    shares = np.stack([np.bincount(each, minlength=len(codes)) / len(each) for each in places])
    common = np.argsort(-counts, kind="stable")
    _, first = np.unique(values[common] // (NEAR + 1) @ np.array((10000, 100, 1)), return_index=True)
    for code in common[np.sort(first)]:  # the most common color of each cell of the cube
        near = (of_code < 0) & (np.abs(values - values[code]).max(axis=1) <= NEAR)
        if of_code[code] < 0 and shares[:, near].sum(axis=1).max() >= LEAST_SHARE:
            of_code[near] = len(palette)
            palette.append(values[code])
    if not palette or len(palette) > MOST_COLORS:
        raise InputError(
            f"label pictures have one color for each label; these have {len(palette) or 'no'} areas of one color, "
            f"valid are 1 to {MOST_COLORS}"
        )
    return tuple(
        _nearest_place(of_code[each].reshape(picture.shape[:2]), np.arange(len(palette)))
        for each, picture in zip(places, pictures, strict=True)
    )


def matched_regions(
    content: Labels,
    style: Labels,
    *,
    content_features: NDArray[Any],
    style_features: NDArray[Any],
) -> list[MatchedRegion]:
    """Return the regions of a content, each with the region of a style that has its label.

    Labels of less than half a percent of their image's area count as missing. A region of the content whose label the
    style lacks joins the one that is most like it, by the mean of its features, among those of the content that have a
    counterpart; where none has, it is painted like the region of the style that is most like it. Tiny regions of the
    content join what is nearest.

    Args:
        content: (H, W).
        style: (h, w); its labels that the content lacks are not used.
        content_features: (H, W, C), colors say.
        style_features: (h, w, C).

    Returns:
        Regions that together cover the content.
    """
    large = _large(content)
    if not large:  # nothing but specks
        return [MatchedRegion(np.ones(content.shape, bool), np.ones(style.shape, bool))]
    content = _nearest_place(np.where(np.isin(content, large), content, -1), np.asarray(large))
    there = _large(style) or [int(label) for label in np.unique(style)]
    common = [label for label in large if label in there]
    own = {label: content_features[content == label].mean(axis=0) for label in large}
    others = {label: own[label] for label in common}
    if not common:
        others = {label: style_features[style == label].mean(axis=0) for label in there}
    goes_to = {label: label if label in common else _most_like(own[label], others) for label in large}
    return [
        MatchedRegion(
            np.isin(content, [label for label in large if goes_to[label] == target]),
            style == target,
        )
        for target in dict.fromkeys(goes_to.values())
    ]


def _large(labels: Labels) -> list[int]:
    """Return the labels that cover enough to count, the largest first; -1 is none."""
    values, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [int(values[k]) for k in order if counts[k] >= LEAST_SHARE * labels.size and values[k] >= 0]


def _most_like(features: NDArray[Any], others: dict[int, NDArray[Any]]) -> int:
    return min(others, key=lambda label: float(np.square(others[label] - features).sum()))


def _nearest_place(labels: Labels, valid: Sequence[int] | NDArray[Any]) -> Labels:
    """Return labels with those of -1 replaced by that of the nearest pixel that has another."""
    missing = ~np.isin(labels, valid)
    if not missing.any() or missing.all():
        return labels
    rows, columns = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    found: Labels = labels[rows, columns]
    return found
