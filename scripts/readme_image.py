"""Draw the image at the top of the README: a rocket taken out of one photo, and a text taken off another.

    python scripts/readme_image.py docs/readme.png

Nothing is trained: `patch` and `biharmonic` fill, within seconds. Both photos are scikit-image's.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage.data import chelsea, rocket

from inpaint import load
from inpaint.evaluation.measure import fill_and_measure
from inpaint.images.sheets import contact_sheet
from inpaint.system.files import atomic_write

Bytes = NDArray[np.uint8]
CELL_PX = 320
OUTLINE = ((302, 110), (356, 110), (358, 405), (300, 405))  # x, y around the rocket
PAD = slice(70, 427), slice(145, 502)  # rows and columns that are shown of its photo
TEXT = ("Text across a photo", "goes away, and what", "it does not cover", "stays as it is, bit for bit")
RED, WHITE = (235, 50, 30), (255, 255, 255)


def main(output: str) -> int:
    """Fill and draw; return the exit status."""
    pad, cat = rocket()[PAD].copy(), chelsea()  # type: ignore[no-untyped-call]
    hole, letters = outline(*rocket().shape[:2])[PAD], text(*cat.shape[:2])  # type: ignore[no-untyped-call]
    removed = fill_and_measure(load("patch"), pad, hole, seed=0)
    clean = fill_and_measure(load("biharmonic"), cat, letters, seed=0)
    heading = f"filled: biharmonic\n{clean.values['psnr_hole']:.1f} dB in the hole"
    sheets = (
        contact_sheet(
            [[pad, marked(pad, hole, RED), removed.completed]],
            columns=["photo", "to be removed", "filled: patch"],
            cell=CELL_PX,
        ),
        contact_sheet(
            [[marked(cat, letters, WHITE), clean.completed, cat]],
            columns=["with text", heading, "original"],
            cell=CELL_PX,
        ),
    )
    sheet = Image.fromarray(np.concatenate(sheets) | 1)  # seven bits: nothing to be seen, a fifth less to be loaded
    with atomic_write(Path(output)) as temporary:
        sheet.save(temporary, format="PNG", optimize=True)
    return 0


def outline(height: int, width: int) -> Bytes:
    """Return the mask of the rocket, (height, width), 1 = hole."""
    canvas = Image.new("L", (width, height))
    ImageDraw.Draw(canvas).polygon(OUTLINE, fill=1)
    return np.asarray(canvas)


def text(height: int, width: int) -> Bytes:
    """Return the mask of the lines of text, (height, width), 1 = hole."""
    canvas = Image.new("L", (width, height))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=36)
    for number, line in enumerate(TEXT):
        draw.text((width / 2, height / 2 + 56 * (number - 1.5)), line, fill=255, font=font, anchor="mm")
    return (np.asarray(canvas) >= 128).astype(np.uint8)


def marked(photo: Bytes, hole: Bytes, color: tuple[int, int, int]) -> Bytes:
    """Return the photo (H, W, 3) with the hole painted over."""
    return np.where(hole[..., None] > 0, np.array(color, np.uint8), photo)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
