"""Folders of small photos for the tests of the data room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_photos(tmp_path: Path, make_photo: Callable[..., np.ndarray]) -> Callable[..., Path]:
    """`write_photos(count)` writes p00.png, p01.png, ... of different sizes above 32 px and returns their folder."""

    def write(count: int, *, name: str = "photos", suffix: str = ".png", height: int = 40) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        for seed in range(count):
            Image.fromarray(make_photo(height, 44 + seed % 5, seed)).save(folder / f"p{seed:02d}{suffix}")
        return folder

    return write
