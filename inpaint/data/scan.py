"""What a configuration would train on, without training: for dry runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from inpaint.data.config import DataConfig
from inpaint.data.identity import Inventory
from inpaint.data.module import DividedPhotos
from inpaint.data.opening import counted
from inpaint.data.sources import Skipped

logger = logging.getLogger("inpaint.data")


@dataclass(frozen=True)
class ScanReport:
    """Counts and sizes of the photos of a configuration; sizes are those of the training photos."""

    kind: str  # folder, list, shards or samples
    found: int  # usable and skipped, in root and val
    train: int
    val: Mapping[str, int]  # by set, "" for a single one
    skipped: tuple[Skipped, ...]
    total_bytes: int
    median_height_px: int
    median_width_px: int
    enlarged: int  # training photos that are smaller than the crop
    crop_px: int

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        val = ", ".join(f"{name} {count}" if name else str(count) for name, count in self.val.items())
        lines = [
            f"photos       {self.train} for training, {val} for validation ({self.kind})",
            f"             {self.total_bytes / 1e6:.1f} MB, median size {self.median_width_px}x{self.median_height_px}",
        ]
        if self.enlarged:
            lines.append(
                f"             {self.enlarged} of {self.train} are smaller than the crop, enlarged to {self.crop_px} px"
            )
        if self.skipped:
            lines.append(f"             {len(self.skipped)} of {self.found} files skipped")
        return lines


def scan(config: DataConfig, *, before: Inventory | None = None) -> ScanReport:
    """Open the photos of a configuration and describe them. Raises DataError as training would.

    before: what the run has stored of its photos, if it goes on.
    """
    photos = DividedPhotos(config, before=before)
    photos.report_changes()
    source = photos.train_source
    sources = list({id(each): each for each in (source, *(one.source for one in photos.sets.values()))}.values())
    skipped = [skip for each in sources for skip in each.skipped]
    sizes_px = source.sizes_px[photos.train]
    height, width = np.median(sizes_px, axis=0)
    enlarged = int((sizes_px.min(axis=1) < config.size).sum())
    if enlarged:
        logger.warning(
            "%d of %s %s smaller than data.size=%d and would be enlarged; a smaller data.size avoids that",
            enlarged,
            counted(len(photos.train), "training photo"),
            "is" if enlarged == 1 else "are",
            config.size,
        )
    return ScanReport(
        kind=source.kind,
        found=sum(map(len, sources)) + len(skipped),
        train=len(photos.train),
        val={name: len(one.indices) for name, one in photos.sets.items()},
        skipped=tuple(skipped),
        total_bytes=int(source.sizes_bytes[photos.train].sum()),
        median_height_px=int(height),
        median_width_px=int(width),
        enlarged=enlarged,
        crop_px=config.size,
    )
