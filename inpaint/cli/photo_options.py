"""Options of the verbs that fill photos, each defined once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from inpaint.cli import places
from inpaint.errors import UsageError
from inpaint.finding.table import FINDERS, SENSITIVITY

if TYPE_CHECKING:
    from inpaint.pipeline.holes import Marks

Command = TypeVar("Command", bound=Callable[..., Any])


def masked(what: str, *, opaque: str | None = None) -> Callable[[Command], Command]:
    """Return what adds the options that say what of the masks counts, and how far.

    Args:
        what: The masks are of: "hole".
        opaque: Help of `--opaque`; None: there is no such option.
    """
    options = [
        click.option("--invert-mask", is_flag=True, help=f"Black = {what}."),
        click.option(
            "--label",
            metavar="N",
            type=places.Checked(label_of),
            help=f"The {what} is what has this value in the mask: 3, '#ff0000' or transparent.",
        ),
        click.option("--dilate", type=click.IntRange(min=0), default=0, help=f"Grow the {what} by this many pixels."),
    ]
    if opaque is not None:
        options.append(click.option("--opaque", is_flag=True, help=opaque))

    def add(function: Command) -> Command:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def label_of(text: str) -> str:
    """Return the value of `--label` as it is given; raises UsageError for one that names nothing."""
    from inpaint.images.mask_rules import parse_label

    parse_label(text)
    return text


def _point(text: str) -> str:
    try:
        x, y = (int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--at {text}: write x,y in pixels of the target, such as 120,-40") from None
    return f"{x},{y}"


POINT = places.Checked(_point)
"""x,y in pixels, as text."""


def point_of(text: str | None) -> tuple[int, int] | None:
    """Return x and y of a `POINT`; None for None."""
    if text is None:
        return None
    x, y = text.split(",")
    return int(x), int(y)


def marks(function: Command, *, blind: bool = False) -> Command:
    """Add the options that say without a mask what the hole is, and those that show it.

    The command gets them as `marks`, checked, a `Marks`; `save_mask` and `preview` are paths or None.

    Args:
        function: The command.
        blind: Whether its model may find the hole itself; the command then gets `sensitivity` as well.
    """

    @functools.wraps(function)
    def command(
        *arguments: Any,
        masks: tuple[str, ...],
        boxes: tuple[str, ...],
        polygons: tuple[str, ...],
        mask_color: str | None,
        objects: tuple[str, ...],
        find: tuple[str, ...],
        mask_from: str | None,
        sensitivity: float | None,
        expand: str | None,
        **others: Any,
    ) -> Any:
        files = tuple(each for each in masks if each != ALPHA)
        asked: dict[str, Any] = {
            "box": boxes,
            "polygon": polygons,
            "mask_color": mask_color,
            "object_box": objects,
            "find": find,
            "mask_from": mask_from,
            "expand": expand,
        }
        found = _marks(alpha=len(files) < len(masks), sensitivity=sensitivity, **asked)
        if sensitivity is not None and not find and mask_from is None and (files or found or not blind):
            raise UsageError(f"--sensitivity {sensitivity:g} is of --find, which is not given")
        if blind:
            others["sensitivity"] = SENSITIVITY if sensitivity is None else sensitivity
        return function(*arguments, masks=files, marks=found, **others)

    for option in (
        click.option(
            "--preview",
            metavar="PLACE",
            type=BESIDE,
            help="Write the photo with its hole over it, to a file or folder.",
        ),
        click.option(
            "--save-mask",
            metavar="PLACE",
            type=BESIDE,
            help="Write the hole as a mask, white = hole: a file, or a folder to be given as --mask.",
        ),
        click.option(
            "--sensitivity",
            type=click.FloatRange(0, 1),
            help=f"Of what is found: from 0, only what is certain, to 1.  [default: {SENSITIVITY}]",
        ),
        click.option(
            "--mask-from",
            metavar="RUN",
            shell_complete=places.complete_model,
            help="A blind model finds the hole, for any other model to fill: run, weights or ONNX file.",
        ),
        click.option(
            "--find",
            type=click.Choice(list(FINDERS)),
            multiple=True,
            help="; ".join(f"{name}: {finder.summary}" for name, finder in FINDERS.items()) + ". May be repeated.",
        ),
        click.option(
            "--expand",
            metavar="LEFT,TOP,RIGHT,BOTTOM",
            help="Add so many pixels at the sides, as a hole: the result is larger.",
        ),
        click.option(
            "--object",
            "objects",
            metavar="X,Y,WIDTH,HEIGHT",
            multiple=True,
            help="A box around an object: the object alone is hole, as its colors stand out. May be repeated.",
        ),
        click.option(
            "--mask-color",
            metavar="COLOR",
            help="What was painted over in this color in the photo itself is hole: red, '#ff0000'.",
        ),
        click.option(
            "--polygon",
            "polygons",
            metavar="'X,Y X,Y X,Y ...'",
            multiple=True,
            help="What lies inside is hole. May be repeated.",
        ),
        click.option(
            "--box",
            "boxes",
            metavar="X,Y,WIDTH,HEIGHT",
            multiple=True,
            help="A hole in pixels from the top left corner. May be repeated.",
        ),
    ):
        command = option(command)
    return command  # type: ignore[return-value]


def marks_or_blind(function: Command) -> Command:
    """Add what `marks` adds, for a verb whose model may find the hole itself."""
    return marks(function, blind=True)


ALPHA = "alpha"
WAYS = ("--mask", "--box", "--polygon", "--mask-color", "--object", "--find", "--mask-from", "--expand")
"""The options that say what the hole is."""


def _marks(*, sensitivity: float | None, **asked: Any) -> Marks | None:
    """Return the marks that were asked for; None without any, so that nothing is imported for them."""
    if not any(asked.values()):
        return None
    from inpaint.pipeline.holes import marks_of

    return marks_of(sensitivity=SENSITIVITY if sensitivity is None else sensitivity, **asked)


def check_beside(save_mask: str | None, preview: str | None) -> None:
    """Raise an error where the files that show the hole of one photo cannot be written."""
    from inpaint.images.formats import format_of_name
    from inpaint.images.hole_files import check_mask_name
    from inpaint.system.files import check_target

    if save_mask is not None:
        check_mask_name(save_mask)
    for place in (save_mask, preview):
        if place is not None:
            format_of_name(place)
            check_target(place)


def _beside(text: str) -> str:
    if places.passes_on(text):
        raise UsageError(f"'{text}': a mask, preview or guidance is written beside the output, to a file or folder")
    return text


BESIDE = places.Checked(_beside)


hole = masked("hole", opaque="Make the filled hole opaque where the photo is transparent.")
device = click.option("--device", default="auto", type=places.DEVICE, help="auto, cpu, cuda, cuda:1, mps.")
devices = click.option(
    "--device",
    default="auto",
    type=places.DEVICES,
    help="auto, cpu, cuda, cuda:1, mps; several fill a folder together: cuda:0,cuda:1.",
)
seed = click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, help="Of everything that is random.")
quality = click.option(
    "--quality",
    type=click.IntRange(1, 100),
    help="Of JPEG, WebP, AVIF and HEIC; 100 makes WebP lossless.  [default: as the photo's own file, else 95]",
)
first_page = click.option(
    "--first-page", is_flag=True, help="Change the first page or frame of a file alone, and leave the others out."
)
max_pixels = click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=100_000_000,
    help="Refuse photos that have more by their header, or would have.",
)
