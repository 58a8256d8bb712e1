"""Rectangles: their arithmetic against masks that are painted with them."""

import itertools

import numpy as np
import pytest
import torch

from inpaint.images.regions import Region, merged

SHAPE = (12, 17)


def painted(*regions):
    mask = np.zeros(SHAPE, bool)
    for region in regions:
        mask[region.slices] = True
    return mask


def some(count, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        top, left = rng.integers(0, SHAPE[0] - 1), rng.integers(0, SHAPE[1] - 1)
        bottom, right = rng.integers(top + 1, SHAPE[0] + 1), rng.integers(left + 1, SHAPE[1] + 1)
        yield Region(int(top), int(bottom), int(left), int(right))


def test_area_size_and_slices_are_those_of_the_mask():
    for region in some(50):
        mask = painted(region)
        assert region.area == mask.sum()
        assert mask[region.slices].shape == region.size
        assert torch.from_numpy(mask)[None, None][..., *region.slices].shape[-2:] == region.size
        assert Region.around(mask) == region
        assert Region.of_slices(*region.slices) == region
    assert Region.whole((5, 7, 3)) == Region(0, 5, 0, 7)


def test_an_empty_mask_has_no_bounding_box():
    with pytest.raises(ValueError, match="empty mask"):
        Region.around(np.zeros(SHAPE, bool))


def test_regions_meet_where_they_share_a_pixel_and_are_joined_by_their_bounding_box():
    for one, other in itertools.combinations(some(30), 2):
        assert one.meets(other) == other.meets(one) == bool((painted(one) & painted(other)).any())
        assert one.joined(other) == Region.around(painted(one, other))
    first, *rest = some(4)
    assert first.joined(*rest) == Region.around(painted(first, *rest))


def test_growing_stays_inside_and_reaches_a_least_side():
    region = Region(2, 5, 10, 14)
    assert region.grown(0, SHAPE) == region
    assert region.grown(3, SHAPE) == Region(0, 8, 7, 17)
    assert region.grown(1, (50, 60), least_px=8) == Region(0, 8, 8, 16)
    assert region.grown(0, SHAPE, least_px=9) == Region(0, 8, 7, 17)
    # An odd rest is shared as one more on both sides.
    assert Region(20, 23, 20, 24).grown(0, (50, 60), least_px=8) == Region(17, 26, 18, 26)


def test_merged_regions_do_not_meet_and_hold_all_that_was_given():
    for seed in range(30):
        given = list(some(6, seed))
        found = merged(given)
        assert not any(one.meets(other) for one, other in itertools.combinations(found, 2))
        assert (painted(*found) | ~painted(*given)).all()
        assert found == sorted(found, key=lambda region: (region.top, region.left))
    apart = [Region(5, 7, 8, 9), Region(0, 2, 0, 3)]
    assert merged(apart) == apart[::-1]
