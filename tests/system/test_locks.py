"""Locks on folders: one process at a time, given back however a process ends, never kept by its children."""

import errno
import json
import os
import platform
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime

import pytest

from inpaint.system.locks import FolderLock, HeldError


def program(path, then: str) -> list[str]:
    """Return the command of a process that takes the lock and does something."""
    start = "import os, time; from pathlib import Path; from inpaint.system.locks import FolderLock"
    return [sys.executable, "-c", f"{start}\nlock = FolderLock(Path({str(path)!r})); lock.acquire()\n{then}"]


def test_a_folder_that_the_lock_made_goes_with_it_unless_it_was_used(tmp_path):
    lock = FolderLock(tmp_path / "a" / "b" / "run.lock")
    lock.acquire()
    lock.acquire()  # it is ours already
    lock.release()
    assert list(tmp_path.iterdir()) == []
    lock.acquire()
    (tmp_path / "a" / "b" / "file").touch()
    lock.release()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


def test_children_do_not_keep_the_lock_of_a_process_that_is_killed(tmp_path):
    path = tmp_path / "run" / "run.lock"
    child = "if os.fork() == 0: time.sleep(60); os._exit(0)\nprint('held', flush=True); time.sleep(60)\n"
    process = subprocess.Popen(program(path, child), stdout=subprocess.PIPE, start_new_session=True)
    lock = FolderLock(path)
    try:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(HeldError, match=f"in use by process {process.pid} on host") as held:
            lock.acquire(takeover=True)  # of a process on this machine nobody may
        assert not held.value.elsewhere
        process.kill()
        process.wait()
        for _ in range(200):  # a child lets go when it first runs, which may be later
            with suppress(HeldError):
                lock.acquire()
                break
            time.sleep(0.05)
        else:
            pytest.fail("the lock is still held")
        lock.release()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()


@pytest.mark.parametrize(("then", "status"), [("raise SystemExit(3)", 3), ("1 / 0", 1), ("", 0)])
def test_a_process_that_ends_leaves_no_lock(tmp_path, then, status):
    path = tmp_path / "run.lock"
    assert subprocess.run(program(path, then), check=False, capture_output=True).returncode == status
    assert not path.exists()


def test_a_lock_that_nobody_refers_to_any_more_is_given_back(tmp_path):
    lock = FolderLock(tmp_path / "run.lock")
    lock.acquire()
    del lock
    FolderLock(tmp_path / "run.lock").acquire()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"host": "x"}', "null", '{"host": "x", "process": "a", "since": 1}']
)
def test_a_lock_file_that_says_nothing_belongs_to_who_locks_it(tmp_path, content):
    path = tmp_path / "run.lock"
    path.write_text(content)
    lock = FolderLock(path)
    lock.check()
    lock.acquire()
    assert json.loads(path.read_text())["host"] == platform.node()
    assert lock.lost_to() is None


def test_asking_for_a_lock_makes_nothing(tmp_path):
    FolderLock(tmp_path / "a" / "run.lock").check()
    assert list(tmp_path.iterdir()) == []


def test_without_locks_of_the_system_a_process_that_got_an_old_number_holds_nothing(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def unsupported(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    path = tmp_path / "run.lock"
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        owner = {"host": platform.node(), "process": process.pid}
        path.write_text(json.dumps({**owner, "since": datetime.now().astimezone().isoformat(" ", "seconds")}))
        with pytest.raises(HeldError, match=f"process {process.pid}"):
            FolderLock(path).acquire()
        path.write_text(json.dumps({**owner, "since": "2020-01-01 00:00:00+00:00"}))
        FolderLock(path).acquire()
    finally:
        process.communicate(b"\n")
