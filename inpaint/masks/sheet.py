"""What kinds of masks look like: many of them on one sheet; and masks as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inpaint import seeds
from inpaint.errors import InpaintError
from inpaint.images.photo import photo_of_array
from inpaint.images.sheets import contact_sheet
from inpaint.images.writing import write_photo
from inpaint.masks.base import HoleMask, Mask, hole_ratio
from inpaint.masks.parse import names, parse_mask
from inpaint.system.progress import Bar

NUMBER = seeds.Purpose(None, "si")
MEASURED = 100  # masks behind a mean hole ratio
CELL_PX = 96
ROWS_IN_ONE_BLOCK = 14  # longer sheets are set in two blocks side by side


def numbered_mask(mask: Mask, number: int, *, seed: int, size: int) -> HoleMask:
    """Return mask `number` of a kind, (size, size): a function of seed and number, on sheets and in files alike."""
    return mask.draw(seeds.generator(seed, NUMBER, number), size, size)


def all_masks() -> dict[str, Mask]:
    """Return every kind and preset, with an example of those that are made of others."""
    return {name: parse_mask(name) for name in names()} | {
        "target: deepfill, 40 %": parse_mask({"kind": "target", "mask": "deepfill", "ratio": 0.4}),
        "union: pconv, text": parse_mask({"kind": "union", "of": ["pconv", "text"]}),
        "mixture: brush, box": parse_mask(["brush", "box"]),
    }


def mask_sheet(masks: Mapping[str, Mask], *, size: int, count: int, seed: int, progress: Bar) -> NDArray[np.uint8]:
    """Draw `count` masks of each kind in a row, white = hole, with the mean share that the kind removes.

    Args:
        masks: By the name that stands beside the row.
        size: Height and width of the masks, in pixels.
        count: How many are shown; at least 100 are behind the mean.
        seed: The same seed, the same masks.
        progress: Counts kinds.

    Returns:
        The sheet, (H, W, 3).
    """
    rows, labels, measured = [], [], max(count, MEASURED)
    for name, mask in progress.track(masks.items()):
        drawn = [numbered_mask(mask, number, seed=seed, size=size) for number in range(measured)]
        rows.append([np.repeat(one[..., None] * np.uint8(255), 3, axis=-1) for one in drawn[:count]])
        labels.append(f"{name}\n{100 * np.mean([hole_ratio(one) for one in drawn]):.1f} %")
    titles = [f"Masks at {size} x {size}, seed {seed}", f"white: hole; %: its mean share of {measured} masks"]
    if len(rows) <= ROWS_IN_ONE_BLOCK:
        return contact_sheet(rows, labels=labels, title="\n".join(titles), cell=CELL_PX)
    half = (len(rows) + 1) // 2
    blocks = [
        contact_sheet(rows[part], labels=labels[part], title=title, cell=CELL_PX)
        for part, title in zip((slice(half), slice(half, None)), titles, strict=True)
    ]
    height = max(block.shape[0] for block in blocks)
    pads = [((0, height - block.shape[0]), (0, 0), (0, 0)) for block in blocks]
    return np.concatenate([np.pad(b, pad, constant_values=255) for b, pad in zip(blocks, pads, strict=True)], axis=1)


def write_masks(folder: Path, mask: Mask, *, size: int, count: int, seed: int, progress: Bar) -> None:
    """Write `count` masks of one kind as PNG files, 000000.png and so on, white = hole.

    Args:
        folder: Made if it does not exist.
        mask: The kind.
        size: Height and width in pixels.
        count: How many.
        seed: The same seed, the same masks.
        progress: Counts masks.

    Raises:
        InpaintError: The folder holds something, or cannot be made.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise InpaintError(f"folder '{folder}' is not empty: name a new one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InpaintError(f"cannot make folder '{folder}': {error.strerror or error}") from error
    for number in progress.track(range(count)):
        drawn = numbered_mask(mask, number, seed=seed, size=size)
        write_photo(photo_of_array(drawn * np.uint8(255)), folder / f"{number:06}.png")
