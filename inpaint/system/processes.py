"""Work spread over processes of this program, each of which prepares itself once; what they find comes at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, TypeAlias, TypeVar

from inpaint.errors import InpaintError
from inpaint.system.environment import variable_set
from inpaint.system.signals import ENDING

Task = TypeVar("Task")
Found = TypeVar("Found")

Worker: TypeAlias = Callable[[Task, Callable[[Found], None]], None]
"""Does a task and says what it finds, at once, to its second argument."""

# Of the libraries that compute: processes with one thread each beat threads that wait for each other.
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
DEATHS = 3  # of processes, one after the other, that are no accident any more
PATIENCE_S = 5.0  # which a process gets to end before it is killed


def scattered(
    prepare: Callable[..., Worker[Task, Found]],
    tasks: Iterable[Task],
    arguments: Sequence[tuple[Any, ...]],
    *,
    lost: Callable[[Task, str], Found] | None = None,
) -> Generator[Found]:
    """Do tasks in processes and yield what they find, in the order in which it comes.

    Each process computes with one thread and gets its next task when it has done the one before. Processes end with
    this one, however that ends, and when the iteration is left, best with `contextlib.closing`. What is asked for is
    pickled, so `prepare` is a function of a module.

    Args:
        prepare: Called once in each process; returns what does a task.
        tasks: Handed out in their order.
        arguments: Of `prepare`, one tuple for each process.
        lost: Returns what is found of a task whose process died, by its reason; another process takes over then. None:
            that ends the work, as do three deaths in a row in any case.

    Raises:
        InpaintError: One of ours from a process, or a process was killed.
        RuntimeError: Another error in a process, with its traceback.
    """
    remaining = iter(tasks)
    running: dict[Connection, _Running] = {}
    deaths = 0  # in a row
    try:
        for given in arguments:
            _start(prepare, given, running)
        busy = {connection for connection in running if _hand_out(connection, running, remaining)}
        while busy:
            for connection in wait(list(busy)):
                assert isinstance(connection, Connection)
                one = running[connection]
                try:
                    what, found = connection.recv()
                except (EOFError, ConnectionError):
                    one.process.join(PATIENCE_S)
                    reason, deaths = _ended(one.process.exitcode), deaths + 1
                    if lost is None or deaths == DEATHS:
                        raise InpaintError(reason) from None
                    busy.discard(connection)
                    _end({connection: running.pop(connection)})
                    yield lost(one.task, reason)
                    for task in remaining:
                        another = _start(prepare, one.given, running)
                        busy.add(another)
                        _send(another, running, task)
                        break
                    continue
                if what == "found":
                    deaths = 0
                    yield found
                elif what == "failed":
                    raise found
                elif not _hand_out(connection, running, remaining):
                    busy.discard(connection)
    finally:
        _end(running)


@dataclass
class _Running:
    """A process, what it was given, and what it is at."""

    process: Any
    given: tuple[Any, ...]
    task: Any = None


def _start(
    prepare: Callable[..., Worker[Any, Any]], given: tuple[Any, ...], running: dict[Connection, _Running]
) -> Connection:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, prepare, given), daemon=True)
    with ExitStack() as stack:
        for name in ONE_THREAD:
            stack.enter_context(variable_set(name, "1"))
        process.start()
    theirs.close()
    running[ours] = _Running(process, given)
    return ours


def _hand_out(connection: Connection, running: dict[Connection, _Running], remaining: Iterator[Any]) -> bool:
    """Give a process its next task; return whether there was one."""
    for task in remaining:
        _send(connection, running, task)
        return True
    return False


def _send(connection: Connection, running: dict[Connection, _Running], task: Any) -> None:
    running[connection].task = task
    with suppress(OSError):  # of one that has died, which the next word from it tells
        connection.send(task)


def _end(running: dict[Connection, _Running]) -> None:
    for connection, one in running.items():
        connection.close()  # an idle process ends by this
        if one.process.is_alive():
            one.process.terminate()
    for one in running.values():
        process = one.process
        process.join(PATIENCE_S)
        if process.is_alive():
            process.kill()
            process.join()


def _ended(code: int | None) -> str:
    reason = f"exit status {code}"
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in {each.value for each in signal.Signals} else f"signal {-code}"
        reason = f"{name}; perhaps memory ran out, and fewer processes do" if name == "SIGKILL" else name
    return f"a process ended before its work was done ({reason})"


def _serve(connection: Connection, prepare: Callable[..., Worker[Any, Any]], arguments: tuple[Any, ...]) -> None:
    """Be one of the processes."""
    for number in ENDING:  # of the whole group: who started us ends us
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        work = prepare(*arguments)
        while True:
            try:
                task = connection.recv()
            except EOFError:
                return
            work(task, lambda found: connection.send(("found", found)))
            connection.send(("done", None))
    except BrokenPipeError:
        return  # nobody is there to be told
    except InpaintError as error:
        _tell(connection, error)
    except Exception:
        _tell(connection, RuntimeError(f"in a process of its own:\n{traceback.format_exc()}"))


def _tell(connection: Connection, error: Exception) -> None:
    with suppress(OSError):
        try:
            connection.send(("failed", error))
        except (TypeError, ValueError, AttributeError):  # an error that cannot be pickled
            connection.send(("failed", InpaintError(str(error))))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
