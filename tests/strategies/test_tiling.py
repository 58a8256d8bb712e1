"""Tiles cover a hole, pass smoothly into each other and see what surrounds them."""

import numpy as np
import pytest

from inpaint.strategies.tiling import Canvas, tiles_of


def disc(height, width, radius):
    y, x = np.mgrid[:height, :width]
    return (y - height // 2) ** 2 + (x - width // 2) ** 2 <= radius**2


@pytest.mark.parametrize("shape", [(100, 140), (300, 200), (65, 64)])
def test_every_pixel_of_the_hole_has_weight_and_no_tile_reads_more_than_its_side(shape):
    hole = disc(*shape, min(shape) // 2)
    weight = np.zeros(shape)
    for tile in tiles_of(hole, 64, multiple_px=8):
        assert max(tile.window.size) <= 64 + 8
        assert tile.window.joined(tile.painted) == tile.window
        assert (tile.weights > 0).all()
        weight[tile.painted.slices] += tile.weights
    assert (weight[hole] > 0).all()


def test_weights_of_neighbors_pass_over_without_a_step():
    hole = np.ones((40, 400), bool)
    shares = []
    total = sum(np.pad(t.weights[20], (t.painted.left, 400 - t.painted.right)) for t in tiles_of(hole, 128))
    for tile in tiles_of(hole, 128):
        row = tile.weights[20]
        shares.append(row / total[tile.painted.left : tile.painted.right])
    steps = np.concatenate([np.abs(np.diff(share)) for share in shares])
    assert len(shares) > 3
    assert steps.max() < 0.2


def test_a_constant_is_painted_as_itself_whatever_the_weights():
    image, hole = np.zeros((150, 170, 3), np.float32), disc(150, 170, 70)
    canvas = Canvas(image, hole, hole)
    for tile in canvas.order(tiles_of(hole, 64)):
        canvas.paint(tile, np.full((*tile.window.size, 3), 0.75, np.float32))
    assert canvas.image[hole] == pytest.approx(0.75, abs=1e-6)
    assert not canvas.image[~hole].any()


def test_every_tile_sees_something_known_or_painted_even_deep_in_the_hole():
    hole = disc(400, 400, 190)
    canvas = Canvas(np.zeros((400, 400, 3)), hole, hole)
    tiles = tiles_of(hole, 64)
    assert any(hole[tile.window.slices].all() for tile in tiles)
    for tile in canvas.order(tiles):
        assert not canvas.unseen_by(tile).all()
        canvas.paint(tile, np.zeros((*tile.window.size, 3)))


def test_the_tiles_of_a_mirrored_hole_are_painted_from_the_rim_inwards_as_well():
    hole = np.zeros((60, 200), bool)
    hole[10:50, 60:] = True  # known on the left only
    for mask in (hole, hole[:, ::-1]):
        canvas = Canvas(np.zeros((60, 200, 3)), mask, mask)
        lefts = []
        for tile in canvas.order(tiles_of(mask, 64)):
            lefts.append(tile.painted.left)
            canvas.paint(tile, np.zeros((*tile.window.size, 3)))
        assert lefts in (sorted(lefts), sorted(lefts, reverse=True))


def test_what_other_parts_paint_is_hidden_and_not_painted():
    image = np.full((80, 80, 3), 0.5, np.float32)
    unknown, hole = np.zeros((80, 80), bool), np.zeros((80, 80), bool)
    unknown[20:60, 20:60] = hole[20:60, 20:40] = True
    (tile,) = tiles_of(hole, 160)
    canvas = Canvas(image, unknown, hole)
    assert np.array_equal(canvas.unseen_by(tile), unknown[tile.window.slices])
    canvas.paint(tile, np.zeros((*tile.window.size, 3)))
    assert (canvas.image[unknown & ~hole] == 0.5).all()
    assert not canvas.image[hole].any()
