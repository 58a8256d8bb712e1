"""Fills that are watched: steps, answers, errors, warnings, and the end of those that nobody waits for."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from inpaint.errors import InputError
from inpaint.pipeline.steps import Watched, warnings_of_thread
from inpaint.types import Progress, StopFill


def steps_until(condition, tell, *, most_s=5.0):
    """Tell steps until the condition holds, as a long fill does."""
    started, done = time.monotonic(), 0
    while not condition():
        assert time.monotonic() - started < most_s, "nobody stopped this"
        done += 1
        tell(Progress(done=done, total=1_000_000))
        time.sleep(0.005)


def test_steps_come_in_order_and_then_the_answer():
    def work(tell):
        for done in range(1, 6):
            tell(Progress(done=done, total=5))
            time.sleep(0.02)
        return "filled"

    watched = Watched(work, every_s=0.01)
    seen = [step.done for step in watched if step is not None]
    assert seen == sorted(set(seen))
    assert seen[-1] == 5
    assert watched.answer() == "filled"


def test_a_request_to_stop_reaches_the_fill_which_returns_what_it_has():
    stopping = threading.Event()

    def work(tell):
        try:
            steps_until(lambda: False, tell)
        except StopFill:
            return "best so far"

    watched = Watched(work, stopping=stopping, every_s=0.01)
    for step in watched:
        if step is not None:
            stopping.set()
    assert watched.answer() == "best so far"


def test_whoever_leaves_ends_the_work_at_its_next_step():
    ended = threading.Event()

    def work(tell):
        try:
            steps_until(lambda: False, tell)
        finally:
            ended.set()

    for step in Watched(work, every_s=0.01):
        if step is not None:
            break
    assert ended.is_set()


def test_an_error_of_the_work_is_raised_with_the_answer():
    def work(tell):
        raise InputError("too small")

    watched = Watched(work, every_s=0.01)
    assert [step for step in watched if step is not None] == []
    with pytest.raises(InputError, match="too small"):
        watched.answer()


def test_warnings_of_the_work_are_its_own_and_said_once():
    other = logging.getLogger("inpaint.images")

    def work(tell):
        other.warning("%s: soft edge", "mask.png")
        other.warning("%s: soft edge", "mask.png")
        other.info("not worth a warning")

    watched = Watched(work, every_s=0.01)
    for _ in watched:
        other.warning("of another thread")
    assert watched.warnings() == ["mask.png: soft edge"]


def test_warnings_are_heard_only_as_long_as_the_block_lasts():
    found = []
    with warnings_of_thread(found):
        logging.getLogger("inpaint.pipeline").warning("inside")
    logging.getLogger("inpaint.pipeline").warning("outside")
    assert found == ["inside"]
