"""How far work is and how long it will take: a bar with the remaining time on a terminal, nothing elsewhere.

Each piece of long work uses the same few things. A verb opens a bar and reports to it:

    with progress.bar("photos", len(photos)) as bar:
        for photo in bar.track(photos):        # one step each
            fill(photo, progress=bar.inner)    # the steps within this one, where there are several

Work that reports through a `ProgressCallback` takes `bar.report`. What shows its own text (a training's log lines, a
fill's callback) takes the estimate from `Pace` and writes it with `duration`. Cheap to import: rich comes when a bar is
opened.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from inpaint.types import Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

Item = TypeVar("Item")

WINDOW_S = 120.0  # the speed is that of the last two minutes, whatever happened in them included


class Pace:
    """Steps per second and remaining time, from the recent past.

    Args:
        clock: What tells the time, in seconds.
        window_s: How far back the past counts. At least two marks always count, however slow the work is.

    Example:
        >>> seconds = iter([0.0, 10.0])
        >>> pace = Pace(clock=lambda: next(seconds))
        >>> pace.mark(100)  # a resumed run: what was done before does not count
        >>> pace.mark(120)
        >>> pace.per_s(), pace.remaining_s(220)
        (2.0, 50.0)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, window_s: float = WINDOW_S) -> None:
        self._clock = clock
        self._window_s = window_s
        self._marks: deque[tuple[float, float]] = deque()

    def mark(self, done: float) -> None:
        """Note that so many steps are complete now; the first mark is where the work starts."""
        now = self._clock()
        self._marks.append((now, done))
        # One mark beyond the window stays, so that even the slowest work has two.
        while len(self._marks) > 2 and self._marks[1][0] < now - self._window_s:
            self._marks.popleft()

    def per_s(self) -> float | None:
        """Return steps per second; None before two marks."""
        if len(self._marks) < 2:
            return None
        (start_s, first), (end_s, last) = self._marks[0], self._marks[-1]
        return (last - first) / max(end_s - start_s, 1e-9)

    def remaining_s(self, total: float) -> float | None:
        """Return the seconds to `total` steps; None before the speed is known."""
        speed = self.per_s()
        return (total - self._marks[-1][1]) / speed if speed else None


_UNITS_S = {"d": 86400, "h": 3600, "m": 60, "min": 60, "s": 1}


def seconds_of(time_span: float | str) -> float:
    """Return the seconds of a time span: 8h, 1h30m, 90s, 1.5h, 00:30:00, 2-00:00:00 (SLURM's days), or seconds.

    Raises:
        ValueError: It is none of these, or nothing at all.

    Example:
        >>> seconds_of("1h30m"), seconds_of("00:30:00"), seconds_of(90)
        (5400.0, 1800.0, 90.0)
    """
    text = str(time_span).strip().lower()
    clock = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", text)
    if clock:
        days, hours, minutes, rest = (int(part or 0) for part in clock.groups())
        found = 86400.0 * days + 3600 * hours + 60 * minutes + rest
    elif re.fullmatch(r"\d+(\.\d+)?", text):
        found = float(text)
    elif re.fullmatch(r"(\d+(\.\d+)?\s*(d|h|min|m|s)\s*)+", text):
        parts = re.findall(r"(\d+(?:\.\d+)?)\s*(d|h|min|m|s)", text)
        found = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    else:
        raise ValueError(f"must be a time such as 8h, 1h30m, 00:30:00 or seconds, got {time_span}")
    if found <= 0:
        raise ValueError(f"must be a time above 0, got {time_span}")
    return found


def duration(seconds: float) -> str:
    """Return a time as a reader takes it in at once.

    Args:
        seconds: Not negative; rounded to whole ones.

    Example:
        >>> duration(3723), duration(180000)
        ('1:02:03', '2 days 2:00:00')
    """
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    front = f"{days} day{'s' if days > 1 else ''} " if days else ""
    return f"{front}{hour}:{minute:02}:{second:02}"


class StepsOfItems(Protocol):
    """What is told the steps of the items at work: of one, or of several at the same time, added up."""

    def __call__(self, step: Progress, items: int = 1) -> None:
        """Take the steps of so many items."""
        ...


class Together:
    """Adds up the steps of items that are at work at the same time, each of which reports for itself.

    Args:
        tell: Is told the sum, by one thread at a time.

    Example:
        >>> both = Together(lambda step, items=1: print(step.done, step.total, items))
        >>> first, second = both.of("a"), both.of("b")
        >>> first(Progress(done=300, total=1000))
        300 1000 1
        >>> second(Progress(done=100, total=1000))
        400 2000 2
        >>> both.counted("a")
        >>> second(Progress(done=200, total=1000))
        200 1000 1
    """

    def __init__(self, tell: StepsOfItems) -> None:
        self._tell = tell
        self._steps: dict[Hashable, Progress] = {}
        self._lock = threading.Lock()

    def of(self, item: Hashable) -> Callable[[Progress], None]:
        """Return what an item is told to call."""

        def report(step: Progress) -> None:
            with self._lock:
                self._steps[item] = step
                steps = self._steps.values()
                rests = [each.remaining_s for each in steps if each.remaining_s is not None]
                done, total = sum(each.done for each in steps), sum(each.total for each in steps)
                together = Progress(done=done, total=total, remaining_s=max(rests, default=None))
                self._tell(together, len(self._steps))

        return report

    def counted(self, item: Hashable) -> None:
        """Leave out an item that counts as a whole from now on."""
        with self._lock:
            self._steps.pop(item, None)


class Bar:
    """The progress of one piece of work, shown or not; made by `bar`. Several threads may report.

    done, total: steps as last reported; total None while it is not known. shown: whether anybody sees it, so that what
    is costly to report may be left out.
    """

    def __init__(self, description: str, total: float | None, display: RichProgress) -> None:
        self.done: float = 0
        self.total = total
        self.shown = not display.disable
        self._outer = _Row(display, description)
        self._inner = _Row(display, "")
        self._lock = threading.Lock()

    def show(
        self, done: float, total: float | None = None, *, description: str = "", remaining_s: float | None = None
    ) -> None:
        """Say how far the work is.

        Args:
            done: Steps complete. The first call tells where the work starts: what an earlier run has done took no time
                now and is left out of the estimate.
            total: Steps of the whole; None leaves it as it was.
            description: What stands before the bar from now on; "" leaves it.
            remaining_s: The rest in seconds, where the work itself knows better than its recent pace.
        """
        with self._lock:
            self.done, self.total = done, self.total if total is None else total
            self._outer.show(done, self.total, remaining_s, text=description)
            self._inner.hide()

    def report(self, step: Progress) -> None:
        """Do the same for work that reports through a `ProgressCallback`."""
        self.show(step.done, step.total, remaining_s=step.remaining_s)

    def inner(self, step: Progress, items: int = 1) -> None:
        """Show the steps of the items at work on a bar of their own, where one has several; hidden by the next item."""
        if step.total <= items:
            return
        with self._lock:
            text = "this one" if items == 1 else f"these {items}"
            self._inner.show(step.done, step.total, step.remaining_s, text=text)
            self._outer.show(self.done, self.total, part=items * step.done / step.total)

    def track(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield each item; it counts as a step when the next one is asked for."""
        self.show(self.done)
        for item in items:
            yield item
            self.show(self.done + 1)


@contextmanager
def bar(description: str, total: float | None = None, *, console: Console | None = None) -> Iterator[Bar]:
    """Show a bar with count and remaining time until the block ends; it leaves no trace behind.

    Warnings and other lines that are printed meanwhile appear above it.

    Args:
        description: What is counted: "photos", "fills".
        total: Steps of the whole; may be given or changed by reports.
        console: Where it is shown; by default standard error. Only a terminal gets a bar: files stay clean.

    Example:
        >>> with bar("fills") as fills:
        ...     fills.report(Progress(done=2, total=8))
        >>> fills.done, fills.total
        (2, 8)
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress

    console = console or Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with RichProgress(*columns, console=console, transient=True, disable=not console.is_terminal) as display:
        yield Bar(description, total, display)


class _Row:
    """One line of the display, added when it is first shown."""

    def __init__(self, display: RichProgress, text: str) -> None:
        self._display = display
        self._text = text
        self._task: TaskID | None = None
        self._pace = Pace()

    def show(
        self, done: float, total: float | None, remaining_s: float | None = None, *, text: str = "", part: float = 0.0
    ) -> None:
        """Show `done` steps and a part of the next one."""
        self._text = text or self._text
        self._pace.mark(done + part)
        if remaining_s is None and total is not None:
            remaining_s = self._pace.remaining_s(total)
        left = "" if remaining_s is None else f"{duration(max(remaining_s, 0))} left"
        if self._task is None:
            self._task = self._display.add_task(self._text, total=total, left=left)
        self._display.update(self._task, description=self._text, completed=done, total=total, left=left, visible=True)

    def hide(self) -> None:
        """Leave the display; what is shown next is another item's."""
        if self._task is not None:
            self._display.update(self._task, visible=False)
            self._pace = Pace()
