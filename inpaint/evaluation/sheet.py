"""What fills look like: each of the first few photos as a PNG, and all of them on one sheet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from inpaint.errors import InputError
from inpaint.evaluation.photos import Photos, Rgb, draw_mask, text_hash
from inpaint.images.photo import photo_of_array
from inpaint.images.reading import read_rgb
from inpaint.images.sheets import contact_sheet, shrunk
from inpaint.images.writing import write_photo
from inpaint.masks import Mask

HOLE_GRAY = 128  # what the hole and missing fills are shown as
FOLDER = "pictures"
SHEET_NAME = "sheet.png"


def fill_path(output: Path, *, index: int, mask: str, model: str) -> Path:
    """Return where the fill of photo `index` is kept."""
    return output / FOLDER / f"{index:04d}+{_file_name(mask)}+{_file_name(model)}.png"


def write_sheet(
    output: Path, photos: Photos, *, shown: int, masks: Mapping[str, Mask], models: Sequence[str], seed: int
) -> Path | None:
    """Lay out the first `shown` photos: masked, each model's fill, original; a row per photo and mask.

    Fills are read from where `fill_path` says; a missing one stays gray.

    Returns:
        The sheet's path; None when no photo could be read.
    """
    rows, labels = [], []
    for index in range(min(shown, len(photos))):
        try:
            photo = photos.read(index)
        except InputError:
            continue  # reported when it was to be filled
        for kind, mask in masks.items():
            try:
                hole = draw_mask(kind, mask, seed=seed, index=index, height=photo.shape[0], width=photo.shape[1])
            except InputError:
                continue  # reported likewise
            masked = np.where(hole[..., None] == 1, np.uint8(HOLE_GRAY), photo)
            paths = [fill_path(output, index=index, mask=kind, model=model) for model in models]
            rows.append([shrunk(image) for image in (masked, *(_read(path, photo.shape) for path in paths), photo)])
            labels.append(f"{photos.name(index)}\n{kind}\n{100 * hole.mean():.0f} % hole")
    if not rows:
        return None
    path = output / SHEET_NAME
    write_photo(photo_of_array(contact_sheet(rows, columns=["masked", *models, "original"], labels=labels)), path)
    return path


def _read(path: Path, shape: tuple[int, ...]) -> Rgb:
    try:
        return read_rgb(path)
    except InputError:
        return np.full(shape, HOLE_GRAY, np.uint8)


def _file_name(text: str) -> str:
    """Return `text` as part of a file name; where that loses something, a hash keeps two texts apart."""
    clean = re.sub(r"[^A-Za-z0-9._-]+", "_", text)[:60]
    return clean if clean == text else f"{clean}-{text_hash(text, size_bytes=3)}"
