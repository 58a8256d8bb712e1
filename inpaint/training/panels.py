"""The fixed panel of a run: what the networks make of the same few photos, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from inpaint.images.sheets import contact_sheet
from inpaint.system.files import atomic_write
from inpaint.types import Fill

Pixels = NDArray[np.uint8]
GRAY = 0.5  # what the hole is shown as


class PanelRow(TypedDict):
    """One photo of the panel: images (H, W, 3) uint8, mask (H, W) with 1 = hole; coarse None without a stage."""

    masked: Pixels
    coarse: Pixels | None
    completed: Pixels
    original: Pixels
    mask: NDArray[np.uint8]


def panel_rows(image: Tensor, mask: Tensor, fill: Fill) -> list[PanelRow]:
    """Turn a batch and its fill into rows, on the CPU and in bytes."""
    masked = image * (1 - mask) + GRAY * mask
    coarse = fill.aux.get("coarse")
    return [
        PanelRow(
            masked=to_bytes(masked[i]),
            coarse=None if coarse is None else to_bytes(coarse[i]),
            completed=to_bytes(fill.completed[i]),
            original=to_bytes(image[i]),
            mask=mask[i, 0].round().byte().cpu().numpy(),
        )
        for i in range(image.shape[0])
    ]


def to_bytes(image: Tensor) -> Pixels:
    """Round an image (3, H, W) in [0, 1] to (H, W, 3) uint8."""
    rounded = (image.detach().float().clamp(0, 1) * 255).round().byte()
    array: Pixels = rounded.permute(1, 2, 0).cpu().numpy()
    return array


def write_panel(path: Path, rows: list[PanelRow]) -> None:
    """Write the panel as one PNG: masked, coarse (if the model has one), completed, original."""
    has_coarse = any(row["coarse"] is not None for row in rows)
    columns = ["masked", *(["coarse"] if has_coarse else []), "completed", "original"]
    cells = [
        [row["masked"], *([row["coarse"]] if row["coarse"] is not None else []), row["completed"], row["original"]]
        for row in rows
    ]
    sheet = contact_sheet(cells, columns=columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")
