"""Borders of holes: known pixels never change, and what each option promises inside."""

import numpy as np
import pytest

from inpaint.fills.array_fill import ArrayFill
from inpaint.registry.loading import load
from inpaint.strategies.options import StrategyOptions
from inpaint.strategies.seams import mended, seam_windows
from inpaint.strategies.wrapper import StrategicFill
from inpaint.types import Capabilities

SEAMS = ("feather", "color", "poisson", "multiband")


def ellipse(height, width, y, x, vertical, horizontal):
    rows, columns = np.mgrid[:height, :width]
    return ((rows - y) / vertical) ** 2 + ((columns - x) / horizontal) ** 2 <= 1


HOLE = ellipse(90, 120, 45, 60, 25, 40)
ROWS, COLUMNS = np.mgrid[:90, :120].astype(np.float32)
SMOOTH = (0.5 + 0.2 * np.sin(ROWS / 40 + np.arange(3)[:, None, None]) * np.cos(COLUMNS / 50)).transpose(1, 2, 0).copy()
IMAGE = np.random.default_rng(0).uniform(0.2, 0.8, (90, 120, 3)).astype(np.float32)


def rim_of(hole):
    """Return the hole's pixels that have a known neighbor."""
    known = np.pad(~hole, 1, constant_values=False)
    beside = known[:-2, 1:-1] | known[2:, 1:-1] | known[1:-1, :-2] | known[1:-1, 2:]
    return hole & beside


class Offset(ArrayFill):
    """Paints the truth, everywhere too dark by an offset and with less contrast, as an imperfect network would."""

    name = "offset"
    capabilities = Capabilities(smallest_px=1)

    def __init__(self, truth, offset=-0.1, contrast=1.0):
        self.truth, self.offset, self.contrast = truth, offset, contrast

    def paint(self, image, hole, context):
        return 0.5 + self.contrast * (self.truth - 0.5) + self.offset

    def paint_all(self, request):
        for painted in super().paint_all(request):
            raw = self.paint(None, None, None).transpose(2, 0, 1)[None].astype(np.float32)
            yield {**painted, "raw": raw}


@pytest.mark.parametrize("seam", SEAMS)
@pytest.mark.parametrize("strategy", ["original", "resize", "crop", "tile"])
@pytest.mark.parametrize("name", ["telea", "mean"])
def test_known_pixels_are_unchanged_bit_for_bit(seam, strategy, name):
    image, mask = IMAGE[None], HOLE[None, ..., None].astype(np.float32)
    hidden = np.where(mask == 1, np.float32(np.nan), image)
    asked = {"resize_limit": 50, "tile_size": 40, "crop_margin": 6}
    (fill,) = load(name, strategy=strategy, seam=seam, **asked).fill_arrays(hidden, mask)
    assert np.array_equal(fill.completed[0][~HOLE], IMAGE[~HOLE])
    assert np.isfinite(fill.completed).all()
    assert fill.strategy.endswith(f"seam {seam}")


@pytest.mark.parametrize("seam", SEAMS)
def test_an_offset_that_the_fill_paints_everywhere_is_taken_out_at_the_rim(seam):
    fill = StrategicFill(Offset(SMOOTH), StrategyOptions(strategy="original", seam=seam))
    (filled,) = fill.fill_arrays(SMOOTH[None], HOLE[None, ..., None].astype(np.float32))
    error = np.abs(filled.completed[0] - SMOOTH)[rim_of(HOLE)].mean()
    assert error < 0.06  # of 0.1


@pytest.mark.parametrize(("seam", "image", "error"), [("color", IMAGE, 1e-4), ("poisson", SMOOTH, 0.02)])
def test_color_and_poisson_take_an_offset_out_of_the_whole_hole(seam, image, error):
    fill = StrategicFill(Offset(image), StrategyOptions(strategy="original", seam=seam))
    (filled,) = fill.fill_arrays(image[None], HOLE[None, ..., None].astype(np.float32))
    assert filled.completed[0][HOLE] == pytest.approx(image[HOLE], abs=error)


def test_color_gives_contrast_back_within_bounds():
    for contrast, left in ((0.8, 0), (0.4, 0.4)):
        fill = StrategicFill(Offset(IMAGE, 0, contrast), StrategyOptions(strategy="original", seam="color"))
        (filled,) = fill.fill_arrays(IMAGE[None], HOLE[None, ..., None].astype(np.float32))
        ratio = filled.completed[0][HOLE].std() / IMAGE[HOLE].std()
        assert ratio == pytest.approx(1 - left, abs=0.02)


@pytest.mark.parametrize("seam", ["feather", "multiband"])
def test_what_lies_deep_in_the_hole_stays_as_it_was_painted(seam):
    hole = ellipse(300, 300, 150, 150, 120, 120)
    truth = np.full((300, 300, 3), 0.5, np.float32)
    painted = truth - np.float32(0.1)
    found = mended(seam, truth, hole, hole, painted)
    assert found[150, 150] == pytest.approx(0.4, abs=1e-3)
    profile = found[30:150, 150, 0]  # from the rim to the middle
    assert profile[0] > 0.44
    assert (np.diff(profile) <= 1e-3).all()
    assert np.abs(np.diff(profile)).max() < 0.02


def test_feather_meets_the_known_colors_at_the_rim():
    found = mended(
        "feather", np.full((60, 60, 3), 0.7), *[ellipse(60, 60, 30, 30, 20, 20)] * 2, np.full((60, 60, 3), 0.3)
    )
    assert np.abs(found[rim_of(ellipse(60, 60, 30, 30, 20, 20))] - 0.7).max() < 0.02


@pytest.mark.parametrize("seam", SEAMS)
def test_a_fill_without_a_border_stays_as_it_is(seam):
    smooth = np.full(IMAGE.shape, 0.25, np.float32)
    assert mended(seam, smooth, HOLE, HOLE, smooth)[HOLE] == pytest.approx(0.25, abs=1e-5)


@pytest.mark.parametrize("seam", SEAMS)
def test_other_holes_have_no_part_in_it_whatever_stands_there(seam):
    hole, other = ellipse(90, 160, 45, 40, 20, 20), ellipse(90, 160, 45, 100, 15, 15)
    image = np.random.default_rng(1).uniform(0, 1, (90, 160, 3)).astype(np.float32)
    painted = np.clip(image + 0.1, 0, 1)
    found = []
    for value in (0.0, np.nan):
        shown = np.where((hole | other)[..., None], np.float32(value), image)
        found.append(mended(seam, shown, hole | other, hole, painted))
    assert np.array_equal(found[0][hole], found[1][hole])


def test_every_hole_pixel_lies_in_one_window():
    hole = np.zeros((400, 500), bool)
    hole[10:30, 10:30] = hole[200:210, 300:480] = hole[390:, 490:] = True
    count = np.zeros(hole.shape, int)
    for window, inside in seam_windows(hole):
        count[window.slices] += inside
    assert np.array_equal(count, hole)


@pytest.mark.parametrize("seam", SEAMS)
def test_a_hole_without_anything_known_is_left_as_painted(seam):
    everything = np.ones((20, 30), bool)
    painted = np.random.default_rng(2).uniform(0, 1, (20, 30, 3))
    assert np.array_equal(mended(seam, painted * 0, everything, everything, painted), painted)
