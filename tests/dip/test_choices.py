"""What is chosen without being asked: preset, rectangle, size, width, iterations."""

import numpy as np
import pytest

from inpaint.dip.budget import Plan, candidates, choose, for_time, process_age_s, seconds_of
from inpaint.dip.costs import products
from inpaint.dip.holes import Region, hold_out_blocks, noise_level, preset_for_hole, regions_of, shape_of
from inpaint.dip.presets import PRESETS


def hole(height, width, *boxes):
    mask = np.zeros((height, width), bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "name"),
    [
        (hole(128, 160, (20, 26, 10, 150), (60, 66, 10, 150)), "text"),
        (hole(128, 160, (20, 32, 10, 150), (10, 120, 70, 82)), "text"),  # wider where strokes cross
        (hole(128, 160, (40, 80, 40, 80)), "vase"),
        (hole(256, 300, (60, 160, 60, 180)), "library"),
        (np.random.default_rng(0).random((128, 160)) < 0.5, "missing-half"),
        (np.random.default_rng(0).random((128, 160)) < 0.98, "missing-most"),
        (hole(128, 160, (0, 128, 60, 160)), "library"),
    ],
)
def test_the_preset_follows_the_hole(mask, name):
    assert preset_for_hole(shape_of(mask)) == name


def test_the_shape_of_a_hole_is_measured():
    shape = shape_of(hole(100, 100, (30, 51, 20, 60)))
    assert shape.share == pytest.approx(0.084)
    assert shape.width_px == pytest.approx(22, abs=0.1)  # 11 pixels from the middle row to the next known one
    assert not shape.scattered


def test_the_typical_width_of_strokes_is_their_own_however_they_cross():
    stroke, cross = hole(200, 200, (50, 62, 0, 200)), hole(200, 200, (50, 62, 0, 200), (0, 200, 50, 62))
    assert shape_of(stroke).typical_px == pytest.approx(14, abs=0.1)  # distances 1 to 6, their mean 3.5, times four
    assert shape_of(cross).typical_px == pytest.approx(14, abs=0.5)
    assert shape_of(cross).width_px > 16
    assert shape_of(cross).context_px == 28
    assert shape_of(hole(200, 200, (60, 140, 60, 140))).context_px == 160


def test_rectangles_hold_every_hole_with_its_context_and_do_not_meet():
    mask = hole(600, 900, (20, 40, 30, 50), (60, 70, 60, 70), (500, 520, 800, 820))
    regions = regions_of(mask, around=64)
    assert regions == [Region(0, 135, 0, 135), Region(435, 585, 735, 885)]
    covered = np.zeros_like(mask)
    for region in regions:
        covered[region.top : region.bottom, region.left : region.right] = True
    assert covered[mask].all()
    assert not regions[0].meets(regions[1])


def test_a_rectangle_around_a_scratch_is_no_strip():
    (region,) = regions_of(hole(400, 500, (200, 204, 100, 300)), around=16)
    assert region.size == (64, 234)  # the hole has grown by a pixel


def test_where_little_is_saved_the_whole_picture_is_taken():
    assert regions_of(hole(200, 200, (90, 110, 90, 110)), around=64) == [Region(25, 175, 25, 175)]
    assert regions_of(hole(200, 200, (60, 140, 60, 140)), around=160) == [Region(0, 200, 0, 200)]
    assert regions_of(np.random.default_rng(0).random((200, 200)) < 0.3, around=64) == [Region(0, 200, 0, 200)]


def test_pixels_held_out_are_known_ones_near_the_hole():
    mask = hole(200, 220, (80, 120, 80, 120))
    held = hold_out_blocks(mask, share=0.02, seed=0)
    assert not (held & mask).any()
    rows, columns = np.nonzero(held)
    assert rows.min() >= 80 - 34
    assert columns.max() <= 120 + 34
    band = np.zeros_like(mask)
    band[48:152, 48:152] = True
    assert 0.02 < held.sum() / (band & ~mask).sum() < 0.12
    assert np.array_equal(held, hold_out_blocks(mask, share=0.02, seed=0))
    assert not np.array_equal(held, hold_out_blocks(mask, share=0.02, seed=1))


def test_the_noise_level_is_estimated():
    rng = np.random.default_rng(0)
    flat = np.full((120, 130), 0.5, np.float32)
    noisy = (flat + rng.normal(0, 0.1, flat.shape)).astype(np.float32)
    assert noise_level(flat) < 1e-6
    assert noise_level(noisy) == pytest.approx(0.1, rel=0.05)
    spoiled = noisy.copy()
    spoiled[:40] = rng.random((40, 130))
    known = np.ones(flat.shape, bool)
    known[:40] = False
    assert noise_level(spoiled, known) == pytest.approx(0.1, rel=0.05)


def test_thin_damage_narrows_the_network_first_and_wide_holes_shrink_the_picture_first():
    text = candidates(PRESETS["text"], 256, 256)
    assert text[:3] == [(128, 1.0), (96, 1.0), (64, 1.0)]
    assert [scale for _, scale in text] == sorted((scale for _, scale in text), reverse=True)
    assert candidates(PRESETS["library"], 512, 512)[:4] == [(128, 1.0), (96, 1.0), (64, 1.0), (128, 0.75)]
    assert {scale for _, scale in candidates(PRESETS["denoise"], 512, 512)} == {1.0}
    assert {scale for _, scale in candidates(PRESETS["super-resolve"], 512, 512)} == {1.0}


def test_small_pictures_are_not_shrunk_for_lack_of_time():
    text, library = PRESETS["text"], PRESETS["library"]
    assert {scale for _, scale in for_time(text, candidates(text, 256, 256), 256, 256)} == {1.0}
    assert {scale for _, scale in for_time(library, candidates(library, 256, 256), 256, 256)} == {1.0, 0.75, 0.5}
    assert min(scale for _, scale in for_time(text, candidates(text, 2048, 2048), 2048, 2048)) == 0.125


class Machine:
    """Pretends to compute: so many products a second, and a clock that runs while it does."""

    def __init__(self, preset, size, per_s):
        self.preset, self.size, self.per_s, self.now, self.measured = preset, size, per_s, 0.0, []

    def clock(self):
        return self.now

    def seconds(self, width, scale):
        size = Plan(width=width, scale=scale, iterations=1).size(*self.size)
        return 3 * products(self.preset.narrowed(width).network, *size) / self.per_s + 0.005

    def measure(self, width, scale):
        self.measured.append((width, scale))
        self.now += 3 * self.seconds(width, scale)
        return self.seconds(width, scale)


@pytest.mark.parametrize("name", ["text", "library", "missing-half"])
@pytest.mark.parametrize("budget", [10, 60, 600, 100_000])
@pytest.mark.parametrize("side", [128, 1024])
def test_a_plan_fits_its_budget_and_uses_it(name, budget, side):
    preset, size = PRESETS[name], (side, side)
    machine = Machine(preset, size, per_s=2e11)
    options = candidates(preset, *size)
    plan = choose(preset, *size, seconds=budget, options=options, measure=machine.measure, clock=machine.clock)
    needed = machine.now + plan.iterations * machine.seconds(plan.width, plan.scale)
    assert needed <= 1.02 * budget or plan.iterations == 1
    assert needed > 0.9 * budget or plan.iterations == preset.iterations
    assert len(machine.measured) <= 3
    if budget == 100_000:
        assert (plan.width, plan.scale) == options[0]


def test_a_larger_budget_never_takes_a_smaller_network():
    preset, size = PRESETS["text"], (256, 256)
    found = []
    for budget in (5, 20, 60, 300, 3000):
        machine = Machine(preset, size, per_s=2e11)
        options = candidates(preset, *size)
        found.append(
            choose(preset, *size, seconds=budget, options=options, measure=machine.measure, clock=machine.clock)
        )
    work = [plan.width * plan.scale for plan in found]
    assert work == sorted(work)


def test_a_large_picture_with_wide_holes_is_made_smaller_before_it_gets_too_few_iterations():
    preset, size = PRESETS["library"], (512, 512)
    machine = Machine(preset, size, per_s=2e11)
    budget = 1000 * machine.seconds(128, 1.0)
    options = candidates(preset, *size)
    plan = choose(preset, *size, seconds=budget, options=options, measure=machine.measure, clock=machine.clock)
    assert plan.scale < 1
    assert plan.iterations >= preset.useful * (512 * plan.scale) ** 2 / 256**2


def test_times_are_read():
    assert [seconds_of(text) for text in ("60", "60s", "1.5m", "2h", "none")] == [60, 60, 90, 7200, None]


def test_the_age_of_this_process_is_known():
    assert 0 <= process_age_s() < 24 * 3600
