"""What a strategy plans: parts, sizes, memory."""

import numpy as np
import pytest

from inpaint.errors import ConfigError, InpaintError
from inpaint.options import validated
from inpaint.strategies.options import StrategyOptions, bytes_of
from inpaint.strategies.parts import Part
from inpaint.strategies.planning import HOLE_SHARE, needed_bytes, planned, smaller
from inpaint.types import Capabilities

GB = 2**30
NETWORK = Capabilities(trained=True, trained_px=64, multiple_px=8, pixel_bytes=1000)


def hole_of(shape, *boxes):
    hole = np.zeros(shape, bool)
    for top, bottom, left, right in boxes:
        hole[top:bottom, left:right] = True
    return hole


SMALL, LARGE = (100, 130, 100, 140), (300, 700, 500, 900)
HOLE = hole_of((1000, 1500), SMALL, LARGE)


def plan(strategy, *, hole=HOLE, capabilities=NETWORK, budget=8 * GB, **options):
    return planned(hole, capabilities, StrategyOptions(strategy=strategy, **options), budget_bytes=budget)


def test_original_is_the_whole_photo_and_is_refused_above_the_budget_with_what_it_needs():
    (part,) = plan("original").parts
    assert part.size == (1000, 1500)
    with pytest.raises(InpaintError, match=r"original needs about 1\.5 GB for 1500 x 1000 pixels, 1\.0 GB may be used"):
        plan("original", budget=GB)


def test_resize_works_at_the_limit_and_leaves_smaller_photos_alone():
    (part,) = plan("resize").parts
    assert part.size == (853, 1280)
    (part,) = plan("resize", resize_limit=600).parts
    assert part.size == (400, 600)
    (part,) = plan("resize", resize_limit=2000).parts
    assert part.working is None


def test_crop_stays_at_the_photos_own_scale():
    small, large = plan("crop").parts
    assert small.working is None
    assert large.working is None
    assert max(small.region.size) == 104
    assert max(large.region.size) == 800


def test_the_margin_and_the_trigger_of_crops_can_be_chosen():
    _, large = plan("crop", crop_margin=16).parts
    assert large.region.size == (432, 432)
    (part,) = plan("crop", crop_trigger_size=1500).parts
    assert part.region.size == (1000, 1500)


def test_auto_reduces_holes_that_are_larger_than_the_network_knows_and_no_others():
    small, large = plan("auto").parts
    assert small.working is None
    assert 400 * large.scale == pytest.approx(HOLE_SHARE * 64, rel=0.02)
    without = Capabilities(context_px=16)
    assert all(part.working is None for part in plan("auto", capabilities=without).parts)


def test_tile_cuts_only_what_is_larger_than_a_tile():
    small, large = plan("tile").parts
    assert (small.tile_px, large.tile_px) == (None, 128)
    _, large = plan("tile", tile_size=256).parts
    assert large.tile_px == 256


@pytest.mark.parametrize("strategy", ["resize", "crop", "tile", "auto"])
@pytest.mark.parametrize("budget", [2**28, 2**29, 2**30])
def test_no_part_needs_more_than_the_budget(strategy, budget):
    capabilities = Capabilities(trained=True, trained_px=64, pixel_bytes=20_000)
    options = {"tile_size": 400} if strategy == "tile" else {}
    found = plan(strategy, capabilities=capabilities, budget=budget, **options)
    assert max(needed_bytes(part, capabilities) for part in found.parts) == found.needed_bytes <= budget


def test_a_budget_that_is_too_small_for_anything_is_refused():
    with pytest.raises(InpaintError, match="takes more than the 1 MB that may be used"):
        plan("auto", budget=2**20)


def test_a_fill_that_says_nothing_of_its_memory_is_taken_for_a_greedy_one():
    part = Part(plan("original").parts[0].region, HOLE)
    network, plain = (needed_bytes(part, Capabilities(trained=trained)) for trained in (True, False))
    assert network > 20 * plain


def test_a_part_for_which_memory_ran_out_is_halved_until_it_would_be_too_small():
    small, large = plan("crop").parts
    half = smaller(large)
    assert half.size == (400, 400)
    assert smaller(half).size == (200, 200)
    assert smaller(small) is None
    _, tiled = plan("tile").parts
    assert smaller(tiled).tile_px == 64
    assert smaller(smaller(tiled)) is None


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        ("original", "original, 1500 x 1000 px"),
        ("resize", "resize, 1500 x 1000 px, reduced to 0.85, seam poisson"),
        ("crop", "crop, 2 parts of 104 to 800 px"),
        ("tile", "tile, 2 parts of 104 to 800 px, in tiles of 128 px"),
        ("auto", "auto, 2 parts of 104 to 800 px, 1 of them reduced to 0.16, seam poisson"),
    ],
)
def test_a_plan_says_in_one_line_what_is_done(strategy, text):
    assert str(plan(strategy)) == text


@pytest.mark.parametrize(
    ("text", "size"), [("3GB", 3 * GB), ("1.5 g", GB * 3 // 2), ("800 MiB", 800 * 2**20), ("100000", 100_000)]
)
def test_amounts_of_memory_are_read(text, size):
    assert bytes_of(text) == size
    assert validated(StrategyOptions, {"memory": text}).memory_bytes == size


@pytest.mark.parametrize("text", ["much", "3 GBs", "-1GB", "0", ""])
def test_other_amounts_of_memory_are_refused(text):
    with pytest.raises(ConfigError, match="memory"):
        validated(StrategyOptions, {"memory": text})
