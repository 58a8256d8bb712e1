"""Work in processes: everything comes back, errors are told, and nothing outlives who asked."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from inpaint.errors import InpaintError, UsageError
from inpaint.system.processes import scattered
from scattering import prepare

pytestmark = pytest.mark.slow  # starting Python takes a second


def test_every_task_is_done_once_and_what_is_found_comes_back():
    with closing(scattered(prepare, range(7), [(10,), (10,)])) as found:
        assert sorted(found) == [(10 * task, part, "1") for task in range(7) for part in range(2)]


@pytest.mark.parametrize(
    ("task", "kind", "text"),
    [
        ("usage", UsageError, "no such task"),
        ("bug", RuntimeError, "ZeroDivisionError: oh"),
        ("die", InpaintError, "a process ended before its work was done .SIGKILL; perhaps memory ran out"),
    ],
)
def test_what_goes_wrong_in_a_process_is_told(task, kind, text):
    with pytest.raises(kind, match=text), closing(scattered(prepare, [task, 1], [(1,)])) as found:
        list(found)


def test_where_the_lost_is_told_another_process_takes_over_until_three_die_in_a_row():
    with closing(scattered(prepare, ["die", 1, "die", 2], [(10,)], lost=lambda task, reason: (task, reason[-6:]))) as f:
        assert [found[0] for found in f] == ["die", 10, 10, "die", 20, 20]
    with closing(scattered(prepare, ["die"] * 4, [(1,)], lost=lambda task, reason: task)) as found:
        assert [next(found), next(found)] == ["die", "die"]
        with pytest.raises(InpaintError, match="a process ended"):
            next(found)


def test_processes_at_work_end_when_the_iteration_is_left():
    with closing(scattered(prepare, ["sleep"], [(1,)])) as found:
        pid = next(found)
        assert Path(f"/proc/{pid}").exists() or os.name == "nt"
    assert not Path(f"/proc/{pid}").exists()
