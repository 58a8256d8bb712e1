"""Frames of a film are those that were written, in whatever order and however little memory there is."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from inpaint.errors import InputError
from inpaint.images.films import Film, FilmReader, median
from tiny_film import HEIGHT, WIDTH, write_film


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("film") / "a.avi", frames=30)


def test_a_film_says_its_frames_and_size(written):
    film = Film.open(written.path)
    assert (film.count, film.height, film.width) == (30, HEIGHT, WIDTH)


def test_frames_are_those_asked_for_in_rgb(written):
    film = Film.open(written.path)
    frames = list(film.frames([29, 3, 17]))
    for number, frame in zip((3, 17, 29), frames, strict=True):
        inner = written.things[number].copy()
        rows, columns = np.nonzero(inner)
        middle = frame[rows.min() + 6 : rows.max() - 5, columns.min() + 6 : columns.max() - 5].reshape(-1, 3)
        assert np.abs(middle.mean(axis=0) - (220, 20, 30)).max() < 12
        still = ~written.things[number]
        assert np.abs(frame[still].astype(int) - written.empty[still]).mean() < 8


def test_strips_hold_the_same_as_frames_with_little_memory(written):
    film = Film.open(written.path)
    numbers = film.evenly(7)
    whole = np.stack(list(film.frames(numbers)))
    strips = list(film.strips(numbers, most_bytes=7 * WIDTH * 3 * 25))
    assert [rows.stop - rows.start for rows, _ in strips] == [25, 25, 25, 21]
    assert np.array_equal(np.concatenate([strip for _, strip in strips], axis=1), whole)


def test_frames_are_read_in_any_order_and_decoded_once_in_rising_order(written, monkeypatch):
    film, opened = Film.open(written.path), []
    whole = list(film.frames(range(film.count)))
    decoded = Film.frames
    monkeypatch.setattr(Film, "frames", lambda self, numbers: opened.append(numbers) or decoded(self, numbers))
    reader = FilmReader(film)
    for number in (0, 1, 0, 1, 2, 5, 4, 5, 29):
        assert np.array_equal(reader.read(number), whole[number])
    assert len(opened) == 1
    copy = pickle.loads(pickle.dumps(reader))
    assert np.array_equal(copy.read(3), whole[3])
    assert np.array_equal(reader.read(3), whole[3])
    assert len(opened) == 3


def test_numbers_at_even_distances_are_distinct_and_inside(written):
    film = Film.open(written.path)
    assert film.evenly(3) == [5, 15, 25]
    assert film.evenly(100) == list(range(30))


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_the_median_is_numpys_rounded(count):
    frames = np.random.default_rng(count).integers(0, 256, (count, 5, 7, 3), dtype=np.uint8)
    assert np.array_equal(median(frames), np.floor(np.median(frames, axis=0) + 0.5).astype(np.uint8))


def test_what_is_no_film_is_refused(tmp_path):
    text, photo = tmp_path / "a.avi", tmp_path / "empty.mp4"
    text.write_text("no film")
    photo.write_bytes(b"")
    for path in (text, photo):
        with pytest.raises(InputError, match="is no film that can be read"):
            Film.open(path)
    with pytest.raises(InputError, match="no such file"):
        Film.open(tmp_path / "gone.avi")
