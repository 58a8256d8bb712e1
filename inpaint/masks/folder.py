"""Masks from files: published mask sets, or those of the user."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from pydantic import Field, PrivateAttr, field_validator

from inpaint.errors import MaskError
from inpaint.images.formats import IMAGE_SUFFIXES
from inpaint.images.masks import INVERTED_ABOVE, dilate_hole, read_mask
from inpaint.masks.base import HoleMask, Mask, Span, hole_ratio

logger = logging.getLogger("inpaint.masks")

CHECKED = 16  # files read at the start, to find out whether white is the hole


class Folder(Mask):
    """A random file of a folder (with its subfolders), flipped, turned, dilated; warns when the masks look inverted.

    A file is read as `images.masks.read_mask` reads the mask of a photo, and may have any of the formats of photos.

    Args:
        path: The folder.
        hole: Which color is the hole. The published PConv test masks and most sets are white = hole; PConv's raw
            training masks are mostly white and need hole="black".
        fit: "resize" scales a file to the size (nearest, the aspect may change); "crop" cuts a random part of the same
            aspect as large as possible, then scales it.
        flip: Probability of each of the two mirrors.
        rotate_deg: Largest turn to either side; what a turn leaves open is filled by reflection, so the borders of an
            image are not always known.
        dilate_px: The hole grows by a disc of this radius, uniform, in pixels of an image of 512.

    Raises:
        MaskError: The folder is missing, holds no image, or none with a hole.
        InputError: A file cannot be read; also when it is drawn.
    """

    kind: Literal["folder"] = "folder"
    path: str = Field(min_length=1)
    hole: Literal["white", "black"] = "white"
    fit: Literal["resize", "crop"] = "resize"
    flip: float = Field(0.5, ge=0, le=1)
    rotate_deg: float = Field(0.0, ge=0, le=180)
    dilate_px: Span = (0, 0)
    _files: tuple[str, ...] = PrivateAttr(default=())

    @field_validator("dilate_px")
    @classmethod
    def _grows(cls, span: tuple[float, float]) -> tuple[float, float]:
        if span[0] < 0:
            raise ValueError("a hole cannot grow by less than 0 pixels")
        return span

    def model_post_init(self, _context: object) -> None:
        """List the files, in the order of their names, and check some of them."""
        folder = Path(self.path).expanduser()
        if not folder.is_dir():
            raise MaskError(f"mask folder '{self.path}' is not a folder")
        found = sorted(
            p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")
        )
        if not found:
            raise MaskError(f"mask folder '{self.path}' holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
        self._files = tuple(str(p) for p in found)
        step = max(1, len(found) // CHECKED)
        ratios = [hole_ratio(_read(name, self.hole)) for name in self._files[::step][:CHECKED]]
        if not any(ratios):
            raise MaskError(f"no mask checked in '{self.path}' has a hole ({self.hole}, threshold 128)")
        if float(np.mean(ratios)) > INVERTED_ABOVE:
            other = "black" if self.hole == "white" else "white"
            logger.warning(
                "the masks of '%s' are %.0f %% hole and look inverted: hole: %s takes the other color",
                self.path,
                100 * float(np.mean(ratios)),
                other,
            )

    def files(self) -> tuple[str, ...]:
        """Return the files of the folder."""
        return self._files

    def _draw_once(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        mask = _read(self._files[int(rng.integers(len(self._files)))], self.hole)
        u = rng.random(6).tolist()
        if self.fit == "crop":
            mask = _crop(mask, height, width, u[0], u[1])
        # This also makes the copy that may be changed: the file's mask is shared.
        mask = np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), dtype=np.uint8)
        if u[2] < self.flip:
            mask = mask[:, ::-1]
        if u[3] < self.flip:
            mask = mask[::-1]
        mask = np.ascontiguousarray(mask)
        if self.rotate_deg:
            turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), self.rotate_deg * (2 * u[4] - 1), 1.0)
            turned = cv2.warpAffine(
                mask, turn, (width, height), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101
            )
            mask = np.asarray(turned, dtype=np.uint8)
        radius = (self.dilate_px[0] + (self.dilate_px[1] - self.dilate_px[0]) * u[5]) * min(height, width) / 512
        return dilate_hole(mask == 1, radius, chamfer=True).astype(np.uint8) if radius >= 1 else mask


def _crop(mask: HoleMask, height: int, width: int, u: float, v: float) -> HoleMask:
    rows, cols = mask.shape
    scale = min(rows / height, cols / width)
    part_rows, part_cols = max(1, int(height * scale)), max(1, int(width * scale))
    top, left = int((rows - part_rows + 1) * u), int((cols - part_cols + 1) * v)
    return mask[top : top + part_rows, left : left + part_cols]


@lru_cache(maxsize=256)
def _read(path: str, hole: str) -> HoleMask:
    """Return the mask of a file, read-only because it is shared."""
    mask = read_mask(path, invert=hole == "black", quiet=True).view(np.uint8)
    mask.flags.writeable = False
    return mask
