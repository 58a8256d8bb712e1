"""Options of the verbs that fill photos, each defined once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from inpaint.cli import places

Command = TypeVar("Command", bound=Callable[..., Any])


def hole(function: Command) -> Command:
    """Add the options that say what of the masks is the hole, and what becomes of it where it is transparent."""
    for option in (
        click.option("--opaque", is_flag=True, help="Make the filled hole opaque where the photo is transparent."),
        click.option("--dilate", type=click.IntRange(min=0), default=0, help="Grow the hole by this many pixels."),
        click.option(
            "--label",
            metavar="N",
            type=places.Checked(_label),
            help="The hole is what has this value: 3, '#ff0000' or transparent.",
        ),
        click.option("--invert-mask", is_flag=True, help="Black = hole."),
    ):
        function = option(function)
    return function


def _label(text: str) -> str:
    from inpaint.images.mask_rules import parse_label

    parse_label(text)
    return text


device = click.option("--device", default="auto", type=places.DEVICE, help="auto, cpu, cuda, cuda:1, mps.")
seed = click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, help="Of everything that is random.")
quality = click.option(
    "--quality",
    type=click.IntRange(1, 100),
    help="Of JPEG, WebP, AVIF and HEIC; 100 makes WebP lossless.  [default: as the photo's own file, else 95]",
)
first_page = click.option(
    "--first-page", is_flag=True, help="Fill the first page or frame of a file alone, and leave the others out."
)
max_pixels = click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=100_000_000,
    help="Refuse photos that have more by their header, or would have.",
)
