"""Photos for trainings by the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photos, no two of one size; to be left as they are."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(12):
        colors = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
        Image.fromarray(colors).resize((36 + number, 40), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder
