"""What fills look like: the first few pictures on one sheet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from inpaint.errors import InputError
from inpaint.evaluation.manifest import MASKED, ORIGINAL
from inpaint.evaluation.measure import GRAY
from inpaint.evaluation.record import CONTENT, OF_STYLES, Record
from inpaint.evaluation.subjects import Rgb
from inpaint.images.photo import photo_of_array
from inpaint.images.reading import read_rgb
from inpaint.images.sheets import contact_sheet, shrunk
from inpaint.images.writing import write_photo

SHEET_NAME = "sheet.png"
SHOWN = 6


def write_sheet(record: Record) -> Path | None:
    """Lay out the first pictures that are kept: masked, each model's fill, original; a row per picture and mask.

    Of styles: the style, each model's picture, and the photo, where no row of the models shows it as it is.

    A fill that is missing stays gray.

    Returns:
        The sheet's path; None when no pictures are kept.
    """
    kept = [key for key in record.manifest.keys if record.picture(key, "", ORIGINAL)][:SHOWN]
    columns = {MASKED: record.words.masked, **{model: model for model in record.models}}
    if CONTENT not in record.models or record.words != OF_STYLES:
        columns[ORIGINAL] = record.words.original
    ratios = {(row.image, row.mask): row.values.get("hole_ratio") for row in record.rows}
    rows, labels = [], []
    for key in kept:
        for mask in record.manifest.labels:
            if record.picture(key, mask, MASKED) is None:
                continue  # no mask could be drawn
            original = _read(record.picture(key, mask, ORIGINAL), lambda: np.full((8, 8, 3), GRAY, np.uint8))
            gray = _gray(original)
            rows.append([shrunk(_read(record.picture(key, mask, column), gray)) for column in columns])
            ratio = ratios.get((key, mask))
            labels.append(f"{key}\n{mask}" + ("" if ratio is None else f"\n{100 * ratio:.0f} % hole"))
    if not rows:
        return None
    path = record.folder / SHEET_NAME
    write_photo(photo_of_array(contact_sheet(rows, columns=list(columns.values()), labels=labels)), path)
    return path


def _gray(like: Rgb) -> Callable[[], Rgb]:
    return lambda: np.full_like(like, GRAY)


def _read(path: Path | None, otherwise: Callable[[], Rgb]) -> Rgb:
    try:
        return otherwise() if path is None else read_rgb(path)
    except InputError:
        return otherwise()
