"""What the first few photographs look like: each fill as a PNG, and all of them on one sheet."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inpaint.errors import InputError
from inpaint.evaluation.photographs import Photographs, draw_mask
from inpaint.images.sheets import contact_sheet
from inpaint.masks import Mask
from inpaint.system.files import atomic_write

Picture = NDArray[np.uint8]
HOLE_GRAY = 128  # what the hole and missing fills are shown as
FOLDER = "pictures"
SHEET_NAME = "sheet.png"


def picture_path(output: Path, *, index: int, mask: str, model: str) -> Path:
    """Return where the fill of photograph `index` is kept."""
    return output / FOLDER / f"{index:04d}+{_file_name(mask)}+{_file_name(model)}.png"


def write_picture(path: Path, picture: Picture) -> None:
    """Write (H, W, 3) uint8 as PNG, whole or not at all. Raises InpaintError when that fails."""
    with atomic_write(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


def write_sheet(
    output: Path, photographs: Photographs, *, shown: int, masks: Mapping[str, Mask], models: Sequence[str], seed: int
) -> Path | None:
    """Lay out the first `shown` photographs: masked, each model's fill, original; a row per photograph and mask.

    Fills come from the folder's pictures; a missing one stays gray. Returns the sheet's path, None when no photograph
    could be read.
    """
    rows, labels = [], []
    for index in range(min(shown, len(photographs))):
        try:
            photo = photographs.read(index)
        except InputError:
            continue  # reported when it was to be filled
        for kind, mask in masks.items():
            hole = draw_mask(kind, mask, seed=seed, index=index, height=photo.shape[0], width=photo.shape[1])
            masked = np.where(hole[..., None] == 1, np.uint8(HOLE_GRAY), photo)
            paths = [picture_path(output, index=index, mask=kind, model=model) for model in models]
            rows.append([masked, *(_read(path, photo.shape) for path in paths), photo])
            labels.append(f"{photographs.name(index)}\n{kind}\n{100 * hole.mean():.0f} % hole")
    if not rows:
        return None
    path = output / SHEET_NAME
    write_picture(path, contact_sheet(rows, columns=["masked", *models, "original"], labels=labels))
    return path


def _read(path: Path, shape: tuple[int, ...]) -> Picture:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError:
        return np.full(shape, HOLE_GRAY, np.uint8)


def _file_name(text: str) -> str:
    """Return `text` as part of a file name; where that loses something, a hash keeps two texts apart."""
    clean = re.sub(r"[^A-Za-z0-9._-]+", "_", text)[:60]
    digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=3).hexdigest()
    return clean if clean == text else f"{clean}-{digest}"
