"""What is found out about a hole and its image: shape, preset, rectangles, noise."""

import numpy as np
import pytest

from inpaint.dip.analysis import hold_out_blocks, hold_out_pixels, noise_level, preset_for_hole, regions_of, shape_of
from inpaint.images.regions import Region


def hole(height, width, *boxes):
    mask = np.zeros((height, width), bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "name"),
    [
        (hole(128, 160, (20, 26, 10, 150), (60, 66, 10, 150)), "text"),
        (hole(128, 160, (20, 32, 10, 150), (10, 120, 70, 82)), "text"),  # wider where strokes cross
        (hole(128, 160, (40, 80, 40, 80)), "vase"),
        (hole(256, 300, (60, 160, 60, 180)), "library"),
        (np.random.default_rng(0).random((128, 160)) < 0.5, "missing-half"),
        (np.random.default_rng(0).random((128, 160)) < 0.98, "missing-most"),
        (hole(128, 160, (0, 128, 60, 160)), "library"),
    ],
)
def test_the_preset_follows_the_hole(mask, name):
    assert preset_for_hole(shape_of(mask)) == name


def test_the_shape_of_a_hole_is_measured():
    shape = shape_of(hole(100, 100, (30, 51, 20, 60)))
    assert shape.share == pytest.approx(0.084)
    assert shape.width_px == pytest.approx(22, abs=0.1)  # 11 pixels from the middle row to the next known one
    assert not shape.scattered


def test_the_typical_width_of_strokes_is_their_own_however_they_cross():
    stroke, cross = hole(200, 200, (50, 62, 0, 200)), hole(200, 200, (50, 62, 0, 200), (0, 200, 50, 62))
    assert shape_of(stroke).typical_px == pytest.approx(14, abs=0.1)  # distances 1 to 6, their mean 3.5, times four
    assert shape_of(cross).typical_px == pytest.approx(14, abs=0.5)
    assert shape_of(cross).width_px > 16
    assert shape_of(cross).context_px == 28
    assert shape_of(hole(200, 200, (60, 140, 60, 140))).context_px == 160


def test_rectangles_hold_every_hole_with_its_context_and_do_not_meet():
    mask = hole(600, 900, (20, 40, 30, 50), (60, 70, 60, 70), (500, 520, 800, 820))
    regions = regions_of(mask, around_px=64)
    assert regions == [Region(0, 135, 0, 135), Region(435, 585, 735, 885)]
    covered = np.zeros_like(mask)
    for region in regions:
        covered[region.slices] = True
    assert covered[mask].all()
    assert not regions[0].meets(regions[1])


def test_a_rectangle_around_a_scratch_is_no_strip():
    (region,) = regions_of(hole(400, 500, (200, 204, 100, 300)), around_px=16)
    assert region.size == (64, 234)  # the hole has grown by a pixel


def test_where_little_is_saved_the_whole_image_is_taken():
    assert regions_of(hole(200, 200, (90, 110, 90, 110)), around_px=64) == [Region(25, 175, 25, 175)]
    assert regions_of(hole(200, 200, (60, 140, 60, 140)), around_px=160) == [Region(0, 200, 0, 200)]
    assert regions_of(np.random.default_rng(0).random((200, 200)) < 0.3, around_px=64) == [Region(0, 200, 0, 200)]


def test_pixels_held_out_are_known_ones_near_the_hole():
    mask = hole(200, 220, (80, 120, 80, 120))
    held = hold_out_blocks(mask, share=0.02, seed=0)
    assert not (held & mask).any()
    rows, columns = np.nonzero(held)
    assert rows.min() >= 80 - 34
    assert columns.max() <= 120 + 34
    band = np.zeros_like(mask)
    band[48:152, 48:152] = True
    assert 0.02 < held.sum() / (band & ~mask).sum() < 0.12
    assert np.array_equal(held, hold_out_blocks(mask, share=0.02, seed=0))
    assert not np.array_equal(held, hold_out_blocks(mask, share=0.02, seed=1))


def test_what_little_is_known_is_not_held_out():
    for known in (2, 4):
        mask = np.ones((12, 14), bool)
        mask.flat[:: mask.size // known] = False
        assert not hold_out_blocks(mask, share=0.02, seed=0).any()


def test_of_a_noisy_image_a_pixel_is_held_out_however_small_it_is():
    counts = {int(hold_out_pixels((8, 8), share=0.02, seed=seed).sum()) for seed in range(20)}
    assert min(counts) == 1
    assert hold_out_pixels((100, 120), share=0.02, seed=0).mean() == pytest.approx(0.02, rel=0.2)


def test_the_noise_level_is_estimated():
    rng = np.random.default_rng(0)
    flat = np.full((120, 130), 0.5, np.float32)
    noisy = (flat + rng.normal(0, 0.1, flat.shape)).astype(np.float32)
    assert noise_level(flat) < 1e-6
    assert noise_level(noisy) == pytest.approx(0.1, rel=0.05)
