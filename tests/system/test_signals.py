"""Signals: remembered, ending at the second one, handed on to a child, and handlers left as they were."""

import signal
import sys
import threading
import time
from contextlib import suppress

import pytest

from inpaint.system.signals import (
    ENDING,
    Forwarding,
    StopRequest,
    ending_on_sigterm,
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
def test_the_second_signal_ends_at_once(first):
    with stopping_on_signals() as request:
        signal.raise_signal(first)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(SystemExit, match="143"):
            signal.raise_signal(signal.SIGTERM)
        assert request.number == first


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
    assert found == [signal.default_int_handler] * 2


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
