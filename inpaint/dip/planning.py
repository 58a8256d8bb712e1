"""How large an image and how wide a network memory and a budget of seconds allow: measured first, then planned."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from inpaint.dip.costs import PASSES, products
from inpaint.dip.presets import FILL_TASKS, Preset
from inpaint.errors import InpaintError

WIDTHS = (128, 96, 64, 48, 32, 24, 16)
SCALES = (1.0, 0.75, 0.5, 0.375, 0.25, 0.1875, 0.125)
SMALLEST_SIDE_PX = 32  # of a working image that was made smaller
SMALLEST_PIXELS = {False: 256 * 256, True: 128 * 128}  # to which time alone shrinks thin damage, and wide holes
ENOUGH = (1.0, 0.6, 0.35)  # shares of the useful iterations to put up with, one after the other
USEFUL_PIXELS = 256 * 256  # of the images on which useful iterations were measured; larger ones take more
OVERHEAD_PRODUCTS = 3e8  # that a core does in the time that an iteration takes however small its image is
PROBE_PRODUCTS = 4e9  # a first measurement with more takes seconds
MEMORY_SHARE = 0.8  # of what is free

Choice: TypeAlias = "tuple[int, float]"
"""Channels at most, and share of the size."""

_log = logging.getLogger("inpaint.dip")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run works with.

    Args:
        width: Channels at most.
        scale: Share of the size.
        iterations: At most.
        pace_s: Seconds of an iteration, as measured before the run; None where nothing was.
    """

    width: int
    scale: float
    iterations: int
    pace_s: float | None = None

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the working image."""
        return max(1, round(height * self.scale)), max(1, round(width * self.scale))


def course(preset: Preset, pixels: float) -> int:
    """Return the iterations of a preset for an image of so many pixels: the published ones, fewer in a small image.

    At 128 x 128 the fill of a wide hole is best after about 350 iterations and loses 1 to 2.4 dB until 900 mostly,
    while the published image takes 3001: about the power 3/4 of the pixels, which was not measured in between.
    """
    if preset.published_px is None:
        return preset.iterations
    share: float = min(1.0, pixels / preset.published_px) ** 0.75
    return max(1, round(preset.iterations * share))


def candidates(preset: Preset, height: int, width: int) -> list[Choice]:
    """Return the choices for an image from the best to the cheapest.

    Thin damage needs the full size, so the network gets narrower first; wide holes are filled as well at half the size,
    so that comes first.
    """
    widest = max(preset.network.down)
    widths = [widest, *(each for each in WIDTHS if each < widest)]
    scales = [scale for scale in SCALES if scale == 1.0 or min(height, width) * scale >= SMALLEST_SIDE_PX]
    if preset.task not in FILL_TASKS:
        scales = scales[:1]  # the size is what the task is about
    if preset.wide_holes:
        widths = [each for each in widths if each >= widest // 2]
        return [(w, s) for s in scales for w in widths]
    return [(w, scales[0]) for w in widths] + [(widths[-1], s) for s in scales[1:]]


def for_time(preset: Preset, choices: Sequence[Choice], height: int, width: int) -> list[Choice]:
    """Return the choices that are worth taking for lack of time: an image that is small already stays as it is."""
    floor, largest = SMALLEST_PIXELS[preset.wide_holes], choices[0][1]
    return [each for each in choices if each[1] == largest or height * width * each[1] ** 2 >= floor]


def within_memory(
    choices: Sequence[Choice],
    height: int,
    width: int,
    *,
    needed: Callable[[int, int, int], int],
    free_bytes: int | None,
) -> list[Choice]:
    """Leave out what would not fit into memory; warn when only a smaller size is left.

    Args:
        choices: From the best to the cheapest.
        height, width: Of the image.
        needed: Bytes of a run, by channels, height and width.
        free_bytes: None where the system does not say: everything fits.

    Raises:
        InpaintError: Nothing fits; names the size that would.
    """
    if free_bytes is None:
        return list(choices)
    most = MEMORY_SHARE * free_bytes

    def fits(choice: Choice) -> bool:
        plan = Plan(width=choice[0], scale=choice[1], iterations=1)
        return needed(plan.width, *plan.size(height, width)) <= most

    left = [choice for choice in choices if fits(choice)]
    if not left:
        cheapest, scale = choices[-1][0], 1.0
        while scale > 0.01 and not fits((cheapest, scale)):
            scale *= 0.9
        raise InpaintError(
            f"{width} x {height} pixels need more memory than the {free_bytes / 1e9:.1f} GB that are free; "
            f"about {int(width * scale)} x {int(height * scale)} would fit"
        )
    if left[0][1] < choices[0][1]:
        _log.warning(
            "%d x %d pixels do not fit into memory at full width: working at %.0f %% of the size",
            *(width, height, 100 * left[0][1]),
        )
    return left


def iteration_cost(preset: Preset, height: int, width: int, choice: Choice) -> float:
    """Return what one iteration of a choice costs, in products; of use in ratios."""
    size = Plan(width=choice[0], scale=choice[1], iterations=1).size(height, width)
    return PASSES * products(preset.narrowed(choice[0]).network, *size) + 50.0 * size[0] * size[1] + OVERHEAD_PRODUCTS


def choose(
    preset: Preset,
    height: int,
    width: int,
    *,
    budget_s: float,
    choices: Sequence[Choice],
    measure: Callable[[int, float], float],
    clock: Callable[[], float] = time.monotonic,
) -> Plan:
    """Return the best choice for whose useful iterations the budget is enough.

    The cheapest choice of a bearable size is measured first; what the others would take is estimated from their
    products, and the one taken is measured again, once more when it was too slow. The time that measuring takes counts.

    Args:
        preset: What is fitted.
        height, width: Of the image.
        budget_s: Seconds.
        choices: From the best to the cheapest.
        measure: Returns the seconds of one iteration of a choice.
        clock: Seconds.
    """
    started = clock()

    def useful(choice: Choice) -> float:
        pixels = height * width * choice[1] ** 2
        return min(preset.useful * max(1.0, pixels / USEFUL_PIXELS), course(preset, pixels))

    cost = partial(iteration_cost, preset, height, width)
    first = next((choice for choice in choices if cost(choice) <= PROBE_PRODUCTS), choices[-1])
    taken = {first: measure(*first)}
    while True:
        left = budget_s - (clock() - started)
        known = min(taken, key=cost)

        def guess(choice: Choice, known: Choice = known) -> float:
            return taken.get(choice) or taken[known] * max(cost(choice) / cost(known), 0.2)

        fitting = (
            choice for choice, share in _preferences(preset, choices) if guess(choice) * useful(choice) * share <= left
        )
        chosen = next(fitting, None) or min(choices, key=guess)
        if chosen in taken or len(taken) >= 3:
            break
        taken[chosen] = measure(*chosen)
    left = max(budget_s - (clock() - started), 0.0)
    pace_s = max(guess(chosen), 1e-9)
    count = int(left / pace_s)
    return Plan(width=chosen[0], scale=chosen[1], iterations=max(1, min(preset.iterations, count)), pace_s=pace_s)


def _preferences(preset: Preset, choices: Sequence[Choice]) -> list[tuple[Choice, float]]:
    """Return choices and shares of the useful iterations in the order of what is wanted.

    Thin damage puts up with fewer iterations before its image gets smaller, wide holes the other way round.
    """
    if preset.wide_holes:
        return [(choice, share) for share in ENOUGH for choice in choices]
    scales = list(dict.fromkeys(scale for _, scale in choices))
    return [(choice, share) for scale in scales for share in ENOUGH for choice in choices if choice[1] == scale]
