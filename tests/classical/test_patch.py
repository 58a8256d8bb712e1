import logging

import numpy as np
import pytest
import torch

import inpaint
from inpaint.classical.biharmonic import biharmonic
from inpaint.classical.patch import patch_fill
from inpaint.classical.patchmatch import Patches, Search
from inpaint.errors import MaskError
from inpaint.types import StopFill


def box_hole(height, width, *boxes):
    hole = np.zeros((height, width), bool)
    for rows, columns in boxes:
        hole[rows, columns] = True
    return hole


def blanked(image, hole):
    return np.where(hole[..., None], 0.0, image)


def texture(height, width, side=16):
    """A random tile, laid out again and again."""
    tile = np.random.default_rng(1).random((side, side, 3))
    return np.tile(tile, (-(-height // side), -(-width // side), 1))[:height, :width]


def painted(image, hole, seed=0, **options):
    return patch_fill(blanked(image, hole), hole, rng=np.random.default_rng(seed), **options)


INSIDE = (slice(40, 64), slice(44, 68))


@pytest.mark.parametrize(
    "boxes", [[INSIDE], [(slice(0, 20), slice(30, 52))], [INSIDE, (slice(80, 96), slice(90, 112))]]
)
def test_a_periodic_texture_is_recovered(boxes):
    image, hole = texture(96, 112), box_hole(96, 112, *boxes)
    error = (painted(image, hole) - image)[hole]
    # Where the hole reaches the border, the mirrored image is no continuation of the texture.
    exact = np.abs(error).max(axis=1) < 1e-6
    assert exact.mean() > (0.999 if boxes == [INSIDE] else 0.7)


def test_every_pixel_of_the_hole_comes_from_the_image():
    """The last vote nearly chooses: of an image of two colors a hole gets these two, not their mixtures."""
    stripes = np.where((np.arange(96) // 4 % 2 == 0)[None, :, None], 0.1, 0.9) * np.ones((80, 96, 3))
    hole = box_hole(80, 96, (slice(30, 55), slice(30, 61)))
    filled = painted(stripes, hole)[hole]
    assert (np.minimum(np.abs(filled - 0.1), np.abs(filled - 0.9)) < 0.02).mean() > 0.95


def test_a_wide_hole_in_a_texture_is_filled_much_better_than_by_a_smooth_surface():
    rng = np.random.default_rng(0)
    image = np.clip(texture(96, 112) + rng.normal(0, 0.02, (96, 112, 3)), 0, 1)
    hole = box_hole(96, 112, INSIDE)
    errors = [
        np.square(fill - image)[hole].mean() for fill in (painted(image, hole), biharmonic(blanked(image, hole), hole))
    ]
    assert errors[0] < 0.05 * errors[1]


def test_a_seed_decides_the_fill_and_another_finds_another(make_photo):
    image, hole = make_photo(64, 72).astype(float) / 255, box_hole(64, 72, (slice(20, 44), slice(20, 50)))
    first, again, other = (painted(image, hole, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_known_pixels_stay_and_the_holes_content_is_never_looked_at(make_photo):
    image, hole = make_photo(48, 56).astype(float) / 255, box_hole(48, 56, (slice(10, 30), slice(20, 56)))
    expected = painted(image, hole)
    assert np.array_equal(expected[~hole], image[~hole])
    batch, mask = torch.from_numpy(image).movedim(-1, 0)[None].float(), torch.from_numpy(hole)[None, None].float()
    fill = inpaint.load("patch", device="cpu")
    results = [fill.fill(batch.masked_fill(mask > 0, content), mask)[0].completed for content in (0.0, 1.0, torch.nan)]
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("size", [(48, 56), (21, 5)])
def test_where_nothing_can_be_copied_the_fill_is_biharmonic_with_a_warning(size, make_photo, caplog):
    image = make_photo(*size).astype(float) / 255
    hole = np.ones(size, bool)
    hole[::4, ::4] = False
    with caplog.at_level(logging.WARNING, logger="inpaint.classical"):
        filled = painted(image, hole)
    assert np.array_equal(filled, biharmonic(blanked(image, hole), hole))
    assert "no 7 x 7 pixels of the image are free of holes" in caplog.text


def test_a_request_to_stop_leaves_what_there_is_at_full_size(make_photo):
    image, hole = make_photo(90, 101).astype(float) / 255, box_hole(90, 101, (slice(20, 70), slice(30, 80)))
    shares = []

    def stop(share):
        shares.append(share)
        raise StopFill

    stopped = painted(image, hole, report=stop)
    assert len(shares) == 1
    assert stopped.shape == image.shape
    assert np.array_equal(stopped[~hole], image[~hole])
    assert np.isfinite(stopped).all()
    assert stopped[hole].std() > 0.01
    done = []
    painted(image, hole, report=done.append)
    assert done == sorted(done)
    assert 0 < done[0] < done[-1] <= 1


def test_samples_differ_and_the_first_does_not_depend_on_their_number(make_photo):
    image = torch.from_numpy(np.stack([make_photo(40, 48, s) for s in (0, 1)])).movedim(-1, 1).float() / 255
    mask = torch.zeros(2, 1, 40, 48)
    mask[..., 10:30, 12:36] = 1
    fill = inpaint.load("patch", device="cpu")
    one, two = fill.fill(image, mask, seed=5), fill.fill(image, mask, seed=5, samples=2)
    assert torch.equal(one[0].completed, two[0].completed)
    assert not torch.equal(two[0].completed, two[1].completed)
    alone = fill.fill(image[1:], mask[1:], seed=[7])[0].completed
    assert torch.equal(alone, fill.fill(image, mask, seed=[3, 7])[0].completed[1:])


def test_progress_counts_to_the_end(make_photo):
    image = torch.from_numpy(make_photo(64, 70)).movedim(-1, 0)[None].float() / 255
    mask = torch.zeros(1, 1, 64, 70)
    mask[..., 10:40, 12:46] = 1
    seen = []
    inpaint.load("patch", device="cpu").fill(image, mask, samples=2, progress=seen.append)
    assert [step.done for step in seen] == sorted({step.done for step in seen})
    assert (seen[-1].done, seen[-1].total) == (200, 200)
    assert len(seen) > 4


def test_an_image_that_is_all_hole_is_refused():
    with pytest.raises(MaskError, match="patch works from known pixels, but the mask of image 0 is all hole"):
        inpaint.load("patch", device="cpu").fill(torch.zeros(1, 3, 9, 9), torch.ones(1, 1, 9, 9))


def test_patches_are_those_around_their_centers():
    values = np.random.default_rng(0).random((11, 13, 2), dtype=np.float32)
    rows, columns = np.array([2, 8, 5]), np.array([2, 10, 7])
    found = Patches(values, 5).at(rows * 13 + columns)
    for patch, row, column in zip(found, rows, columns, strict=True):
        assert np.array_equal(patch, values[row - 2 : row + 3, column - 2 : column + 3].ravel())


def test_the_search_finds_what_looking_everywhere_finds():
    """Costs are those of a plain double loop, and nearly all matches the best there are."""
    rng = np.random.default_rng(0)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(40, 44, 2)), axis=0), axis=1)
    values = (smooth / np.abs(smooth).max()).astype(np.float32)
    weights = rng.uniform(0.1, 1, (40, 44)).astype(np.float32)
    inside, legal = np.zeros((40, 44), bool), np.zeros((40, 44), bool)
    inside[10:20, 12:22] = True
    legal[2:38, 24:42] = True
    targets, sources = np.flatnonzero(inside), np.flatnonzero(legal)
    search = Search(values, weights, targets, legal, rng.choice(sources, len(targets)), side=5)
    for _ in range(8):
        search.improve(rng, jumps=(2, 1), radii=(32, 16, 8, 4, 2, 1))

    def patch(plane, center):
        row, column = divmod(int(center), 44)
        return plane[row - 2 : row + 3, column - 2 : column + 3].astype(float)

    share = {s: patch(values, s) for s in sources}
    best = []
    for target, found, cost in zip(targets, search.sources, search.costs, strict=True):
        wanted, weight = patch(values, target), patch(weights, target)[..., None]
        costs = {s: float((weight * np.square(p - wanted)).sum() / weight.sum()) for s, p in share.items()}
        assert cost == pytest.approx(costs[found], rel=1e-4, abs=1e-9)
        best.append(cost <= 1.02 * min(costs.values()) + 1e-9)
    assert np.mean(best) > 0.8
