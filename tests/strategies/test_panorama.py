"""Photos that go around: nobody can tell where they were cut open."""

import numpy as np
import pytest

from inpaint.fills.array_fill import ArrayFill
from inpaint.images.regions import Region
from inpaint.registry.loading import load
from inpaint.strategies.options import StrategyOptions
from inpaint.strategies.panorama import Panorama
from inpaint.strategies.wrapper import StrategicFill
from inpaint.types import Capabilities


def hole_of(width, *spans, height=60):
    hole = np.zeros((height, width), bool)
    for left, right in spans:
        hole[20:40, np.arange(left, right) % width] = True
    return hole


def filled(inpainter, image, hole):
    (fill,) = inpainter.fill_arrays(image[None], hole[None, ..., None].astype(np.float32))
    return fill.completed[0]


@pytest.mark.parametrize(
    ("spans", "start", "more"),
    [
        ([(50, 100)], 175, 0),  # 150 free columns from 100 on, around the end: the middle is 175
        ([(-20, 20)], 100, 0),
        ([(0, 95), (105, 200)], 100, 25),  # ten free columns, 30 wanted
    ],
)
def test_a_panorama_is_cut_open_where_most_columns_have_no_hole(spans, start, more):
    layout = Panorama.of(hole_of(200, *spans), 30)
    assert (layout.start, layout.more_px) == (start, more)


def test_what_is_laid_out_is_cut_out_alike_and_rolls_up_again():
    image = np.random.default_rng(0).random((60, 200, 3))
    hole = hole_of(200, (0, 95), (105, 200))
    layout = Panorama.of(hole, 30)
    flat = layout.laid_out(image)
    assert flat.shape == (60, 250, 3)
    for region in (Region(0, 60, 0, 250), Region(3, 9, 0, 30), Region(3, 9, 200, 250), Region(0, 5, 100, 150)):
        assert np.array_equal(layout.cut(lambda r: image[r.slices])(region), flat[region.slices])
    assert np.array_equal(layout.rolled_up(flat, hole), image)
    assert np.count_nonzero(layout.to_fill(hole)) == np.count_nonzero(hole)


@pytest.mark.parametrize("strategy", ["original", "crop", "tile", "resize"])
@pytest.mark.parametrize("seam", ["none", "poisson"])
def test_a_panorama_that_begins_elsewhere_is_filled_the_same(strategy, seam, make_photo):
    image, hole = make_photo(60, 200).astype(np.float32) / 255, hole_of(200, (185, 225), (90, 100))
    inpainter = load("telea", strategy=strategy, seam=seam, wrap=True, resize_limit=100, tile_size=32)
    expected = filled(inpainter, image, hole)
    assert np.array_equal(expected[~hole], image[~hole])
    for shift in (37, 120):
        turned = filled(inpainter, np.roll(image, shift, axis=1), np.roll(hole, shift, axis=1))
        assert np.array_equal(turned, np.roll(expected, shift, axis=1))


def test_a_hole_at_the_end_sees_what_lies_behind_it():
    image = np.zeros((60, 200, 3), np.float32)
    image[:, :100] = 1.0  # the left half is white, so the right end has white behind it
    hole = hole_of(200, (180, 200))
    flat, around = (filled(load("biharmonic", strategy="crop", wrap=wrap), image, hole) for wrap in (False, True))
    assert flat[30, 199].max() < 0.3
    assert around[30, 199].min() > 0.7


def test_the_ends_of_a_hole_that_goes_all_around_meet():
    class Ramp(ArrayFill):
        """Paints a ramp from left to right, whatever it sees: the worst that can be at the ends."""

        name = "ramp"
        capabilities = Capabilities(smallest_px=1, context_px=32)

        def paint(self, image, hole, context):
            return np.broadcast_to(np.linspace(0, 1, image.shape[1])[None, :, None], image.shape)

    image, hole = np.full((60, 200, 3), 0.5, np.float32), hole_of(200, (0, 200))
    jumps = []
    for wrap in (False, True):
        result = filled(StrategicFill(Ramp(), StrategyOptions(wrap=wrap)), image, hole)[30, :, 0]
        jumps.append(abs(float(result[0] - result[-1])))
        assert np.array_equal(
            filled(StrategicFill(Ramp(), StrategyOptions(wrap=wrap)), image, hole)[~hole], image[~hole]
        )
    assert jumps[0] > 0.9
    assert jumps[1] < 0.02
