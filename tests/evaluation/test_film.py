"""From a fixed camera's film: the empty scene, its noise, what moves and what shades; of the films all is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inpaint.evaluation.film import moving, scene_of, shaded, shift_px, universal_threshold
from inpaint.images.films import Film
from tiny_film import write_film


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("film") / "a.avi", shade=0.93, noise=2)


@pytest.fixture(scope="module")
def film(written):
    return Film.open(written.path)


@pytest.fixture(scope="module")
def scene(film):
    return scene_of(film, film.evenly(60))


def grown(mask, radius_px):
    size = 2 * radius_px + 1
    return cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))) > 0


def test_the_empty_scene_is_what_stands_behind_the_thing(written, scene):
    assert scene.known.mean() > 0.99
    assert np.abs(scene.empty.astype(int) - written.empty).mean() < 6  # of JPEG; the thing itself is 100 levels off
    assert np.abs(scene.empty.astype(int) - written.empty).max() < 40


def test_the_noise_is_that_of_the_still_pixels(written, film, scene):
    frames = np.stack(list(film.frames(range(60)))).astype(float)
    still = ~(written.things | written.shadows)
    for number in range(60):
        still[number] = ~grown(~still[number], 6)
    residual = (frames - np.median(frames, axis=0))[still]
    assert scene.floor == pytest.approx(np.sqrt((residual**2).mean()), rel=0.1)
    assert scene.noise == pytest.approx(residual.std(), rel=0.25)  # by the median, which rare deviations do not move


def test_a_film_larger_than_the_memory_has_the_same_scene(film, scene):
    again = scene_of(film, film.evenly(60), most_bytes=60 * 128 * 3 * 20)
    assert np.array_equal(again.empty, scene.empty)
    assert np.array_equal(again.sigma, scene.sigma)
    assert np.array_equal(again.known, scene.known)
    assert again.floor == pytest.approx(scene.floor)


@pytest.mark.parametrize("number", [0, 7, 31])
def test_what_moves_is_the_thing_wholly_and_little_beside(written, film, scene, number):
    (frame,) = film.frames([number])
    found = moving(frame, scene, dilate_px=2)
    assert found[written.things[number]].all()
    assert not (found & ~grown(written.things[number], 6)).any()


@pytest.mark.parametrize("number", [0, 7, 31])
def test_with_shadows_the_mask_reaches_over_a_faint_shadow_which_it_does_not_without(written, film, scene, number):
    (frame,) = film.frames([number])
    shadow = written.shadows[number]
    assert moving(frame, scene)[shadow].mean() < 0.5
    assert moving(frame, scene, shadows=True, dilate_px=2)[shadow].mean() > 0.95
    beyond = ~grown(shadow | written.things[number], 6)
    assert not moving(frame, scene, shadows=True)[beyond].any()


def test_what_is_dark_but_of_another_color_is_no_shadow(scene):
    area = np.zeros(scene.known.shape, bool)
    area[20:60, 30:90] = True
    for color, expected in (((0.7, 0.7, 0.7), True), ((0.95, 0.7, 0.45), False), ((1.3, 1.3, 1.3), False)):
        frame = np.where(area[..., None], scene.empty * np.array(color), scene.empty).clip(0, 255).astype(np.uint8)
        assert shaded(frame, scene, threshold=5)[22:58, 32:88].mean() == pytest.approx(float(expected), abs=0.05)


def test_a_pixel_that_is_taken_in_more_than_a_third_of_the_frames_is_not_known(tmp_path, written):
    path = tmp_path / "b.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (128, 96))
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, 98)
    for number in range(50):
        frame = written.empty.copy()
        frame[40:60, 20:40] = (20, 30, 220) if number % 5 < 2 else frame[40:60, 20:40]  # 40 %
        frame[40:60, 80:100] = (20, 30, 220) if number % 5 < 1 else frame[40:60, 80:100]  # 20 %
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    film = Film.open(path)
    scene = scene_of(film, film.evenly(50))
    assert not scene.known[42:58, 22:38].any()
    assert scene.known[42:58, 82:98].all()
    (frame,) = film.frames([0])
    found = moving(frame, scene)
    assert found[42:58, 82:98].all()
    assert not found[42:58, 22:38].any()  # nothing could be compared there


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, -1), (0, 3)])
def test_a_shift_of_the_camera_is_measured_in_pixels(scene, down, right):
    moved = np.roll(scene.empty, (down, right), axis=(0, 1))
    assert shift_px(moved, scene) == pytest.approx(np.hypot(down, right), abs=0.25)


def test_the_universal_threshold_is_hardly_ever_exceeded():
    values = np.random.default_rng(0).normal(size=(200, 5000))
    exceeded = (np.abs(values).max(axis=1) > universal_threshold(5000)).mean()
    assert 0.02 < exceeded < 0.3
