"""What memory and time allow: size, width, iterations."""

import pytest

from inpaint.dip.costs import products
from inpaint.dip.planning import Plan, candidates, choose, for_time, within_memory
from inpaint.dip.presets import PRESETS
from inpaint.errors import InpaintError


def test_thin_damage_narrows_the_network_first_and_wide_holes_shrink_the_image_first():
    text = candidates(PRESETS["text"], 256, 256)
    assert text[:3] == [(128, 1.0), (96, 1.0), (64, 1.0)]
    assert [scale for _, scale in text] == sorted((scale for _, scale in text), reverse=True)
    assert candidates(PRESETS["library"], 512, 512)[:4] == [(128, 1.0), (96, 1.0), (64, 1.0), (128, 0.75)]
    assert {scale for _, scale in candidates(PRESETS["denoise"], 512, 512)} == {1.0}
    assert {scale for _, scale in candidates(PRESETS["super-resolve"], 512, 512)} == {1.0}


def test_small_images_are_not_shrunk_for_lack_of_time():
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
    choices = candidates(preset, *size)
    plan = choose(preset, *size, budget_s=budget, choices=choices, measure=machine.measure, clock=machine.clock)
    needed = machine.now + plan.iterations * machine.seconds(plan.width, plan.scale)
    assert needed <= 1.02 * budget or plan.iterations == 1
    assert needed > 0.9 * budget or plan.iterations == preset.iterations
    assert len(machine.measured) <= 3
    if budget == 100_000:
        assert (plan.width, plan.scale) == choices[0]


def test_a_larger_budget_never_takes_a_smaller_network():
    preset, size = PRESETS["text"], (256, 256)
    found = []
    for budget in (5, 20, 60, 300, 3000):
        machine = Machine(preset, size, per_s=2e11)
        choices = candidates(preset, *size)
        found.append(
            choose(preset, *size, budget_s=budget, choices=choices, measure=machine.measure, clock=machine.clock)
        )
    work = [plan.width * plan.scale for plan in found]
    assert work == sorted(work)


def test_a_large_image_with_wide_holes_is_made_smaller_before_it_gets_too_few_iterations():
    preset, size = PRESETS["library"], (512, 512)
    machine = Machine(preset, size, per_s=2e11)
    budget = 1000 * machine.seconds(128, 1.0)
    choices = candidates(preset, *size)
    plan = choose(preset, *size, budget_s=budget, choices=choices, measure=machine.measure, clock=machine.clock)
    assert plan.scale < 1
    assert plan.iterations >= preset.useful * (512 * plan.scale) ** 2 / 256**2


def test_what_does_not_fit_into_memory_is_left_out(caplog):
    choices = [(128, 1.0), (64, 1.0), (64, 0.5)]

    def needed(channels, height, width):
        return channels * height * width

    def left(free):
        return within_memory(choices, 100, 200, needed=needed, free_bytes=free)

    assert left(None) == choices
    assert left(10_000_000) == choices
    assert left(2_000_000) == choices[1:]
    assert caplog.text == ""
    assert left(500_000) == choices[2:]
    assert "200 x 100 pixels do not fit into memory at full width: working at 50 % of the size" in caplog.text
    with pytest.raises(InpaintError, match=r"200 x 100 pixels need more memory than the 0.0 GB .* about 50 x 25 would"):
        left(120_000)
