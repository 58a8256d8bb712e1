"""Lines as they are drawn: thin, without crumbs, moved a little, some left out."""

import numpy as np
import pytest
from scipy import ndimage

from inpaint.images.hand import moved, strokes_of, thinned, with_some_dropped, without_small

EVERY_SIDE = np.ones((3, 3))


@pytest.fixture
def crosses():
    """Two crosses of four arms each, and a crumb."""
    lines = np.zeros((60, 80), bool)
    for column in (20, 60):
        lines[10:51, column] = True
        lines[30, column - 15 : column + 16] = True
    lines[2, 2:5] = True
    return lines


def pieces(lines):
    return ndimage.label(lines, EVERY_SIDE)[1]


def test_thinned_lines_are_one_pixel_wide_and_in_one_piece(crosses):
    thick = ndimage.binary_dilation(crosses, EVERY_SIDE, iterations=2)
    thin = thinned(thick)
    assert pieces(thin) == pieces(thick)
    assert not ndimage.binary_erosion(thin, np.ones((2, 2))).any()
    assert thin.sum() < 0.3 * thick.sum()


def test_small_pieces_are_left_out_and_the_others_are_as_they_were(crosses):
    left = without_small(crosses, 4)
    assert np.array_equal(left[5:], crosses[5:])
    assert not left[:5].any()
    assert np.array_equal(without_small(crosses, 3), crosses)
    assert np.array_equal(without_small(crosses, 0), crosses)
    assert not without_small(crosses, 1000).any()


def test_moved_lines_stay_near_and_whole(crosses):
    there = moved(crosses, 3.0, np.random.default_rng(0))
    assert not np.array_equal(there, crosses)
    assert pieces(there) == pieces(crosses)
    for one, other in ((there, crosses), (crosses, there)):
        farthest = ndimage.distance_transform_edt(~other)[one].max()
        assert 0 < farthest < 3 * np.sqrt(2) + 1.5  # along both axes, and the width of a line
    assert np.array_equal(moved(crosses, 0, np.random.default_rng(0)), crosses)


def test_strokes_end_where_lines_meet(crosses):
    count, labels = strokes_of(crosses)
    assert count == 2 * 4 + 1
    assert labels[30, 20] == labels[30, 60] == 0
    assert len({labels[30, 10], labels[30, 30], labels[15, 20], labels[45, 20]}) == 4


@pytest.mark.parametrize("share", [0.0, 1 / 3, 1.0])
def test_that_share_of_the_strokes_is_dropped_whole(crosses, share):
    _, labels = strokes_of(crosses)
    left = with_some_dropped(crosses, share, np.random.default_rng(1))
    assert not (left & ~crosses).any()
    kept = [stroke for stroke in range(1, 10) if left[labels == stroke].any()]
    assert len(kept) == 9 - round(9 * share)
    assert all(left[labels == stroke].all() for stroke in kept)


def test_nothing_drawn_stays_nothing():
    nothing = np.zeros((5, 7), bool)
    rng = np.random.default_rng(0)
    for left in (
        thinned(nothing),
        without_small(nothing, 9),
        moved(nothing, 2, rng),
        with_some_dropped(nothing, 1, rng),
    ):
        assert left.shape == (5, 7)
        assert not left.any()
