"""What every model is measured on: prepared photos by number, and a seeded mask for each."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inpaint import seeds
from inpaint.data.identity import content_hashes
from inpaint.data.opening import open_source, report_skipped
from inpaint.data.sources import SAMPLES
from inpaint.masks import HoleMask, Mask

SMALLEST_PX, LARGEST_PX = 8, 8192
"""Side of a square that is cut from photos."""
Rgb = NDArray[np.uint8]
"""A photo in memory, (H, W, 3)."""


class Photos:
    """Photos by number, in the source's sorted order. Files that cannot be used are named and counted in `skipped`.

    Args:
        data: A folder, list file, tar shards or "samples".
        size: Side of the square in pixels, 8 to 8192; the shorter side is brought to it (by area downwards, cubic
            upwards) and the middle cut out, as for the validation set of a training run. None: native size.
        count: Only the first so many; None: all.

    Raises:
        DataError: Nothing is left of files that hold an image with sides of at least 8 pixels.
    """

    def __init__(self, data: str, *, size: int | None = None, count: int | None = None) -> None:
        self._source = open_source(data, min_px=SMALLEST_PX)
        report_skipped(data, self._source)
        self.skipped = len(self._source.skipped)
        self._count = len(self._source) if count is None else min(count, len(self._source))
        self._view = None
        if size is not None:
            from inpaint.data.pixels import CenterView  # imports Albumentations, which native sizes do not need

            self._view = CenterView(size)

    def __len__(self) -> int:
        return self._count

    def name(self, index: int) -> str:
        """Return what photo `index` is called: its path below the root."""
        name = self._source.name(index)
        return Path(name).name if self._source.kind == SAMPLES else name

    def read(self, index: int) -> Rgb:
        """Return photo `index`, prepared: (H, W, 3) RGB. Raises InputError when it cannot be decoded."""
        photo = self._source.read(index)
        return photo if self._view is None else self._view(photo, None)[0]

    def fingerprint(self) -> str:
        """Return a short hash of the names and contents, to tell whether two evaluations saw the same photos."""
        contents = content_hashes(self._source, range(len(self)))
        return text_hash("".join(f"{self.name(index)}\0{content}\n" for index, content in enumerate(contents)))


def draw_mask(kind: str, mask: Mask, *, seed: int, index: int, height: int, width: int) -> HoleMask:
    """Draw the mask of photo `index`: (H, W) uint8, 1 = hole. mask: what `kind` describes.

    A function of these arguments alone: every model gets the same masks, whatever else is evaluated beside it.
    """
    purpose = seeds.Purpose(seeds.named(f"evaluation mask {kind}"), "isp")
    return mask.draw(seeds.generator(seed, purpose, index), height, width)


def fill_seed(*, seed: int, index: int) -> int:
    """Return the seed with which stochastic models fill photo `index`."""
    return seeds.named(f"evaluation fill {seed} {index}") >> 1


def text_hash(text: str, *, size_bytes: int = 8) -> str:
    """Return a hash of a text in hexadecimal digits, two for each byte."""
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=size_bytes).hexdigest()


def mask_hash(mask: HoleMask) -> str:
    """Return twelve hexadecimal digits that identify a mask."""
    height, width = mask.shape
    return hashlib.blake2b(f"{height}x{width}:".encode() + np.packbits(mask).tobytes(), digest_size=6).hexdigest()
