"""A training small enough to run in a second, as fixtures."""

import pytest
from PIL import Image
from tiny_run import TinyRun


@pytest.fixture
def photos(tmp_path, make_photo):
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(5):
        Image.fromarray(make_photo(40, 52, seed)).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def tiny_run(tmp_path, photos):
    def make(name="run", **options):
        return TinyRun(tmp_path / name, photos, **options)

    return make
