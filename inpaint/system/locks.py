"""Folders that belong to one process at a time: a lock file that says whose they are, and dies with its process.

The system's own lock on the file decides between processes of one machine: it ends with the process, however that ends.
What the file says decides between machines, since a lock of the system does not reach across every network file system.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import weakref
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from inpaint.errors import InpaintError
from inpaint.system.environment import process_age_s

_BEYOND = 2**30  # Windows locks bytes and lets nobody read them: one far behind what the file says

_SLACK_S = 60.0  # by which a clock may have been set since

_held: set[int] = set()  # descriptors of the locks of this process


@dataclass(frozen=True)
class Owner:
    """The process that a folder belongs to. since: when it took it, in local time with its offset."""

    host: str
    process: int
    since: str

    def __str__(self) -> str:
        return f"process {self.process} on host {self.host}, since {self.since}"


class HeldError(InpaintError):
    """The folder belongs to another process.

    owner: that process, None where the file does not say. elsewhere: whether it is, or was, on another machine, so that
    nobody here can know whether it still runs.
    """

    def __init__(self, owner: Owner | None, *, elsewhere: bool) -> None:
        super().__init__(f"in use by {owner or 'another process'}")
        self.owner = owner
        self.elsewhere = elsewhere


class FolderLock:
    """A lock on a folder, taken by `acquire` and given back by `release`, by the garbage collector, or at exit.

    Child processes do not inherit it.

    Args:
        path: The lock file. It is there while somebody holds the lock, or when a holder was killed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._release: weakref.finalize[..., FolderLock] | None = None

    def acquire(self, *, takeover: bool = False) -> None:
        """Take the lock, and make the folder where there is none. Nothing happens when it is held already.

        The lock of a process of this machine that has ended is taken over.

        Args:
            takeover: Take over the lock of another machine, too.

        Raises:
            HeldError: The folder belongs to another process.
            OSError: The folder cannot be made, or the file not be written.
        """
        if self._release is not None and self._release.alive:
            return
        made = _make_folder(self.path.parent)
        try:
            handle = self._take(takeover)
        except BaseException:
            _remove_empty(made)
            raise
        _held.add(handle)
        self._release = weakref.finalize(self, _give_back, self.path, handle, os.getpid(), made)

    def release(self) -> None:
        """Give the lock back, and remove a folder that it made and nobody has used."""
        if self._release is not None:
            self._release()

    def lost_to(self) -> Owner | None:
        """Return who has taken this lock over; None while it is ours."""
        owner = _owner(self.path)
        return None if owner is None or (owner.host, owner.process) == (platform.node(), os.getpid()) else owner

    def check(self) -> None:
        """Raise HeldError where `acquire` would, and touch nothing."""
        with suppress(FileNotFoundError, NotADirectoryError):
            handle = os.open(self.path, os.O_RDWR)
            try:
                self._refuse(handle, takeover=False)
            finally:
                os.close(handle)

    def _take(self, takeover: bool) -> int:
        while True:
            try:
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            except FileNotFoundError:  # somebody who had made the folder has just removed it
                _make(self.path.parent)
                continue
            try:
                replaced = self._refuse(handle, takeover=takeover)
                # Whoever gave it back in between removed the file: then what is locked here is nobody's any more.
                if not replaced and _is_at(handle, self.path):
                    _write(
                        handle,
                        Owner(platform.node(), os.getpid(), datetime.now().astimezone().isoformat(" ", "seconds")),
                    )
                    return handle
                if replaced:
                    self.path.unlink(missing_ok=True)
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)

    def _refuse(self, handle: int, *, takeover: bool) -> bool:
        """Lock an open lock file, or raise HeldError; return whether it is another machine's and to be replaced."""
        owner, free = _read(handle), _try_lock(handle)
        elsewhere = owner is not None and owner.host != platform.node()
        if elsewhere and takeover:
            return True
        if elsewhere or not free:
            raise HeldError(owner, elsewhere=elsewhere)
        return False


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder and return those that were not there, inner ones first."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    _make(folder)
    return made


def _make(folder: Path) -> None:
    """Make a folder that others make and remove at the same time."""
    while not folder.is_dir():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:  # also where it was removed between two looks
            if folder.exists() and not folder.is_dir():
                raise


def _remove_empty(folders: list[Path]) -> None:
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _give_back(path: Path, handle: int, process: int, made: list[Path]) -> None:
    if os.getpid() != process:
        return  # a child that was forked; it has closed its copy
    with suppress(OSError):
        if _is_at(handle, path):
            path.unlink()
    _held.discard(handle)
    with suppress(OSError):
        os.close(handle)
    _remove_empty(made)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _owner(path: Path) -> Owner | None:
    try:
        return _parsed(path.read_bytes())
    except OSError:
        return None


def _read(handle: int) -> Owner | None:
    os.lseek(handle, 0, os.SEEK_SET)
    return _parsed(os.read(handle, 4096))


def _parsed(content: bytes) -> Owner | None:
    try:
        said = json.loads(content)
        return Owner(str(said["host"]), int(said["process"]), str(said["since"]))
    except (ValueError, TypeError, KeyError):
        return None  # killed, or caught, between making the file and writing it


def _write(handle: int, owner: Owner) -> None:
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, json.dumps(asdict(owner)).encode() + b"\n")
    os.fsync(handle)


def _try_lock(handle: int) -> bool:
    """Lock an open file without waiting; return whether nobody else holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _BEYOND, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        # A file system without locks: what the file says is all there is, and its process may have ended.
        owner = _read(handle)
        return owner is None or not _runs(owner)
    return True


def _runs(owner: Owner) -> bool:
    """Return whether a process of this machine still runs, and not another one that has got its number since."""
    if os.name == "nt":
        return True  # asking would end it
    try:
        os.kill(owner.process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's
    try:
        taken_s = time.time() - datetime.fromisoformat(owner.since).timestamp()
    except ValueError:
        taken_s = 0.0
    age_s = process_age_s(owner.process)
    return owner.process != os.getpid() and not 0 < age_s < taken_s - _SLACK_S


def _forget() -> None:
    """Close what a forked child got a copy of: the lock would live as long as the child."""
    for handle in _held:
        with suppress(OSError):
            os.close(handle)
    _held.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget)
