"""Scratches, dust, dates, watermarks and objects, drawn where they are known to be."""

import cv2
import numpy as np
import pytest

from inpaint.errors import InputError, UsageError
from inpaint.finding.damage import find_dust, find_scratches
from inpaint.finding.date import find_date
from inpaint.finding.objects import object_in
from inpaint.finding.table import FINDERS, find
from inpaint.finding.watermark import find_watermark
from inpaint.images.photo import photo_of_array
from inpaint.images.regions import Region


def surface(height=200, width=260, seed=0):
    """A smooth photo with a step of brightness and noise of 3 levels."""
    y, x = np.mgrid[0:height, 0:width]
    base = 110 + 40 * np.sin(x / 60 + seed) + 30 * np.cos(y / 45) + 50 * (x > width * (0.6 - 0.05 * seed))
    noise = np.random.default_rng(seed).normal(0, 3, (height, width, 3))
    return np.clip(base[..., None] + noise, 0, 255).astype(np.uint8)


def recall_and_excess(hole, true):
    near = cv2.dilate(true.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    return hole[true].mean(), np.count_nonzero(hole & ~near)


@pytest.mark.parametrize("level", [250, 5])
def test_a_scratch_is_found_and_a_step_of_brightness_is_none(level):
    image, true = surface(), np.zeros((200, 260), np.uint8)
    cv2.line(true, (20, 15), (120, 190), 1, 2)
    assert not find_scratches(image, 0.5).any()
    image[true > 0] = level
    recall, excess = recall_and_excess(find_scratches(image, 0.5), true > 0)
    assert recall > 0.95
    assert excess < 60  # its ends are found a little too long


def test_a_scratch_of_six_pixels_is_found_in_its_whole_width():
    image, true = surface(320, 320), np.zeros((320, 320), np.uint8)
    cv2.line(true, (20, 15), (180, 300), 1, 6)
    image[true > 0] = 250
    recall, excess = recall_and_excess(find_scratches(image, 0.5), true > 0)
    assert recall > 0.95
    assert excess < 250  # of 2000 pixels of scratch


@pytest.mark.parametrize("level", [250, 5])
def test_specks_are_found_and_a_large_disc_is_no_dust(level):
    image, true = surface(), np.zeros((200, 260), np.uint8)
    for x, y in np.random.default_rng(1).integers(15, 125, (15, 2)).tolist():
        cv2.circle(true, (x, y), 2, 1, -1)
    assert not find_dust(image, 0.5).any()
    image[true > 0] = level
    cv2.circle(image, (225, 100), 22, (level,) * 3, -1)
    recall, excess = recall_and_excess(find_dust(image, 0.5), true > 0)
    assert recall > 0.9
    assert excess < 15


@pytest.mark.parametrize("name", ["scratches", "dust", "date"])
def test_more_sensitivity_finds_no_less(name):
    rng = np.random.default_rng(0)
    photo = photo_of_array(cv2.GaussianBlur(rng.integers(0, 256, (150, 200, 3)).astype(np.uint8), (0, 0), 1.5))
    counts = [np.count_nonzero(find(name, photo, sensitivity=value)) for value in (0.0, 0.5, 1.0)]
    assert counts == sorted(counts)


@pytest.mark.parametrize("upright", [False, True])
def test_a_date_in_a_corner_is_found_and_the_same_color_elsewhere_is_not(upright):
    image = surface(300, 420) // 2
    assert not find_date(image, 0.5).any()
    before = image.copy()
    cv2.putText(image, "98 7 14", (280, 285), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 140, 30), 2)
    true = (image != before).any(axis=2)
    cv2.circle(image, (100, 100), 30, (255, 140, 30), -1)
    image, true = (np.ascontiguousarray(np.rot90(each)) for each in (image, true)) if upright else (image, true)
    recall, excess = recall_and_excess(find_date(image, 0.5), true)
    assert recall > 0.95
    assert excess == 0


@pytest.mark.parametrize(
    ("widths", "is_date"), [((18, 7, 7), True), ((18, 18), True), ((7, 7, 7), False), ((18,), False)]
)
def test_figures_that_glow_has_joined_count_as_two(widths, is_date):
    image, left = surface(300, 420) // 2, 300
    for width in widths:
        cv2.rectangle(image, (left, 270), (left + width - 1, 284), (255, 140, 30), 2)
        left += width + 12
    assert find_date(image, 0.5).any() == is_date


def test_what_photos_share_is_found_and_what_they_do_not_is_not():
    true = np.zeros((120, 160), np.uint8)
    cv2.putText(true, "SAMPLE", (20, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1, 2)
    rng = np.random.default_rng(0)
    images = []
    for seed in range(8):
        image = surface(120, 160, seed)
        cv2.circle(image, tuple(rng.integers(20, 100, 2).tolist()), 15, (240, 240, 240), -1)
        images.append(np.where(true[..., None] > 0, image * 0.5 + 127, image).astype(np.uint8))
    hole = find_watermark(images, 0.5)
    recall, excess = recall_and_excess(hole, true > 0)
    assert recall > 0.9
    assert excess < 300
    with pytest.raises(InputError, match="6 or more photos of one size share; 3 given"):
        find_watermark(images[:3], 0.5)
    with pytest.raises(UsageError, match="a watermark is found in a folder of photos, not in one"):
        find("watermark", photo_of_array(images[0]))


def test_an_object_in_a_box_is_taken_without_its_surroundings_and_alike_every_time():
    image, true = surface(), np.zeros((200, 260), np.uint8)
    cv2.ellipse(true, (90, 100), (35, 50), 20, 0, 360, 1, -1)
    image[true > 0] = (200, 30, 40)
    box = Region(40, 162, 40, 142)
    hole = object_in(image, box)
    assert hole[true > 0].mean() > 0.98
    assert hole.sum() < 1.15 * true.sum()
    assert np.array_equal(hole, object_in(image, box))
    flat = object_in(np.full((60, 80, 3), 90, np.uint8), Region(10, 40, 20, 60))
    assert flat[10:40, 20:60].mean() > 0.9


def test_every_entry_of_the_table_says_what_its_sensitivity_is():
    assert set(FINDERS) == {"text", "scratches", "dust", "date", "watermark"}
    assert all(finder.summary and finder.sensitivity for finder in FINDERS.values())
