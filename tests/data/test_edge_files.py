"""Edges found once, as files beside the photos."""

import numpy as np
import pytest
from PIL import Image

from inpaint.cli.main import run
from inpaint.data import edge_files
from inpaint.data.edge_files import edge_map
from inpaint.data.sources import open_files
from inpaint.images.edges import canny, gray_of


@pytest.fixture
def photos(tmp_path, make_photo):
    (tmp_path / "below").mkdir()
    for name, size in (("a.png", (40, 56)), ("below/b.jpg", (90, 60))):
        Image.fromarray(make_photo(*size)).save(tmp_path / name)
    return tmp_path


def test_every_photo_gets_its_edges_once_and_training_reads_them(photos, capsys):
    arguments = ["edges", "--input", str(photos), "--by", "canny"]
    assert run(arguments) == 0
    assert "2 written" in capsys.readouterr().out
    source = open_files(str(photos), min_px=1)
    assert len(source) == 2
    for index in range(2):
        expected = canny(gray_of(source.read(index)), 2.0)
        assert np.array_equal(source.read_companion(index) == 255, expected)
    before = (photos / "a_edge.png").read_bytes()
    (photos / "below/b_edge.png").unlink()
    assert run(arguments) == 0
    assert "1 written, 1 kept" in capsys.readouterr().out
    assert (photos / "a_edge.png").read_bytes() == before


def test_a_folder_without_photos_is_said(tmp_path, capsys):
    assert run(["edges", "--input", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"error: no photo in {tmp_path}\n"


def test_a_large_photo_is_looked_at_smaller_and_its_edges_have_its_size(make_photo, monkeypatch):
    seen = []

    def probability(image):
        seen.append(image.shape[:2])
        return np.full(image.shape[:2], 0.4, np.float32)

    monkeypatch.setattr(edge_files, "edge_probability", probability)
    levels = edge_map(make_photo(90, 60), "hed", longest_px=45)
    assert seen == [(45, 30)]
    assert levels.shape == (90, 60)
    assert (levels == 102).all()
