"""How large a picture and how wide a network a budget of seconds allows: measured first, then planned."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inpaint.dip.costs import PASSES, products
from inpaint.dip.presets import Preset
from inpaint.errors import UsageError

WIDTHS = (128, 96, 64, 48, 32, 24, 16)
SCALES = (1.0, 0.75, 0.5, 0.375, 0.25, 0.1875, 0.125)
SMALLEST_SIDE_PX = 32  # of a working picture that was made smaller
SMALLEST_PIXELS = {False: 256 * 256, True: 128 * 128}  # to which time alone shrinks thin damage, and wide holes
ENOUGH = (1.0, 0.6, 0.35)  # shares of the useful iterations to put up with, one after the other
USEFUL_PIXELS = 256 * 256  # of the pictures on which useful iterations were measured; larger ones take more
PROBE_PRODUCTS = 4e9  # a first measurement with more takes seconds


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run works with: channels at most, share of the size, iterations at most."""

    width: int
    scale: float
    iterations: int

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the working picture."""
        return max(1, round(height * self.scale)), max(1, round(width * self.scale))


def candidates(preset: Preset, height: int, width: int) -> list[tuple[int, float]]:
    """Return (width, scale) from the best to the cheapest.

    Thin damage needs the full size, so the network gets narrower first; wide holes are filled as well at half the size,
    so that comes first.
    """
    widest = max(preset.network.down)
    widths = [min(each, widest) for each in WIDTHS]
    widths = [widest, *sorted({each for each in widths if each < widest}, reverse=True)]
    scales = [scale for scale in SCALES if scale == 1.0 or min(height, width) * scale >= SMALLEST_SIDE_PX]
    if preset.task not in ("inpaint", "restore"):
        scales = scales[:1]  # the size is what the task is about
    if preset.block:
        widths = [each for each in widths if each >= widest // 2]
        return [(w, s) for s in scales for w in widths]
    return [(w, scales[0]) for w in widths] + [(widths[-1], s) for s in scales[1:]]


def for_time(preset: Preset, options: Sequence[tuple[int, float]], height: int, width: int) -> list[tuple[int, float]]:
    """Return the options that are worth taking for lack of time: a picture that is small already stays as it is."""
    floor, largest = SMALLEST_PIXELS[preset.block], options[0][1]
    return [each for each in options if each[1] == largest or height * width * each[1] ** 2 >= floor]


def choose(
    preset: Preset,
    height: int,
    width: int,
    *,
    seconds: float,
    options: Sequence[tuple[int, float]],
    measure: Callable[[int, float], float],
    clock: Callable[[], float] = time.monotonic,
) -> Plan:
    """Return the best of the options (width, scale) for which `seconds` are enough for its useful iterations.

    measure: seconds of one iteration of an option. The cheapest option of a bearable size is measured first; what the
    others would take is estimated from their products, and the choice itself is measured again, once more when it was
    too slow. The time that measuring takes counts.
    """
    started = clock()

    def useful(option: tuple[int, float]) -> float:
        return min(preset.useful * max(1.0, height * width * option[1] ** 2 / USEFUL_PIXELS), preset.iterations)

    def cost(option: tuple[int, float]) -> float:
        size = Plan(width=option[0], scale=option[1], iterations=1).size(height, width)
        return PASSES * products(preset.narrowed(option[0]).network, *size) + 50.0 * size[0] * size[1]

    first = next((option for option in options if cost(option) <= PROBE_PRODUCTS), options[-1])
    taken = {first: measure(*first)}
    while True:
        left = seconds - (clock() - started)
        known = min(taken, key=cost)

        def guess(option: tuple[int, float], known: tuple[int, float] = known) -> float:
            return taken.get(option) or taken[known] * max(cost(option) / cost(known), 0.2)

        fitting = (
            option for option, share in _wishes(preset, options) if guess(option) * useful(option) * share <= left
        )
        chosen = next(fitting, None) or min(options, key=guess)
        if chosen in taken or len(taken) >= 3:
            break
        taken[chosen] = measure(*chosen)
    left = max(seconds - (clock() - started), 0.0)
    count = int(left / max(guess(chosen), 1e-9))
    return Plan(width=chosen[0], scale=chosen[1], iterations=max(1, min(preset.iterations, count)))


def _wishes(preset: Preset, options: Sequence[tuple[int, float]]) -> list[tuple[tuple[int, float], float]]:
    """Return options and shares of the useful iterations in the order of what is wanted.

    Thin damage puts up with fewer iterations before its picture gets smaller, wide holes the other way round.
    """
    if preset.block:
        return [(option, share) for share in ENOUGH for option in options]
    scales = list(dict.fromkeys(scale for _, scale in options))
    return [(option, share) for scale in scales for share in ENOUGH for option in options if option[1] == scale]


def seconds_of(text: str) -> float | None:
    """Return seconds from "60", "60s", "5m", "1.5h"; None for "none". Raises UsageError for anything else."""
    if text == "none":
        return None
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], units[text[-1]]) if text and text[-1] in units else (text, 1.0)
    try:
        value = float(number) * unit
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise UsageError(f"budget must be a time like 60s, 5m or 1h, or none; got '{text}'")
    return value


def process_age_s() -> float:
    """Return how long this process has been running, where the system says so; else 0."""
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as stream:  # noqa: PTH123 - no file of a person's
            started = int(stream.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime", encoding="ascii") as stream:  # noqa: PTH123
            up = float(stream.read().split()[0])
        return max(up - started / os.sysconf("SC_CLK_TCK"), 0.0)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
