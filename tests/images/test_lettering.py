"""Text drawn into photos: what it covers, its fonts, and how it is laid over a photo."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from inpaint.errors import InputError
from inpaint.images.lettering import (
    Lettering,
    Line,
    faces,
    font_at,
    laid_over,
    outlined,
    shadowed,
    write,
    written,
)


def a_font(folder: Path) -> Path:
    """Copy a real font into a folder; skips where there is none."""
    data = pytest.importorskip("matplotlib").get_data_path()
    return Path(shutil.copy(Path(data) / "fonts" / "ttf" / "DejaVuSans.ttf", folder))


def test_a_font_of_a_folder_draws_other_letters_than_the_embedded_one(tmp_path):
    (tmp_path / "deeper").mkdir()
    font = a_font(tmp_path / "deeper")
    (tmp_path / "note.txt").write_text("no font")
    (tmp_path / "broken.ttf").write_bytes(b"no font either")
    assert faces((str(tmp_path),)) == (str(font),)
    drawn = [written([Line("Rag", (4, 30), face, 20, 2)], 40, 80) for face in ("", str(font), 0)]
    assert all(each.max() == 255 and 0 < each.mean() < 128 for each in drawn)
    assert not np.array_equal(drawn[0], drawn[1])


def test_capitals_have_the_wanted_height():
    for face in ("", 0, 3):
        covered = written([Line("H", (20, 80), face, 50, 1)], 100, 100) > 127
        rows = np.flatnonzero(covered.any(axis=1))
        assert rows[-1] - rows[0] + 1 == pytest.approx(50, rel=0.12)
        assert rows[-1] == pytest.approx(80, abs=2)


def test_a_folder_without_fonts_is_refused_with_what_is_valid(tmp_path):
    with pytest.raises(InputError, match=r"holds no font that can be opened \(\.ttf"):
        faces((str(tmp_path),))
    with pytest.raises(InputError, match="is no folder; valid: strokes, embedded, or a folder"):
        faces((str(tmp_path / "missing"),))


def test_a_line_is_written_as_pillow_writes_it():
    ours = Image.new("L", (60, 30))
    write(ours, "Abc", (3, 4), font_at("", 18))
    mask, (left, top) = ImageFont.load_default(18).getmask2("Abc", mode="L", anchor="la")
    width, height = mask.size
    expected = np.zeros((30, 60), np.uint8)
    expected[4 + top : 4 + top + height, 3 + left : 3 + left + width] = np.array(mask).reshape(height, width)
    assert np.array_equal(np.asarray(ours), expected)


def test_an_outline_covers_what_lies_within_its_reach():
    letters = np.zeros((15, 17), np.uint8)
    letters[7, 8] = 200
    rows, cols = np.mgrid[:15, :17]
    reach = np.hypot(rows - 7, cols - 8)
    found = outlined(letters, 3)
    assert (found[reach <= 2] == 200).all()
    assert (found[reach > 3.7] == 0).all()


def test_a_shadow_lies_where_it_is_moved_to():
    covered = np.arange(20, dtype=np.uint8).reshape(4, 5)
    moved = shadowed(covered, (1, -2), 0)
    assert np.array_equal(moved[:2, 1:], covered[2:, :-1])
    assert moved[2:].sum() == moved[:, 0].sum() == 0


def test_ink_is_the_color_in_letters_and_the_other_around_them():
    letters = np.array([[255, 0, 0]], np.uint8)
    outline = np.array([[255, 255, 0]], np.uint8)
    image = np.full((1, 3, 3), 100.0)
    ink = Lettering(letters, outline).ink(np.array([255.0, 0, 0]), np.zeros(3))
    assert laid_over(image, ink).tolist() == [[[255, 0, 0], [0, 0, 0], [100, 100, 100]]]
    assert laid_over(image, ink, 0.5)[0, 1].tolist() == [50, 50, 50]
