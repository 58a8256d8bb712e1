import numpy as np
import pytest

from inpaint.blending.placing import Placement, continued, place
from inpaint.errors import MaskError, UsageError

RNG = np.random.default_rng(0)
SOURCE = RNG.random((6, 9, 3), dtype=np.float32)
MASK = np.zeros((6, 9), bool)
MASK[1:5, 2:8] = True
MASK[2:4, 4:6] = False  # a hole


def ramp(height, width):
    rows, columns = np.mgrid[:height, :width] / 100
    return np.stack([rows, columns, rows + columns], axis=2).astype(np.float32)


def test_a_source_of_the_target_s_size_stays_where_it_is():
    placed = place(SOURCE, MASK, (6, 9))
    assert np.array_equal(placed.source, SOURCE)
    assert np.array_equal(placed.mask, MASK)
    assert placed.outside_share == 0


@pytest.mark.parametrize("at", [(0, 0), (3, 2), (-4, -2), (8, 5), (-2, 6)])
def test_at_is_the_source_s_top_left_corner_and_the_frame_crops(at):
    x, y = at
    placed = place(SOURCE, MASK, (8, 12), Placement(at=at))
    expected, colors = np.zeros((8, 12), bool), np.zeros((8, 12, 3), np.float32)
    for row, column in np.argwhere(MASK):
        if 0 <= row + y < 8 and 0 <= column + x < 12:
            expected[row + y, column + x] = True
            colors[row + y, column + x] = SOURCE[row, column]
    assert np.array_equal(placed.mask, expected)
    assert np.array_equal(placed.source[expected], colors[expected])
    assert placed.outside_share == pytest.approx(1 - expected.sum() / MASK.sum())


def test_beyond_its_border_a_source_is_continued_by_it():
    placed = place(SOURCE, MASK, (10, 13), Placement(at=(2, 2)))
    assert np.array_equal(placed.source, np.pad(SOURCE, ((2, 2), (2, 2), (0, 0)), mode="edge"))


def test_a_source_larger_than_the_target_covers_it():
    placed = place(SOURCE, np.ones((6, 9), bool), (3, 4))
    assert placed.mask.all()
    assert np.array_equal(placed.source, SOURCE[2:5, 3:7])
    assert placed.outside_share == pytest.approx(1 - 12 / 54)


@pytest.mark.parametrize("quarters", [1, 2, 3, -1, 5])
def test_right_angles_turn_counterclockwise_without_interpolation(quarters):
    turned = np.rot90(SOURCE, quarters % 4)
    placed = place(SOURCE, MASK, turned.shape[:2], Placement(rotate=90.0 * quarters))
    assert np.array_equal(placed.source, turned)
    assert np.array_equal(placed.mask, np.rot90(MASK, quarters % 4))


def test_a_turn_by_any_angle_goes_the_way_of_right_angles():
    source = ramp(41, 41)
    exact = place(source, np.ones((41, 41), bool), (41, 41), Placement(rotate=90))
    near = place(source, np.ones((41, 41), bool), (41, 41), Placement(rotate=89.99, at=(0, 0)))
    assert np.abs(exact.source - near.source)[5:-5, 5:-5].max() < 6e-3  # the box is a pixel wider


@pytest.mark.parametrize("scale", [0.5, 2.0, 3.3])
def test_scaling_keeps_colors_in_their_place_and_the_object_s_share(scale):
    source, mask = ramp(40, 60), np.zeros((40, 60), bool)
    mask[10:30, 20:50] = True
    size = round(40 * scale), round(60 * scale)
    placed = place(source, mask, size, Placement(scale=scale))
    rows, columns = (np.mgrid[: size[0], : size[1]] + 0.5) / scale - 0.5
    expected = np.stack([rows, columns, rows + columns], axis=2) / 100
    inner = np.s_[8:-8, 8:-8]
    assert np.abs(placed.source - expected)[inner].max() < 1e-3
    assert placed.mask.mean() == pytest.approx(mask.mean(), rel=0.03)
    assert placed.outside_share < 0.03


def test_a_rotated_box_lies_with_its_corner_at_the_place():
    mask = np.ones((40, 40), bool)
    placed = place(np.zeros((40, 40, 3), np.float32), mask, (100, 100), Placement(at=(10, 20), rotate=45))
    rows, columns = (np.flatnonzero(placed.mask.any(axis=axis)) for axis in (1, 0))
    side = 40 * 2**0.5
    assert (rows[0], columns[0]) == (pytest.approx(20, abs=2), pytest.approx(10, abs=2))
    assert (rows[-1], columns[-1]) == (pytest.approx(20 + side, abs=2), pytest.approx(10 + side, abs=2))
    assert placed.mask.sum() == pytest.approx(1600, rel=0.02)


def test_one_pixel_is_an_object_until_it_vanishes():
    mask = np.zeros((6, 9), bool)
    mask[3, 4] = True
    assert place(SOURCE, mask, (20, 20), Placement(at=(5, 5))).mask[8, 9]
    assert place(SOURCE, mask, (20, 20), Placement(scale=3)).mask.sum() in range(5, 10)
    for rotate in (30, 45, 60):
        assert 1 <= place(SOURCE, mask, (20, 20), Placement(rotate=rotate)).mask.sum() <= 4
    with pytest.raises(MaskError, match="nothing of the object is left at this scale"):
        place(SOURCE, mask, (20, 20), Placement(scale=0.3))


@pytest.mark.parametrize(
    "placement", [Placement(at=(20, 0)), Placement(at=(0, -6)), Placement(at=(0, 90), rotate=10, scale=2)]
)
def test_an_object_outside_of_the_target_is_refused_with_where_it_lies(placement):
    with pytest.raises(MaskError, match=r"wholly outside of the target: at x -?\d+ to -?\d+, y .* 20 x 20 pixels"):
        place(SOURCE, MASK, (20, 20), placement)


def test_an_empty_mask_is_no_object():
    with pytest.raises(MaskError, match="no object"):
        place(SOURCE, np.zeros((6, 9), bool), (20, 20))


@pytest.mark.parametrize("given", [{"scale": 0}, {"scale": float("nan")}, {"rotate": float("inf")}, {"at": (2**40, 0)}])
def test_numbers_out_of_range_are_refused(given):
    with pytest.raises(UsageError, match=next(iter(given))):
        Placement(**given)


def test_what_is_unknown_gets_the_nearest_known_color():
    known = np.zeros((6, 9), bool)
    known[:, 3] = True
    assert np.array_equal(continued(SOURCE, known), np.repeat(SOURCE[:, 3:4], 9, axis=1))
    assert continued(SOURCE, ~np.zeros((6, 9), bool)) is SOURCE
    assert continued(SOURCE, np.zeros((6, 9), bool)) is SOURCE
