"""How photos are filled, from the command line: options of `inpaint.load` that every fill has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

import click

from inpaint.strategies.options import SeamName, StrategyName

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--strategy",
        type=click.Choice(get_args(StrategyName)),
        help="original: the whole photo at once. resize: smaller, the hole enlarged again. crop: every group of holes "
        "with its surroundings. tile: large holes in tiles. auto: crops, holes larger than the model knows made "
        "smaller.  [default: auto]",
    ),
    click.option(
        "--seam",
        type=click.Choice(get_args(SeamName)),
        help="How the border is made good, inside the hole. auto: by poisson where a part is painted smaller. feather: "
        "what is missing at the border is added less and less inwards. color: mean and contrast of a ring around the "
        "hole. poisson: the colors around, the differences that were painted. multiband: coarse differences reach far, "
        "fine ones near.  [default: auto]",
    ),
    click.option(
        "--refine",
        is_flag=True,
        help="Refine the features of the network from coarse to fine, for details in large holes (slow).",
    ),
    click.option("--wrap", is_flag=True, help="The photo is a 360-degree panorama: its left and right ends meet."),
    click.option("--memory", metavar="SIZE", help="Most memory to fill with, as 3GB.  [default: half of what is free]"),
)


def options(function: Command) -> Command:
    """Add the options."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def as_options(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what was given of these options as `--option` takes it, NAME=VALUE."""
    return tuple(f"{name}={str(value).lower()}" for name, value in given.items() if value not in (None, False))
