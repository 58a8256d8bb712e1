"""Contact sheets: images in a labeled grid, for panels, mask sheets, comparisons and the demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inpaint.errors import InputError

Rgb = NDArray[np.uint8]
"""(H, W, 3), RGB."""

INK = (32, 32, 32)
PAPER = (255, 255, 255)
FRAME = (200, 200, 200)
SMALLEST_CELL_PX = 128  # below this no heading is legible
GAP_PX = 8  # between images
LARGEST_CELL_PX = 512  # of automatic cells; a caller may ask for more


def contact_sheet(
    rows: Sequence[Sequence[Rgb]],
    *,
    columns: Sequence[str] = (),
    labels: Sequence[str] = (),
    title: str | None = None,
    cell: int | None = None,
) -> Rgb:
    """Lay images out in a grid on white paper.

    rows: rows of (H, W, 3) uint8 images of any sizes; rows may differ in length. Each image keeps its aspect and is
    scaled so that its longer side is `cell` pixels (default: the longest side of all images, within 128 to 512).
    columns: a heading for each column; labels: a text at the left of each row; a text wraps at spaces and line breaks
    and ends in "..." where it still does not fit.

    Returns the sheet, (H, W, 3) uint8. Raises InputError for an empty grid, an image of another shape or type, or more
    headings or labels than there are columns or rows.
    """
    _check(rows, columns, labels, cell)
    sides = [max(image.shape[:2]) for row in rows for image in row]
    side = cell if cell is not None else min(max(SMALLEST_CELL_PX, *sides), LARGEST_CELL_PX)
    fitted = [[_fit(image, side) for image in row] for row in rows]
    # A column is as wide as its widest image, so that tall photos do not stand in empty squares.
    widths = [max(image.width for image in column if image) for column in zip_longest(*fitted)]  # one per column
    heights = [max((image.height for image in row), default=0) for row in fitted]  # one per row

    font = _font(max(12, round(side / 13)))
    title_font = _font(max(16, round(side / 9)))
    margin = 2 * GAP_PX
    label_texts = [_wrap(text, font, max(side, 192)) for text in labels]
    label_width = max((text.width for text in label_texts), default=0)
    left = margin + (label_width + 2 * GAP_PX if label_width else 0)
    total_width = left + sum(widths) + GAP_PX * (len(widths) - 1) + margin
    heading_texts = [_wrap(text, font, width) for text, width in zip(columns, widths, strict=False)]
    heading_height = max((text.height for text in heading_texts), default=0)
    title_text = _wrap(title, title_font, total_width - 2 * margin) if title else None

    top = margin
    if title_text:
        top += title_text.height + 2 * GAP_PX
    heading_top = top
    if heading_height:
        top += heading_height + GAP_PX
    total_height = top + sum(heights) + GAP_PX * (len(heights) - 1) + margin

    sheet = Image.new("RGB", (total_width, total_height), PAPER)
    draw = ImageDraw.Draw(sheet)
    if title_text:
        title_text.draw(draw, margin, margin)
    lefts = [left + sum(widths[:x]) + GAP_PX * x for x in range(len(widths))]
    for text, x, width in zip(heading_texts, lefts, widths, strict=False):
        # Headings stand on the images: the lines of a shorter one are at the bottom.
        text.draw(draw, x + width / 2, heading_top + heading_height - text.height, anchor="ma")
    y = top
    for number, (row, height) in enumerate(zip(fitted, heights, strict=True)):
        if number < len(label_texts):
            text = label_texts[number]
            text.draw(draw, margin, y + (height - text.height) // 2)
        for image, x, width in zip(row, lefts, widths, strict=False):
            corner = (x + (width - image.width) // 2, y + (height - image.height) // 2)
            sheet.paste(image, corner)
            # A thin frame in the gap around the image: white images keep their edge, no pixel is covered.
            ends = (corner[0] + image.width, corner[1] + image.height)
            draw.rectangle((corner[0] - 1, corner[1] - 1, *ends), outline=FRAME)
        y += height + GAP_PX
    return np.asarray(sheet, dtype=np.uint8).copy()  # (H, W, 3)


@dataclass(frozen=True)
class _Text:
    """Lines of text with their size in pixels."""

    lines: tuple[str, ...]
    font: ImageFont.FreeTypeFont
    width: int
    line_height: int

    @property
    def height(self) -> int:
        return self.line_height * len(self.lines)

    def draw(self, draw: ImageDraw.ImageDraw, x: float, y: int, *, anchor: str = "la") -> None:
        """Draw lines from y on, each with its left end (la) or its middle (ma) at x."""
        for number, line in enumerate(self.lines):
            draw.text((x, y + number * self.line_height), line, fill=INK, font=self.font, anchor=anchor)


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> _Text:
    """Break `text` into lines of at most `width` pixels; a longer word is cut and ends in "..."."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if font.getlength(longer) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            line = _cut(word, font, width)
        lines.append(line)
    ascent, descent = font.getmetrics()
    widest = max(round(font.getlength(line)) for line in lines)
    return _Text(tuple(lines), font, widest, ascent + descent)


def _cut(word: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(word) <= width:
        return word
    while word and font.getlength(word + "...") > width:
        word = word[:-1]
    return word + "..."


def _font(size_px: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size_px)
    if not isinstance(font, ImageFont.FreeTypeFont):  # Pillow without FreeType has one bitmap font of fixed size
        raise InputError("contact sheets need a Pillow with FreeType; the wheels from the registry have it")
    return font


def _fit(image: Rgb, side: int) -> Image.Image:
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shown = Image.fromarray(np.ascontiguousarray(image))
    if size == (width, height):
        return shown
    # Enlarging by whole numbers repeats pixels, so that a small image is shown as it is; all else is interpolated.
    whole = side % max(height, width) == 0
    return shown.resize(size, Image.Resampling.NEAREST if whole else Image.Resampling.LANCZOS)


def _check(rows: Sequence[Sequence[Rgb]], columns: Sequence[str], labels: Sequence[str], cell: int | None) -> None:
    if not any(len(row) for row in rows):
        raise InputError("a contact sheet needs at least one image, got none")
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            shape, dtype = np.shape(image), np.asarray(image).dtype
            if len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
                raise InputError(
                    f"image {x} of row {y} must be uint8 of shape (H, W, 3), got {dtype} of shape {tuple(shape)}"
                )
    widest = max(len(row) for row in rows)
    if len(columns) > widest:
        raise InputError(f"{len(columns)} column headings for {widest} columns")
    if len(labels) > len(rows):
        raise InputError(f"{len(labels)} row labels for {len(rows)} rows")
    if cell is not None and cell < 1:
        raise InputError(f"cell must be at least 1 pixel, got {cell}")
