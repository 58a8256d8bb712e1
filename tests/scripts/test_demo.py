"""The demo and the image at the top of the README: they run, and say honestly what they show."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def script(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_square_to_train_on_touches_the_word_and_each_is_a_part_of_the_photo(tmp_path):
    demo = script("demo")
    wall, word = demo.photo(), demo.painted_word()
    assert word.shape == wall.shape[:2]
    assert 0.03 < word.mean() < 0.2
    demo.cut(wall, word, tmp_path)
    files = sorted(tmp_path.iterdir())
    assert len(files) > 100
    for file in files:
        top, left = map(int, file.stem.split("_"))
        square = slice(top, top + demo.CROP_PX), slice(left, left + demo.CROP_PX)
        assert not word[square].any()
        with Image.open(file) as written:
            assert np.array_equal(np.asarray(written), wall[square])


@pytest.mark.slow
def test_the_demo_trains_fills_and_writes_one_sheet(tmp_path, capsys):
    demo = script("demo")
    assert demo.main(tmp_path, iterations=2) == 0
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        assert sheet.width > 5 * demo.CELL_PX
    assert (tmp_path / "run" / "model.safetensors").is_file()
    assert capsys.readouterr().out.endswith(f"contact sheet: {tmp_path / 'contact_sheet.png'}\n")


def test_the_image_of_the_readme_is_drawn_small_enough_to_load(tmp_path):
    readme = script("readme_image")
    wrote = tmp_path / "readme.png"
    assert readme.main(str(wrote)) == 0
    with Image.open(wrote) as sheet:
        assert sheet.width == 1008
    assert wrote.stat().st_size < 300_000
