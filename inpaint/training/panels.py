"""The fixed panel of a run: what the networks make of the same few photos, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from inpaint.images.sheets import contact_sheet
from inpaint.system.files import atomic_write
from inpaint.types import Fill

Pixels: TypeAlias = NDArray[np.uint8]
PanelRow: TypeAlias = dict[str, Pixels]
"""One photo of the panel: images (H, W, 3) by column, coarse where there is such a stage; mask (H, W) with 1 = hole.

Of a blind model the contaminated image and the map that it found stand in the place of the masked one, of a harmonizer
the composite. Of a model that fills no holes the columns are its own.
"""

GRAY = 0.5  # what the hole is shown as


def panel_rows(image: Tensor, mask: Tensor, fill: Fill, seen: Mapping[str, Tensor] | None = None) -> list[PanelRow]:
    """Turn a batch and its fill into rows, on the CPU and in bytes.

    Args:
        image: (B, 3, H, W), the originals.
        mask: (B, 1, H, W), 1 = hole.
        fill: Of them.
        seen: By its name, what a blind model or a harmonizer was given as the image, (B, 3, H, W).
    """
    coarse, found = fill.aux.get("coarse"), fill.aux.get("found")
    stages = {} if coarse is None else {"coarse": coarse}
    masked = image * (1 - mask) + GRAY * mask
    before = {"masked": masked} if seen is None else dict(seen)
    if found is not None:
        before["found"] = found.expand_as(image)
    columns = {**before, **stages, "completed": fill.completed, "original": image}
    masks = mask[:, 0].round().byte().cpu().numpy()
    return [{**{n: to_bytes(c[i]) for n, c in columns.items()}, "mask": m} for i, m in enumerate(masks)]


def column_rows(columns: Mapping[str, Tensor], mask: Tensor) -> list[PanelRow]:
    """Turn columns of images into rows; images of another size are brought to that of the first column.

    Args:
        columns: By name, (B, 3, H, W) each.
        mask: (B, 1, H, W), 1 = hole, of the first column's size.
    """
    size = next(iter(columns.values())).shape[-2:]
    fitted = {name: F.interpolate(images.float(), size, mode="area") for name, images in columns.items()}
    masks = mask[:, 0].round().byte().cpu().numpy()
    return [{**{name: to_bytes(images[i]) for name, images in fitted.items()}, "mask": m} for i, m in enumerate(masks)]


def to_bytes(image: Tensor) -> Pixels:
    """Round an image (3, H, W) in [0, 1] to (H, W, 3) uint8."""
    array: Pixels = rounded(image).permute(1, 2, 0).cpu().numpy()
    return array


def rounded(images: Tensor) -> Tensor:
    """Round images in [0, 1] of any shape to uint8, as a file holds them."""
    return (images.detach().float().clamp(0, 1) * 255).round().byte()


def write_panel(path: Path, rows: list[PanelRow]) -> None:
    """Write the panel as one PNG: masked, coarse (if the model has one), completed, original."""
    columns = [name for name in rows[0] if name != "mask"]
    sheet = contact_sheet([[row[name] for name in columns] for row in rows], columns=columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")


def thin_out(folder: Path, most: int) -> None:
    """Remove panels of a folder until at most so many are left: every other one, the older the sparser.

    The first and the newest stay, so that what is left shows the whole run. Panels have the names of their iterations.
    """
    sheets = sorted(folder.glob("[0-9]*.png"))
    while len(sheets) > most:
        kept = sheets[-most:] if most < 2 else [*sheets[:-1:2], sheets[-1]]
        for sheet in set(sheets) - set(kept):
            sheet.unlink(missing_ok=True)
        sheets = kept
