"""Folders of small photos for the tests of the data room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_photos(tmp_path: Path, make_photo: Callable[..., np.ndarray]) -> Callable[..., Path]:
    """`write_photos(count)` writes p00.png, p01.png, ... of different sizes above 32 px and returns their folder.

    Folders of different names hold different photos.
    """

    def write(count: int, *, name: str = "photos", suffix: str = ".png", height: int = 40) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        for seed in range(count):
            drawn = make_photo(height, 44 + seed % 5, seed if name == "photos" else seed + crc32(name.encode()))
            Image.fromarray(drawn).save(folder / f"p{seed:02d}{suffix}")
        return folder

    return write
