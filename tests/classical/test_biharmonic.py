import logging

import numpy as np
import pytest
import torch
from scipy.sparse import diags_array as diagonals
from scipy.sparse import eye_array, kron
from scipy.sparse.linalg import spsolve
from skimage.restoration import inpaint_biharmonic

import inpaint
import inpaint.classical.biharmonic as module
from inpaint.classical.biharmonic import biharmonic
from inpaint.errors import MaskError
from inpaint.types import StopFill


def plane(height, width):
    """An image that is linear in x and y, another slope in each channel."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    return np.stack([0.1 + 0.01 * x, 0.9 - 0.015 * y, 0.2 + 0.004 * x + 0.006 * y], axis=-1)


def waves(height, width):
    y, x = np.mgrid[0:height, 0:width].astype(float)
    return np.stack([0.5 + 0.4 * np.sin(x / 19 + y / 31), 0.5 + 0.3 * np.cos(y / 17), x / width], axis=-1)


def box_hole(height, width, *boxes):
    hole = np.zeros((height, width), bool)
    for rows, columns in boxes:
        hole[rows, columns] = True
    return hole


def blanked(image, hole):
    return np.where(hole[..., None], 0.0, image)


INSIDE = (slice(8, 30), slice(10, 41))
STROKE = (slice(20, 24), slice(4, 50))


@pytest.mark.parametrize("box", [INSIDE, STROKE])
def test_a_slope_is_continued_exactly(box):
    image, hole = plane(40, 56), box_hole(40, 56, box)
    assert np.abs(biharmonic(blanked(image, hole), hole) - image).max() < 1e-12


def test_a_strip_is_the_cubic_through_the_values_and_slopes_at_its_ends():
    """Across an endless strip nothing changes along y, so u'''' = 0: the cubic through two points each side."""
    known = {0: 0.3, 1: 0.35, 2: 0.38, 11: 0.6, 12: 0.55, 13: 0.52}
    image = np.zeros((9, 14, 3))
    for column, value in known.items():
        image[:, column] = value
    hole = box_hole(9, 14, (slice(0, 9), slice(3, 11)))
    columns = [1, 2, 11, 12]
    cubic = np.polynomial.Polynomial.fit(columns, [known[c] for c in columns], 3)
    want = np.clip(cubic(np.arange(3, 11)), min(known.values()), max(known.values()))
    got = biharmonic(image, hole)
    # Mirrored above and below, the strip is endless.
    assert np.allclose(got[:, 3:11], want[None, :, None], rtol=0, atol=1e-10)


def test_inside_an_image_it_is_scikit_image_to_the_last_digits_but_for_the_range():
    rng = np.random.default_rng(0)
    image, hole = waves(40, 56), rng.random((40, 56)) < 0.2
    hole |= box_hole(40, 56, INSIDE)
    theirs = inpaint_biharmonic(blanked(image, hole), hole, channel_axis=-1)
    assert np.allclose(biharmonic(blanked(image, hole), hole), theirs, rtol=0, atol=1e-10)


def test_the_image_is_mirrored_at_its_border(monkeypatch):
    """The fill of an image equals the fill of the image laid out with mirrored copies on all sides."""
    image = waves(30, 34)
    image[18, 12:14] = [[0.0], [1.0]]  # far from the holes: so that no range cuts anything
    monkeypatch.setattr(module, "clip_to_range", lambda *_: None)
    hole = box_hole(30, 34, (slice(0, 7), slice(0, 9)), (slice(12, 20), slice(28, 34)), (slice(29, 30), slice(10, 20)))
    alone = biharmonic(blanked(image, hole), hole)
    around = ((30, 30), (34, 34))
    mirrored, gaps = np.pad(image, (*around, (0, 0)), mode="symmetric"), np.pad(hole, around, mode="symmetric")
    system = _stencil_solution(mirrored, gaps)[30:60, 34:68]
    assert np.allclose(alone, system, rtol=0, atol=1e-9)


def _stencil_solution(image, hole):
    """Solve the 13-point stencil written as a matrix; the far border does not matter."""
    height, width = hole.shape

    def second(n):
        return diagonals([1.0, -2.0, 1.0], offsets=[-1, 0, 1], shape=(n, n))

    laplacian = kron(eye_array(height), second(width)) + kron(second(height), eye_array(width))
    stencil = (laplacian @ laplacian).tocsr()
    gaps = hole.ravel()
    rows = stencil[gaps]
    values = image.reshape(-1, 3).copy()
    values[gaps] = spsolve(rows[:, gaps].tocsc(), -(rows[:, ~gaps] @ values[~gaps]))
    return values.reshape(image.shape)


def test_each_hole_stays_within_the_range_of_the_known_pixels_around_it():
    # Slopes at both sides of two holes that a free surface would continue far above and below.
    image = np.full((60, 110, 3), 0.5)
    image[:, 12:18] = np.linspace(0.5, 0.7, 6)[:, None]
    image[:, 38:44] = np.linspace(0.7, 0.5, 6)[:, None]
    image[:, 58:64] = np.linspace(0.5, 0.2, 6)[:, None]
    image[:, 84:90] = np.linspace(0.2, 0.5, 6)[:, None]
    hole = box_hole(60, 110, (slice(10, 50), slice(18, 38)), (slice(10, 50), slice(64, 84)))
    image[0, 50:52] = [[0.0], [1.0]]  # far away: the range of the whole image
    free = inpaint_biharmonic(blanked(image, hole), hole, channel_axis=-1)
    assert free.max() > 0.75
    assert free[hole].min() < 0.15
    filled = biharmonic(blanked(image, hole), hole)
    assert filled[10:50, 18:38].max() == 0.7
    assert filled[10:50, 64:84].min() == 0.2


@pytest.mark.parametrize("limits", [{"LARGEST_PX": 200}, {"WINDOW_PX": 500}])
def test_holes_solved_apart_give_the_same_as_together(monkeypatch, limits):
    image = waves(70, 90)
    hole = box_hole(70, 90, *[(slice(r, r + 8), slice(c, c + 9)) for r in (0, 20, 62) for c in (3, 40, 81)])
    together = biharmonic(blanked(image, hole), hole)
    for name, value in limits.items():
        monkeypatch.setattr(module, name, value)
    calls = []
    monkeypatch.setattr(module, "inpaint_biharmonic", lambda *a, **k: calls.append(1) or inpaint_biharmonic(*a, **k))
    assert np.allclose(biharmonic(blanked(image, hole), hole), together, rtol=0, atol=1e-12)
    assert len(calls) > 1


def test_a_hole_with_scattered_known_pixels_that_is_too_large_for_one_solve_is_solved_in_parts(monkeypatch, caplog):
    image, hole = waves(120, 150), np.random.default_rng(1).random((120, 150)) < 0.7
    exact = biharmonic(blanked(image, hole), hole)
    monkeypatch.setattr(module, "LARGEST_PX", 2000)
    monkeypatch.setattr(module, "TILE_PX", 48)
    parts = biharmonic(blanked(image, hole), hole)
    assert np.abs(parts - exact).max() < 1e-4
    assert caplog.records == []


def test_a_wide_hole_that_is_too_large_for_one_solve_is_filled_from_a_smaller_image(monkeypatch, caplog):
    image, hole = plane(120, 150) / 2 + 0.25, box_hole(120, 150, (slice(20, 100), slice(25, 120)))
    monkeypatch.setattr(module, "LARGEST_PX", 3000)
    monkeypatch.setattr(module, "TILE_PX", 48)
    with caplog.at_level(logging.WARNING, logger="inpaint.classical"):
        parts = biharmonic(blanked(image, hole), hole)
    assert np.abs(parts - image).max() < 1e-9
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "biharmonic: the hole is too large to be solved at once"
    ]
    assert np.array_equal(parts[~hole], image[~hole])


@pytest.fixture
def batch(make_photo):
    pixels = np.stack([make_photo(40, 56, seed) for seed in range(2)])
    mask = torch.zeros(2, 1, 40, 56)
    mask[0, :, :9, :12] = 1
    mask[1, :, ::6] = 1
    return torch.from_numpy(pixels).movedim(-1, 1).float() / 255, mask


@pytest.mark.parametrize("content", [0.0, 1.0, torch.nan, 1e30])
def test_the_holes_content_is_never_looked_at_and_known_pixels_stay(batch, content):
    image, mask = batch
    fill = inpaint.load("biharmonic", device="cpu")
    (expected,) = fill.fill(image, mask)
    (got,) = fill.fill(image.masked_fill(mask > 0, content), mask)
    assert torch.equal(got.completed, expected.completed)
    known = mask.expand_as(image) == 0
    assert torch.equal(got.completed[known], image[known])


def test_depth_beyond_8_bit_is_kept():
    image = torch.from_numpy(plane(40, 56)).movedim(-1, 0)[None].float()
    mask = torch.from_numpy(box_hole(40, 56, INSIDE)).float()[None, None]
    (result,) = inpaint.load("biharmonic", device="cpu").fill(image, mask)
    assert (result.completed - image).abs().max() < 0.05 / 65535 + 1e-6


def test_an_image_that_is_all_hole_is_refused(batch):
    image, mask = batch
    mask[1] = 1
    with pytest.raises(MaskError, match="works from known pixels, but the mask of image 1 is all hole"):
        inpaint.load("biharmonic", device="cpu").fill(image, mask)


def test_one_known_pixel_is_enough():
    image, mask = torch.full((1, 3, 8, 9), 0.25), torch.ones(1, 1, 8, 9)
    mask[..., 3, 4] = 0
    (result,) = inpaint.load("biharmonic", device="cpu").fill(image, mask)
    assert (result.completed - 0.25).abs().max() < 1e-6


def test_a_request_to_stop_leaves_usable_images(batch):
    image, mask = batch
    fill = inpaint.load("biharmonic", device="cpu")
    whole = fill.fill(image, mask)[0].completed

    def stop(progress):
        assert 0 < progress.done <= progress.total
        raise StopFill

    stopped = fill.fill(image, mask, progress=stop)[0].completed
    assert torch.equal(stopped[0], whole[0])
    known = image[1][:, mask[1, 0] == 0].mean(dim=1)
    assert torch.allclose(stopped[1][:, mask[1, 0] > 0], known[:, None], atol=1e-6)
