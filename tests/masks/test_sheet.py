"""Sheets of masks: drawn in little memory, and refused before drawing where no file can hold them."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from inpaint.errors import UsageError
from inpaint.images.formats import format_of_name
from inpaint.images.sheets import contact_sheet, fit_cell
from inpaint.masks import parse_mask
from inpaint.masks.base import hole_ratio
from inpaint.masks.sheet import CELL_PX, MEASURED, check_sheet, mask_sheet, numbered_mask
from inpaint.system.progress import bar


def drawn(names, *, size, count, seed=0):
    with bar("kinds", len(names)) as progress:
        return mask_sheet(
            {name: parse_mask(name) for name in names}, size=size, count=count, seed=seed, progress=progress
        )


@pytest.mark.parametrize("size", [40, 96, 192, 250])
def test_masks_look_as_if_they_had_been_kept_in_full_size(size):
    masks = [numbered_mask(parse_mask("deepfill"), number, seed=3, size=size) for number in range(MEASURED)]
    share = 100 * np.mean([hole_ratio(mask) for mask in masks])
    title = f"Masks at {size} x {size}, seed 3\nwhite: hole; %: its mean share of {MEASURED} masks"
    row = [np.repeat(mask[..., None] * np.uint8(255), 3, axis=-1) for mask in masks[:4]]
    expected = contact_sheet([row], labels=[f"deepfill\n{share:.1f} %"], title=title, cell=CELL_PX)
    assert np.array_equal(drawn(["deepfill"], size=size, count=4, seed=3), expected)


@pytest.mark.parametrize("shape", [(30, 50), (300, 200, 3), (48, 96)])
def test_an_image_that_was_fitted_is_shown_as_the_image_itself(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    color = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1)
    fitted = fit_cell(image, 96)
    fitted = fitted if fitted.ndim == 3 else np.repeat(fitted[..., None], 3, axis=-1)
    assert np.array_equal(contact_sheet([[fitted]], cell=96), contact_sheet([[color]], cell=96))


def test_a_sheet_needs_the_memory_of_its_cells_and_of_one_mask():
    sheet_bytes = drawn(["half"], size=16, count=30).nbytes
    tracemalloc.start()
    drawn(["half"], size=1024, count=30)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * sheet_bytes + 8 * 1024**2  # 30 masks in full size and color are 94 MB


@pytest.mark.parametrize(
    ("name", "count", "text"),
    [
        ("a.webp", 170, "the sheet would be 17,763 pixels wide and 184 high, and WebP holds 16383 a side"),
        ("a.jpg", 700, "and JPEG holds 65500 a side"),
        ("a.bmp", 10**7, "pixels wide, more than 100,000,000 pixels in all"),
        ("a.tif", 10**12, "and TIFF holds 2147483647 a side"),
    ],
)
def test_a_sheet_that_no_file_holds_is_refused(name, count, text):
    with pytest.raises(UsageError, match=text):
        check_sheet(["box"], format_of_name(name), size=16, count=count, seed=0)


@pytest.mark.parametrize(("kinds", "count"), [(1, 3), (14, 2), (15, 2), (41, 1)])
def test_the_size_that_is_checked_is_that_of_the_sheet(kinds, count):
    names = [f"kind number {number}" for number in range(kinds)]  # wider than the percentage below it
    with bar("kinds") as progress:
        masks = dict.fromkeys(names, parse_mask("center"))
        height, width = mask_sheet(masks, size=8, count=count, seed=0, progress=progress).shape[:2]
    tiny = replace(format_of_name("a.png"), longest_px=1)
    with pytest.raises(UsageError, match=f"would be {width:,} pixels wide and {height:,} high"):
        check_sheet(names, tiny, size=8, count=count, seed=0)
