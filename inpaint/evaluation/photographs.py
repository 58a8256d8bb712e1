"""What every model is measured on: prepared photographs by number, and a seeded mask for each."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inpaint.data.opening import open_source, report_skipped
from inpaint.data.sources import SAMPLES
from inpaint.errors import UsageError
from inpaint.masks import HoleMask, Mask

SMALLEST_PX = 8
Picture = NDArray[np.uint8]


class Photographs:
    """The first `count` photographs of a folder, list file, tar shards or "samples", in the source's sorted order.

    size: side of the square; the shorter side is brought to it (by area downwards, cubic upwards) and the middle cut
    out, as for the validation set of a training run; None = native size. Files that are no pictures or have a side
    below 8 pixels are named in a warning and counted in `skipped`. Raises DataError when nothing is left.
    """

    def __init__(self, data: str, *, size: int | None = None, count: int | None = None) -> None:
        if size is not None and size < SMALLEST_PX:
            raise UsageError(f"size must be at least {SMALLEST_PX}, got {size}")
        if count is not None and count < 1:
            raise UsageError(f"count must be at least 1, got {count}")
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
        """Return what a person would call photograph `index`: its path below the root."""
        name = self._source.name(index)
        return Path(name).name if self._source.kind == SAMPLES else name

    def read(self, index: int) -> Picture:
        """Return photograph `index`, prepared: (H, W, 3) RGB. Raises InputError when it cannot be decoded."""
        photo = self._source.read(index)
        return photo if self._view is None else self._view(photo, None)[0]

    def fingerprint(self) -> str:
        """Return a short hash of the names and file sizes, to tell whether two evaluations saw the same files."""
        digest = hashlib.blake2b(digest_size=8)
        for index in range(len(self)):
            entry = f"{self.name(index)}\0{int(self._source.sizes_bytes[index])}\n"
            digest.update(entry.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def draw_mask(kind: str, mask: Mask, *, seed: int, index: int, height: int, width: int) -> HoleMask:
    """Draw the mask of photograph `index`: (H, W) uint8, 1 = hole. mask: what `kind` describes.

    A function of these arguments alone: every model gets the same masks, whatever else is evaluated beside it.
    """
    # The hash comes last: NumPy's seed sequences do not see trailing zeros, and seed and index may be 0.
    rng = np.random.default_rng((index, seed, _hash(f"evaluation mask {kind}")))
    return mask.draw(rng, height, width)


def fill_seed(*, seed: int, index: int) -> int:
    """Return the seed with which stochastic models fill photograph `index`."""
    return _hash(f"evaluation fill {seed} {index}") >> 1


def mask_hash(mask: HoleMask) -> str:
    """Return twelve hexadecimal digits that identify a mask."""
    height, width = mask.shape
    return hashlib.blake2b(f"{height}x{width}:".encode() + np.packbits(mask).tobytes(), digest_size=6).hexdigest()


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "little")
