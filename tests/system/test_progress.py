"""Progress with the remaining time: the estimate, its wording, and the bar on a terminal."""

import io
import subprocess
import sys
from functools import partialmethod

import pytest
import rich.progress
from rich.console import Console

from inpaint.system.progress import Pace, Together, bar, duration
from inpaint.types import Progress


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The time of every estimate, moved by hand; each report is drawn at once, not ten times a second."""
    clock, update = Clock(), rich.progress.Progress.update
    monkeypatch.setattr(Pace.__init__, "__defaults__", (clock,))
    monkeypatch.setattr(rich.progress.Progress, "update", partialmethod(update, refresh=True))
    return clock


def terminal():
    return Console(file=io.StringIO(), force_terminal=True, color_system=None, width=100)


def test_the_rest_is_estimated_from_the_recent_speed():
    clock = Clock()
    pace = Pace(clock)
    pace.mark(1000)  # a resumed run: what was done before does not count
    assert pace.remaining_s(2000) is None
    for iteration in range(1001, 1101):
        clock.now += 60.0 if iteration == 1001 else 2.0  # the first iteration compiles
        pace.mark(iteration)
    assert pace.per_s() == pytest.approx(0.5, rel=0.02)
    assert pace.remaining_s(2000) == pytest.approx(1800, rel=0.02)


def test_even_work_slower_than_the_window_has_an_estimate():
    clock = Clock()
    pace = Pace(clock, window_s=10)
    for step in range(4):
        pace.mark(step)
        clock.now += 100
    assert pace.remaining_s(5) == pytest.approx(200)


def test_durations_read_well():
    assert [duration(s) for s in (0, 59.6, 3723, 90061, 180000)] == [
        "0:00:00",
        "0:01:00",
        "1:02:03",
        "1 day 1:01:01",
        "2 days 2:00:00",
    ]


def test_a_terminal_gets_count_and_remaining_time_and_is_left_as_it_was(clock):
    console = terminal()
    with bar("fills", console=console) as fills:
        assert fills.shown
        fills.report(Progress(done=4, total=20))  # an earlier run's
        clock.now += 60
        fills.report(Progress(done=10, total=20))
    shown = console.file.getvalue()
    assert "fills" in shown
    assert "10/20 0:01:40 left" in shown  # six a minute, ten to go
    assert shown.endswith("\x1b[2K")  # nothing of it stays
    assert "\x1b[?25h" in shown  # the cursor is back


def test_what_the_work_itself_says_of_the_rest_is_shown(clock):
    console = terminal()
    with bar("iteration", console=console) as iterations:
        iterations.show(3, 100, description="part 1 of 2, iteration", remaining_s=3723)
    shown = console.file.getvalue()
    assert "part 1 of 2, iteration" in shown
    assert "3/100 1:02:03 left" in shown


def test_the_steps_of_the_item_at_work_have_a_bar_of_their_own_and_count_for_the_rest(clock):
    console = terminal()
    with bar("photos", 2, console=console) as photos:
        for _ in photos.track(range(2)):
            clock.now += 30
            photos.inner(Progress(done=500, total=1000))
            clock.now += 30
    shown = console.file.getvalue()
    assert "this one" in shown
    assert "500/1000" in shown
    assert "0/2 0:01:30 left" in " ".join(shown.split())  # half of the first took half a minute
    assert "1/2 0:00:30 left" in " ".join(shown.split())


def test_single_steps_need_no_inner_bar(clock):
    console = terminal()
    with bar("photos", 1, console=console) as photos:
        photos.show(0)
        photos.inner(Progress(done=1, total=1))
        photos.inner(Progress(done=1, total=2), 2)
    assert "photos" in console.file.getvalue()
    assert "th" not in console.file.getvalue().replace("photos", "")


def test_items_at_work_at_the_same_time_share_a_bar_and_count_for_the_rest(clock):
    console = terminal()
    with bar("photos", 4, console=console) as photos:
        together = Together(photos.inner)
        photos.show(0)
        first, second = together.of("a"), together.of("b")
        clock.now += 60
        second(Progress(done=1000, total=1000))
        first(Progress(done=500, total=1000))
    shown = " ".join(console.file.getvalue().split())
    assert "these 2" in shown
    assert "1500/2000" in shown
    assert "0/4 0:01:40 left" in shown  # one and a half in a minute


def test_an_item_that_was_counted_is_no_longer_at_work():
    told = []
    together = Together(lambda step, items=1: told.append((step.done, step.total, step.remaining_s, items)))
    first, second = together.of("a"), together.of("b")
    first(Progress(done=3, total=10, remaining_s=7))
    second(Progress(done=4, total=20, remaining_s=16))
    together.counted("a")
    together.counted("never told")
    second(Progress(done=5, total=20))
    assert told == [(3, 10, 7, 1), (7, 30, 16, 2), (5, 20, None, 1)]


def test_what_is_no_terminal_stays_clean_and_counts_all_the_same():
    console = Console(file=io.StringIO())
    with bar("masks", 3, console=console) as masks:
        assert not masks.shown
        assert list(masks.track("abc")) == ["a", "b", "c"]
        assert (masks.done, masks.total) == (3, 3)
        masks.inner(Progress(done=1, total=2))
        masks.report(Progress(done=5, total=7))
        assert (masks.done, masks.total) == (5, 7)
    assert console.file.getvalue() == ""


def test_the_bar_is_taken_away_when_the_work_fails():
    console = terminal()

    def fail():
        with bar("fills", 3, console=console) as fills:
            fills.show(1)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert "\x1b[?25h" in console.file.getvalue()


def test_importing_it_imports_neither_rich_nor_torch():
    code = "import sys, inpaint.system.progress, inpaint.system.devices; print({'rich', 'torch'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "set()\n", done.stderr
