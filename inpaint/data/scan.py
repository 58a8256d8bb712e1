"""What a configuration would train on, without training: for dry runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inpaint.data.config import DataConfig
from inpaint.data.module import DividedPhotos
from inpaint.data.sources import Skipped


@dataclass(frozen=True)
class ScanReport:
    """Counts and sizes of the photos of a configuration; sizes are those of the training photos."""

    kind: str  # folder, list, shards or samples
    found: int  # usable and skipped, in root and val
    train: int
    val: int
    skipped: tuple[Skipped, ...]
    total_bytes: int
    median_height_px: int
    median_width_px: int

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        lines = [
            f"photos       {self.train} for training, {self.val} for validation ({self.kind})",
            f"             {self.total_bytes / 1e6:.1f} MB, median size {self.median_width_px}x{self.median_height_px}",
        ]
        if self.skipped:
            lines.append(f"             {len(self.skipped)} of {self.found} files skipped")
        return lines


def scan(config: DataConfig) -> ScanReport:
    """Open the photos of a configuration and describe them. Raises DataError as training would."""
    photos = DividedPhotos(config)
    source = photos.train_source
    sources = [source] if config.val is None else [source, photos.val_source]
    skipped = [skip for each in sources for skip in each.skipped]
    height, width = np.median(source.sizes_px[photos.train], axis=0)
    return ScanReport(
        kind=source.kind,
        found=sum(map(len, sources)) + len(skipped),
        train=len(photos.train),
        val=len(photos.val),
        skipped=tuple(skipped),
        total_bytes=int(source.sizes_bytes[photos.train].sum()),
        median_height_px=int(height),
        median_width_px=int(width),
    )
