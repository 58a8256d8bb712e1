"""Text is found and taken as strokes; the lines that the detector gives are set by hand where strokes are tested."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from inpaint.errors import MissingDependencyError, UsageError
from inpaint.finding import detector, table, text
from inpaint.finding.detector import Line, weights_file
from inpaint.images.photo import photo_of_array

installed = pytest.mark.skipif(not table.is_available("text"), reason="needs the extra text")


def written(photo, color, *, outline=None, size=26):
    """Return the photo with a word in it, the pixels that it changed, and its line."""
    image = Image.fromarray(photo)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    draw.text((20, 30), "Sample 24", fill=color, font=font, stroke_width=2 if outline else 0, stroke_fill=outline)
    left, top, right, bottom = draw.textbbox((20, 30), "Sample 24", font=font, stroke_width=2)
    values = np.asarray(image)
    corners = np.array(
        [(left - 5, top - 5), (right + 5, top - 5), (right + 5, bottom + 5), (left - 5, bottom + 5)], float
    )
    return values, np.abs(values.astype(int) - photo).max(axis=2) > 8, Line(corners, bottom - top, 1.0)


@pytest.fixture
def by_hand(monkeypatch):
    def lines(*given):
        monkeypatch.setattr(text, "find_lines", lambda image, sensitivity: list(given))
        monkeypatch.setattr(text, "text_remains", lambda image, line, sensitivity: None)

    return lines


@pytest.mark.parametrize(
    ("color", "outline"),
    [((255, 255, 255), None), ((0, 0, 0), None), ((255, 220, 0), (0, 0, 0)), ((20, 90, 250), None)],
)
def test_strokes_are_taken_with_their_outline_and_not_the_box(make_photo, by_hand, color, outline):
    photo = (make_photo(90, 200) // 3 + 60).astype(np.uint8)
    image, changed, line = written(photo, color, outline=outline)
    by_hand(line)
    hole = text.find_text(image, 0.5)
    assert hole[changed].mean() > 0.97
    assert hole.sum() < 2.5 * changed.sum()


def test_what_cannot_be_told_apart_is_taken_whole(by_hand):
    line = written(np.zeros((90, 200, 3), np.uint8), (9, 9, 9))[2]
    by_hand(line)
    hole = text.find_text(np.full((90, 200, 3), 90, np.uint8), 0.5)
    window = line.window(0, (90, 200))
    assert hole[window.slices].mean() > 0.9


@pytest.mark.parametrize("size", [(736, 1000), (3000, 2500), (5000, 300), (1024, 1024)])
def test_tiles_cover_the_photo_and_stay_inside(size):
    seen = np.zeros(size, bool)
    for tile in detector._tiles(*size):
        assert max(tile.size) <= detector.TILE_PX
        assert tile.bottom <= size[0]
        assert tile.right <= size[1]
        seen[tile.slices] = True
    assert seen.all()


@installed
def test_the_detector_finds_a_word_and_nothing_in_a_photo_without():
    photo = np.asarray(Image.open(Path(__file__).parents[2] / "docs/examples/cat.jpg"))[:160, :256]
    image, changed, _ = written(photo, (255, 255, 255), outline=(0, 0, 0))
    hole = table.find("text", photo_of_array(image))
    assert hole[changed].mean() > 0.97
    assert hole.sum() < 3 * changed.sum()
    assert not table.find("text", photo_of_array(photo)).any()


def test_without_the_weights_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(detector, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"finding text needs PP-OCRv6_det_small.onnx .*\[text\]"):
        weights_file()


def test_names_and_sensitivities_that_are_none_are_said():
    photo = photo_of_array(np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(UsageError, match=r"unknown thing to find 'texts' \(did you mean 'text'"):
        table.find("texts", photo)
    with pytest.raises(UsageError, match=r"sensitivity must be a number from 0 to 1, got 1\.5"):
        table.find("text", photo, sensitivity=1.5)
