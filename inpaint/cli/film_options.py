"""Options of `inpaint evaluate` that measure removal on a film of a fixed camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from inpaint.errors import UsageError

if TYPE_CHECKING:
    from inpaint.evaluation.fixed_camera import FixedCamera

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = {
    "frames": click.option(
        "--frames", type=click.IntRange(1), help="Of a film: measure N frames at even distances.  [default: 40]"
    ),
    "median_frames": click.option(
        "--median-frames",
        type=click.IntRange(9),
        help="Of a film: the scene is the median of N frames.  [default: 100]",
    ),
    "threshold": click.option(
        "--threshold",
        type=click.FloatRange(0, min_open=True),
        help="Of a film: what differs from the scene by so many standard deviations of the noise moves.  "
        "[default: by the number of pixels, 5.3 for half a million]",
    ),
    "smallest_px": click.option(
        "--smallest-px", type=click.IntRange(1), help="Of a film: leave things of fewer pixels alone.  [default: 64]"
    ),
    "dilate_px": click.option(
        "--dilate",
        "dilate_px",
        type=click.IntRange(0),
        help="Of a film: grow the holes by this many pixels.  [default: 1 % of the shorter side]",
    ),
    "shadows": click.option("--shadows", is_flag=True, help="Of a film: let the holes take shadows, too."),
    "masks": click.option(
        "--frame-masks",
        "film_masks",
        metavar="FOLDER",
        help="Of a film: take the holes from masks called by the number of their frame, frame-000120.png.",
    ),
}


def options(function: Command) -> Command:
    """Add the options."""
    for option in reversed(_OPTIONS.values()):
        function = option(function)
    return click.option(
        "--fixed-camera",
        metavar="VIDEO",
        help="Remove what moves from frames of a tripod's film and compare with the empty scene, in place of --data.",
    )(function)


@dataclass(frozen=True)
class Chosen:
    """A film, and the options that were given for it."""

    video: str
    given: dict[str, Any]

    def read(self, *, seed: int, output: Path) -> FixedCamera:
        """Find scene and holes, write the scene into the folder and say in a line what was found."""
        from inpaint.evaluation.fixed_camera import FixedCamera

        subjects = FixedCamera(self.video, seed=seed, **self.given)
        output.mkdir(parents=True, exist_ok=True)
        subjects.write_scene(output)
        click.echo(subjects.summary(), err=True)
        return subjects


def chosen(given: dict[str, Any]) -> Chosen | None:
    """Take the film's options out of those of the verb; None without a film.

    Raises:
        UsageError: There are some, but no film.
    """
    video = given.pop("fixed_camera")
    values = {name: given.pop("film_masks" if name == "masks" else name) for name in _OPTIONS}
    values = {name: value for name, value in values.items() if value is not None and value is not False}
    if video is None and values:
        name = {"dilate_px": "dilate", "masks": "frame-masks"}.get(first := next(iter(values)), first.replace("_", "-"))
        raise UsageError(f"--{name} is for films: name one with --fixed-camera VIDEO, or leave --{name} out")
    if video is not None and "masks" in values and (wrong := {"threshold", "smallest_px", "shadows"} & values.keys()):
        raise UsageError(
            f"--{min(wrong).replace('_', '-')} says how holes are found, --frame-masks gives them: leave one out"
        )
    return None if video is None else Chosen(video, values)
