"""The smallest training of the command line: four iterations in a second."""

from __future__ import annotations

import csv
from pathlib import Path

TINY = [
    "model.width=8",
    "model.discriminator.width=8",
    "data.size=32",
    "data.workers=0",
    "batch_size=2",
    "max_iterations=4",
    "log_every=2",
    "save_every=2",
    "validation.every=2",
    "validation.batch_size=2",
    "validation.panel=1",
    "trainer.accelerator=cpu",
    "trainer.devices=1",
    "trainer.threads=1",
]


def rows(folder: Path) -> list[dict[str, str]]:
    """Return what metrics.csv of a run holds."""
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def iterations(folder: Path) -> list[int]:
    """Return the iterations that metrics.csv of a run holds."""
    return [int(row["iteration"]) for row in rows(folder)]
