"""Signals: remembered, ending at the second one, handed on to a child, and handlers left as they were."""

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from inpaint.system.signals import (
    ENDING,
    SAME_WISH_S,
    Forwarding,
    StopRequest,
    ending_on_sigterm,
    ending_with_parent,
    handlers_restored,
    stopping_on_signals,
)


@pytest.fixture(autouse=True)
def own_handlers():
    before = {number: signal.signal(number, signal.default_int_handler) for number in ENDING}
    yield
    after = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        signal.signal(number, handler)
    assert set(after.values()) == {signal.default_int_handler}


def test_sigterm_ends_the_work_with_its_status_and_ctrl_c_as_ever():
    with pytest.raises(SystemExit) as ended, ending_on_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 143
    with pytest.raises(KeyboardInterrupt), ending_on_sigterm():
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_is_remembered(number, status):
    with stopping_on_signals() as request:
        assert (request.number, request.exit_status) == (None, 0)
        signal.raise_signal(number)
        assert (request.number, request.exit_status) == (number, status)


@pytest.mark.parametrize("first", ENDING)
def test_a_signal_that_comes_again_does_not_cut_short_what_the_first_asked_for(first):
    with stopping_on_signals() as request:
        for number in (first, first, *ENDING):
            signal.raise_signal(number)
        assert request.number == first
        assert request.exit_status == 128 + first


def test_only_a_second_ctrl_c_of_a_user_ends_at_once():
    now = [0.0]
    request = StopRequest(clock=lambda: now[0])
    with handlers_restored():
        request.listen()
        signal.raise_signal(signal.SIGINT)
        now[0] = SAME_WISH_S / 2  # a launcher hands on what the whole group got
        signal.raise_signal(signal.SIGINT)
        now[0] = 60.0
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU"])
def test_what_schedulers_and_terminals_send_asks_to_end(name):
    number = signal.Signals[name]
    with stopping_on_signals() as request:
        signal.raise_signal(number)
    assert (request.number, request.exit_status) == (number, 128 + number)
    with pytest.raises(SystemExit) as ended, ending_on_sigterm():
        signal.raise_signal(number)
    assert ended.value.code == 128 + number


def test_a_hang_up_that_nohup_ignores_stays_ignored():
    with handlers_restored():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with stopping_on_signals() as request:
            signal.raise_signal(signal.SIGHUP)
        assert request.number is None
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def test_a_process_that_we_run_ends_when_we_are_killed(tmp_path):
    note = tmp_path / "note"
    child = (
        "import pathlib, signal, sys, time; from inpaint.system.signals import ending_with_parent, StopRequest\n"
        "request = StopRequest(); request.listen(); ending_with_parent(every_s=0.05)\n"
        f"note = pathlib.Path({str(note)!r}); note.write_text('runs')\n"
        "while request.number is None: time.sleep(0.02)\n"
        "note.write_text('saved')\n"
    )
    parent = (
        "import sys; from inpaint.system.signals import Forwarding\n"
        f"with Forwarding() as forwarding: forwarding.run([sys.executable, '-c', {child!r}])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", parent])
    wait_for(lambda: note.exists() and note.read_text() == "runs")
    process.kill()
    process.wait()
    wait_for(lambda: note.read_text() == "saved")


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_of_another_parent_is_left_alone(monkeypatch):
    monkeypatch.delenv("INPAINT_PARENT", raising=False)
    before = threading.active_count()
    ending_with_parent()
    assert threading.active_count() == before


def test_handlers_come_back_whoever_installed_others_and_a_request_may_listen_again():
    request = StopRequest()
    with suppress(ZeroDivisionError), handlers_restored():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        request.listen()
        signal.raise_signal(signal.SIGINT)
        assert request.number == signal.SIGINT
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_outside_the_main_thread_nothing_is_installed():
    found = []

    def work():
        with stopping_on_signals(), ending_on_sigterm(), Forwarding():
            found.extend(signal.getsignal(number) for number in ENDING)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler] * len(ENDING)


def test_a_child_gets_the_signal_and_its_status_comes_back(tmp_path):
    ready, main = tmp_path / "ready", threading.get_ident()
    child = (
        "import pathlib, signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); "
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )

    def ask():
        while not ready.exists():
            time.sleep(0.02)
        signal.pthread_kill(main, signal.SIGTERM)

    with Forwarding() as forwarding:
        assert forwarding.run([sys.executable, "-c", "import sys; sys.exit(3)"]) == 3
        assert forwarding.signal_number is None
        asking = threading.Thread(target=ask)
        asking.start()
        assert forwarding.run([sys.executable, "-c", child]) == 7
        asking.join()
    assert forwarding.signal_number == signal.SIGTERM


def test_a_signal_that_came_before_the_child_reaches_it():
    with Forwarding() as forwarding:
        signal.raise_signal(signal.SIGTERM)
        status = forwarding.run([sys.executable, "-c", "import signal; signal.pause()"])
    assert status == -signal.SIGTERM
