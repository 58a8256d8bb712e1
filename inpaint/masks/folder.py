"""Masks from files: published mask sets, those of the user, and those that belong to the photos one by one."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from pydantic import Field, PlainValidator, PrivateAttr, field_validator

from inpaint.errors import InputError, MaskError
from inpaint.images.formats import IMAGE_SUFFIXES
from inpaint.images.listing import find_photos
from inpaint.images.mask_rules import Label, parse_label
from inpaint.images.masks import INVERTED_ABOVE, dilate_hole, hush, read_mask
from inpaint.masks.base import HoleMask, Mask, Span, hole_ratio
from inpaint.system.files import is_folder, missing

logger = logging.getLogger("inpaint.masks")

CHECKED = 16  # files read at the start, to find out whether white is the hole


def _path(value: object) -> str:
    # Of our own, since pydantic's text is UTF-8, and the name of a folder need not be.
    if not isinstance(value, str) or not value:
        raise ValueError("must be the path of a folder")
    return value


class _Files(Mask):
    """What masks from files have in common.

    path: the folder. hole: "black" takes as hole what the rule of masks calls known. label: what is the hole, instead
    of that rule.
    """

    path: Annotated[str, PlainValidator(_path)]
    hole: Literal["white", "black"] = "white"
    label: Label | None = None

    @field_validator("label")
    @classmethod
    def _is_label(cls, label: Label | None) -> Label | None:
        if label is not None:
            parse_label(label)
        return label

    @property
    def folder(self) -> Path:
        """The folder. Raises MaskError when it is none."""
        folder = Path(os.path.expanduser(self.path))  # noqa: PTH111 - Path.expanduser raises without a home
        if not is_folder(folder):
            reason = missing(folder)
            why = "" if reason in ("", "no such file") else f" ({reason})"
            raise MaskError(f"mask folder '{self.path}' is not a folder{why}")
        return folder


class Paired(_Files):
    """Every photo's own mask: the file of the photo's name in a folder, or one of several, a_mask001.png for a.jpg.

    A mask is cut, scaled and flipped as its photo is, so it is drawn by the sample stream of the data, not here.

    Args:
        path: The folder, with the photos' subfolders.
        hole: As of `Folder`.
        label: As of `Folder`.

    Raises:
        MaskError: The folder is missing.
    """

    kind: Literal["paired"] = "paired"

    def model_post_init(self, _context: object) -> None:
        """Check the folder."""
        self.folder  # noqa: B018 - for its error

    def files(self) -> tuple[str, ...]:
        """Return the files of the folder, whether or not there are photos of their names."""
        return tuple(map(str, find_photos(self.folder).paths()))

    def _draw_once(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        raise MaskError("masks paired with photos are those of a training's photos: write data.masks=paired:FOLDER")

    def read(self, path: str) -> HoleMask:
        """Return a mask file as (H, W), 1 = hole. Raises InputError when it cannot be read or has no hole."""
        mask = _read(path, self.hole, self.label)
        if not mask.any():
            raise MaskError(f"'{path}' has no hole")
        return mask


class Folder(_Files):
    """A random file of a folder (with its subfolders), flipped, turned, dilated; warns when the masks look inverted.

    A file is read as `images.masks.read_mask` reads the mask of a photo, and may have any of the formats of photos.

    Args:
        path: The folder.
        hole: Which color is the hole. The published PConv test masks and most sets are white = hole; PConv's raw
            training masks are mostly white and need hole="black".
        label: What is the hole in files of labels: an integer, "#rrggbb" or "transparent".
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
    fit: Literal["resize", "crop"] = "resize"
    flip: float = Field(0.5, ge=0, le=1)
    rotate_deg: float = Field(0.0, ge=0, le=180)
    dilate_px: Span = (0, 0)
    _files: tuple[str, ...] = PrivateAttr(default=())
    _damaged: Any = PrivateAttr(default=None)

    @field_validator("dilate_px")
    @classmethod
    def _grows(cls, span: tuple[float, float]) -> tuple[float, float]:
        if span[0] < 0:
            raise ValueError("a hole cannot grow by less than 0 pixels")
        return span

    def model_post_init(self, _context: object) -> None:
        """List the files, in the order of their names, and check some of them."""
        listing = find_photos(self.folder)
        if line := listing.left_out_line():
            _say_once(f"mask folder '{self.path}': {line}")
        if not listing.names:
            raise MaskError(f"mask folder '{self.path}' holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
        self._files = tuple(str(path) for path in sorted(listing.paths()))
        self._check(self._files[:: max(1, len(self._files) // CHECKED)][:CHECKED])

    def _check(self, files: tuple[str, ...]) -> None:
        """Read some files; say how they are taken, what cannot be read, and whether they look inverted."""
        ratios, problems = [], []
        for file in files:
            try:
                hole = read_mask(file, invert=self.hole == "black", label=self.label, say=self._say)
                ratios.append(hole_ratio(hole.view(np.uint8)))
            except InputError as error:
                problems.append(error)
        if not any(ratios):
            if problems:
                raise problems[0]
            raise MaskError(f"no mask checked in '{self.path}' has a hole ({self.hole}; {len(files)} were checked)")
        if problems:
            _say_once(
                f"mask folder '{self.path}': {len(problems)} of {len(files)} checked cannot be used: {problems[0]}"
            )
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

    def _say(self, name: str, remarks: Mapping[str, str]) -> None:
        """Say by which rule files are taken, once for all that are taken by it."""
        if "rule" in remarks:
            _say_once(f"{remarks['rule']}: so are masks of '{self.path}' read", about=name)

    def replace_damaged(self, zeros: Callable[[int], Any]) -> None:
        """Let a file that cannot be read when it is drawn be replaced by the next one, named once.

        Args:
            zeros: Makes an array of so many zeros, shared by all processes that draw, for `damaged`.
        """
        self._damaged = zeros(len(self._files))

    @property
    def damaged(self) -> list[str]:
        """The files that were replaced so far, in whichever process."""
        if self._damaged is None:
            return []
        return [file for file, bad in zip(self._files, self._damaged.tolist(), strict=True) if bad]

    def _drawn(self, index: int) -> HoleMask:
        """Return the mask of a file, or of the next one that can be read where damaged files are replaced."""
        if self._damaged is None:
            return _read(self._files[index], self.hole, self.label)
        failed: InputError | None = None
        for step in range(len(self._files)):
            at = (index + step) % len(self._files)
            try:
                return _read(self._files[at], self.hole, self.label)
            except InputError as error:
                failed = failed or error
                if not self._damaged[at]:
                    self._damaged[at] = 1
                    logger.warning("replaced by the next mask: %s", error)
        raise MaskError(f"no mask of '{self.path}' can be read any more; the first was: {failed}")

    def _draw_once(self, rng: np.random.Generator, height: int, width: int) -> HoleMask:
        mask = self._drawn(int(rng.integers(len(self._files))))
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
def _read(path: str, hole: str, label: Label | None) -> HoleMask:
    """Return the mask of a file, read-only because it is shared."""
    mask = read_mask(path, invert=hole == "black", label=label, say=hush).view(np.uint8)
    mask.flags.writeable = False
    return mask


_said: set[str] = set()


def _say_once(text: str, *, about: str = "") -> None:
    """Warn of something that holds for all masks of a folder, which may be opened several times."""
    if text not in _said:
        _said.add(text)
        logger.warning("%s", f"{about}: {text}" if about else text)
