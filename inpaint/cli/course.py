"""Work on one photo that may take long: shown as it goes, written in between, stopped with what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inpaint.cli import places
from inpaint.errors import UsageError
from inpaint.system.progress import Bar, bar, seconds_of
from inpaint.system.signals import StopRequest, stopping_on_signals
from inpaint.types import StopFill

if TYPE_CHECKING:
    from inpaint.images.photo import Photo
    from inpaint.types import Progress


def _time(text: str) -> str:
    try:
        seconds_of(text)
    except ValueError as error:
        raise UsageError(f"--budget {text}: {error}") from None
    return text


budget = click.option(
    "--budget",
    metavar="TIME",
    type=places.Checked(_time),
    help="60s, 5m, 1h, for methods that take long.  [default: the method's usual course]",
)
preview_every = click.option(
    "--preview-every", type=click.IntRange(min=1), help="Write the output every so many steps."
)
trace = click.option("--trace", metavar="FILE.json", type=places.FILE, help="Write the course of the work.")


def check_gradual(what: str, *, gradual: bool, budget: str | None, preview_every: int | None) -> None:
    """Raise UsageError for options of long work that are given to a method that takes its time at once."""
    for name, given in (("--budget", budget), ("--preview-every", preview_every)):
        if given is not None and not gradual:
            raise UsageError(f"{name} is for methods that take long; {what} takes its time at once")


class Course:
    """What a verb does with its photo while it works and when it is done; see `on_course`."""

    def __init__(
        self,
        place: str,
        beside: Mapping[str, str],
        display: Bar,
        request: StopRequest,
        *,
        quality: int | None,
        preview_every: int | None,
        says: Callable[[str], None],
    ) -> None:
        self.beside = beside
        self._place = place
        self._display = display
        self._request = request
        self._quality = quality
        self._preview_every = preview_every
        self.say = says

    def step(
        self,
        done: int,
        total: int | None,
        *,
        description: str,
        remaining_s: float | None = None,
        photo: Callable[[], Photo] | None = None,
    ) -> None:
        """Show how far the work is, write the photo as it is by now where that is due, and stop where that is asked.

        photo: makes it; None where there is nothing new to see.
        """
        self._display.show(done, total, description=description, remaining_s=remaining_s)
        if self._preview_every is not None and done % self._preview_every == 0 and photo is not None:
            self.write(photo())
        if self._request.number is not None:
            raise StopFill

    def tell(self, step: Progress, photo: Callable[[], Photo]) -> None:
        """Do what `step` does, as the callback of a pipeline that makes a photo of each step with a preview."""
        seen = None if step.preview is None else photo
        self.step(step.done, step.total, description="step", remaining_s=step.remaining_s, photo=seen)

    def write(self, photo: Photo) -> None:
        """Write the photo to the output."""
        from inpaint.images.writing import write_photo

        Path(self._place).parent.mkdir(parents=True, exist_ok=True)
        write_photo(photo, self._place, quality=self._quality)

    def ended(self, output: str, *, gradual: bool = True) -> int:
        """Say what was written, and whether the work was interrupted; return the exit status."""
        if output != places.DASH:
            self.say(f"wrote {output}")
        if self._request.number is not None and gradual:
            click.echo("interrupted: the output holds what there was", err=True)
        return self._request.exit_status


@contextmanager
def on_course(
    output: str,
    *,
    like: str,
    description: str,
    quality: int | None,
    preview_every: int | None,
    beside: Mapping[str, tuple[str | None, str]],
) -> Iterator[Course]:
    """Yield a `Course`; what is written to standard output or a pipe goes there when the block ends.

    Args:
        output: As it was given.
        like: The photo whose format standard output gets.
        description: Of the work, until its first step.
        quality: Of the output.
        preview_every: Steps between writings of what there is.
        beside: Other files by name, each as it was given, or None, with the suffix of its format; `Course.beside` has
            the paths to write to, of those that were given.
    """
    given = {name: place for name, (place, _) in beside.items() if place is not None}
    to_stderr = places.DASH in (output, *given.values())

    def say(text: str) -> None:
        click.echo(text, err=to_stderr)

    with ExitStack() as files:
        suffix = places.suffix_of(like) if places.passes_on(output) else ""
        target = files.enter_context(places.written(output, suffix))
        others = {name: files.enter_context(places.written(place, beside[name][1])) for name, place in given.items()}
        request = files.enter_context(stopping_on_signals())
        with bar(description) as display:
            display.show(0)
            yield Course(target, others, display, request, quality=quality, preview_every=preview_every, says=say)


def seconds(budget: str | None) -> float | None:
    """Return the seconds of a `--budget`."""
    return None if budget is None else seconds_of(budget)
