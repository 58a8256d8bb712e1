"""Folders of photos and masks."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folders(tmp_path, make_photo):
    """photos/{a.jpg, b.png, sub/c.tif}, masks of the same stems, sub included."""
    hole = np.zeros((40, 56), np.uint8)
    hole[10:20, 15:40] = 255
    for seed, name in enumerate(("a.jpg", "b.png", "sub/c.tif")):
        for path, values in (
            (tmp_path / "photos" / name, make_photo(40, 56, seed)),
            ((tmp_path / "masks" / name).with_suffix(".png"), hole),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(path)
    return tmp_path
