"""What kinds of masks look like: many of them on one sheet; and masks as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inpaint import seeds
from inpaint.errors import InpaintError, UsageError
from inpaint.images.formats import Format
from inpaint.images.photo import photo_of_array
from inpaint.images.reading import MAX_PIXELS
from inpaint.images.sheets import GAP_PX, contact_sheet, fit_cell, sheet_size
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
        cells: list[NDArray[np.uint8]] = []
        ratios: list[float] = []
        for number in range(measured):
            drawn = numbered_mask(mask, number, seed=seed, size=size)
            ratios.append(hole_ratio(drawn))
            if number < count:
                # At the size of its cell at once: many large masks would fill the memory.
                cells.append(np.repeat(fit_cell(drawn * np.uint8(255), CELL_PX)[..., None], 3, axis=-1))
        rows.append(cells)
        labels.append(f"{name}\n{100 * np.mean(ratios):.1f} %")
    blocks = [
        contact_sheet(rows[part], labels=labels[part], title=title, cell=CELL_PX)
        for part, title in _blocks(len(rows), size=size, count=count, seed=seed)
    ]
    height = max(block.shape[0] for block in blocks)
    pads = [((0, height - block.shape[0]), (0, 0), (0, 0)) for block in blocks]
    return np.concatenate([np.pad(b, pad, constant_values=255) for b, pad in zip(blocks, pads, strict=True)], axis=1)


def check_sheet(names: Sequence[str], format_: Format, *, size: int, count: int, seed: int) -> None:
    """Raise UsageError when a file of this format cannot hold the sheet that `mask_sheet` would draw.

    Args:
        names: Of the kinds, in their order.
        format_: Of the file.
        size: As for `mask_sheet`.
        count: As for `mask_sheet`.
        seed: As for `mask_sheet`.
    """
    width = count * (CELL_PX + GAP_PX)  # at least
    height = 0
    if width <= MAX_PIXELS:
        labels = [f"{name}\n100.0 %" for name in names]
        blocks = [
            sheet_size(len(labels[part]), count, labels=labels[part], title=title, cell=CELL_PX)
            for part, title in _blocks(len(names), size=size, count=count, seed=seed)
        ]
        height, width = max(high for high, _ in blocks), sum(wide for _, wide in blocks)
    shape = f"the sheet would be {width:,} pixels wide" + (f" and {height:,} high" if height else "")
    if max(width, height) > format_.longest_px:
        raise UsageError(
            f"{shape}, and {format_.name} holds {format_.longest_px} a side: take a smaller --count, fewer kinds, or "
            "PNG"
        )
    if width * max(height, 1) > MAX_PIXELS:
        raise UsageError(f"{shape}, more than {MAX_PIXELS:,} pixels in all: take a smaller --count or fewer kinds")


def _blocks(kinds: int, *, size: int, count: int, seed: int) -> list[tuple[slice, str]]:
    """Return which rows stand in which block of the sheet, and the title above it."""
    titles = [
        f"Masks at {size} x {size}, seed {seed}",
        f"white: hole; %: its mean share of {max(count, MEASURED)} masks",
    ]
    if kinds <= ROWS_IN_ONE_BLOCK:
        return [(slice(None), "\n".join(titles))]
    half = (kinds + 1) // 2
    return [(slice(half), titles[0]), (slice(half, None), titles[1])]


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
