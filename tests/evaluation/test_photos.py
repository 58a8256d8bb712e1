"""What every model is measured on: the seeds keep the meaning that they had when figures with them were published."""

import numpy as np
import pytest

from inpaint.evaluation.photos import Photos, draw_mask, fill_seed, mask_hash
from inpaint.masks import parse_mask


class Drawn:
    """Shows what the generator draws instead of a mask."""

    def draw(self, rng, height, width):
        return rng.integers(2**63, size=2).tolist()


@pytest.mark.parametrize(
    ("kind", "seed", "index", "numbers"),
    [
        ("deepfill", 0, 0, [3596594590030238046, 5923468181359401544]),
        ("deepfill", 7, 3, [4376361465996759843, 8975339303787824087]),
        ("center", 7, 3, [4322984788702677331, 3284333394109105028]),
    ],
)
def test_masks_are_those_of_earlier_versions(kind, seed, index, numbers):
    assert draw_mask(kind, Drawn(), seed=seed, index=index, height=1, width=2) == numbers


def test_fills_are_those_of_earlier_versions():
    seeds = [fill_seed(seed=seed, index=index) for seed, index in ((0, 0), (0, 1), (7, 3))]
    assert seeds == [571899677490518416, 7420979719776508969, 2905212148840771715]


def test_a_mask_is_a_function_of_kind_seed_and_number():
    mask = parse_mask("box")
    drawn = {
        (kind, seed, index): mask_hash(draw_mask(kind, mask, seed=seed, index=index, height=24, width=36))
        for kind in ("a", "b")
        for seed in (0, 1)
        for index in (0, 1)
    }
    assert len(set(drawn.values())) == 8
    assert mask_hash(draw_mask("a", mask, seed=1, index=0, height=24, width=36)) == drawn["a", 1, 0]


def test_a_hash_tells_masks_of_other_shapes_apart():
    assert mask_hash(np.zeros((4, 6), np.uint8)) != mask_hash(np.zeros((6, 4), np.uint8))


def test_photos_are_cut_to_their_middle_square_or_left_as_they_are(photo_folder):
    native, square = Photos(str(photo_folder)), Photos(str(photo_folder), size=16, count=2)
    assert [native.name(index) for index in range(len(native))] == ["a.png", "b.png", "c.png", "more/d.png"]
    assert native.read(3).shape == (36, 64, 3)
    assert (len(square), square.read(0).shape) == (2, (16, 16, 3))
    assert native.fingerprint() != square.fingerprint()
