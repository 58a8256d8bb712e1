"""Several fills of one photo: in order of their scores, as numbered files and one contact sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from inpaint.errors import UsageError
from inpaint.images.mask_rules import Hole
from inpaint.images.photo import Photo
from inpaint.images.sheets import PAPER, Rgb, contact_sheet, fit_cell
from inpaint.images.writing import to_pillow
from inpaint.registry.table import Described
from inpaint.types import Inpainter, OneLine

SHEET_COLUMNS = 6
SHEET_CELL_PX = 256
HOLE_GRAY = 128


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Sample(OneLine):
    """One of several fills.

    number: from 1, in the order of drawing. score: higher = better, None = not scored. strategy: what was done.
    """

    photo: Photo
    number: int
    score: float | None
    strategy: str = ""


def check_samples(inpainter: Inpainter | Described, samples: int, top: int | None) -> None:
    """Raise UsageError when this fill cannot give several samples, or `top` cannot be chosen from them."""
    if samples > 1 and not inpainter.capabilities.stochastic:
        raise UsageError(
            f"{inpainter.name} paints one fill for each hole: --samples {samples} needs a model that draws at random"
        )
    if top is None:
        return
    if top > samples:
        raise UsageError(f"--top {top} of --samples {samples}: ask for at least as many samples")
    if samples > 1 and not inpainter.capabilities.scored:
        raise UsageError(
            f"--top {top} needs scores to choose by, and {inpainter.name} has none to give: a model ranks its fills by "
            "its discriminator, if that is in its weights file"
        )


def best_of(samples: Sequence[Sample], top: int | None) -> list[Sample]:
    """Return the samples by descending score, at most `top` of them; as drawn where they have no scores."""
    return sorted(samples, key=lambda sample: 0.0 if sample.score is None else -sample.score)[:top]


def numbered(output: Path, count: int) -> list[Path]:
    """Return where `count` fills go, the best first: photo.png becomes photo_1.png, photo_2.png, ..."""
    digits = len(str(count))
    return [output.with_stem(f"{output.stem}_{number:0{digits}d}") for number in range(1, count + 1)]


def sheet_path(output: Path) -> Path:
    """Return where the contact sheet goes: photo.jpg has its own in photo_sheet.png."""
    return output.with_name(f"{output.stem}_sheet.png")


def sheet(photo: Photo, hole: Hole, samples: Sequence[Sample]) -> Rgb:
    """Lay out the photo with a gray hole and then its fills in their order, each with its score."""
    masked = _rgb(photo)
    masked[hole] = HOLE_GRAY
    # At the size of its cell at once: many samples of a large photo would fill the memory.
    cells = [("photo", fit_cell(masked, SHEET_CELL_PX))]
    for rank, sample in enumerate(samples, start=1):
        cells.append((_heading(rank, sample), fit_cell(_rgb(sample.photo), SHEET_CELL_PX)))
    rows = []
    for start in range(0, len(cells), SHEET_COLUMNS):
        names, images = zip(*cells[start : start + SHEET_COLUMNS], strict=True)
        rows.append(contact_sheet([images], columns=names, cell=SHEET_CELL_PX))
    width = max(row.shape[1] for row in rows)
    padded = [cv2.copyMakeBorder(row, 0, 0, 0, width - row.shape[1], cv2.BORDER_CONSTANT, value=PAPER) for row in rows]
    return np.concatenate(padded)


def _heading(rank: int, sample: Sample) -> str:
    if sample.score is None or not math.isfinite(sample.score):
        return f"{rank}"
    return f"{rank}\nscore {sample.score:.3f}, sample {sample.number}"


def _rgb(photo: Photo) -> Rgb:
    return np.asarray(to_pillow(photo).convert("RGB"), dtype=np.uint8).copy()
