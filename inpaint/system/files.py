"""Files that are read without waiting and written whole or not at all, and what is no file but a pipe or a device."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from inpaint.errors import InpaintError, WriteError

WRITE_FAILURES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
"""What writing can meet in the middle: disk full, quota, file too large, medium gone read-only, medium broken."""
_PROBE_BYTES = 1 << 16

# Paths by which a process was handed an open pipe: `-`, and what a shell makes of <(command) and >(command).
_OWN_DESCRIPTOR = re.compile(r"/dev/(?:(stdin)|(stdout)|(stderr))|/(?:dev|proc/self)/fd/(\d+)")

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


# Reading -------------------------------------------------------------------------------------------------------------


def open_file(path: str | os.PathLike[str]) -> io.BufferedReader | io.BytesIO:
    """Open a file for reading, never to wait for somebody who would write it.

    A pipe that this process was started with (standard input, a shell's `<(command)`) is read to its end and kept, so
    that it may be opened again.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be opened, or is no regular file; `strerror` says which kind it is.
    """
    if irregular(path) is None:
        try:
            return Path(path).open("rb")
        except ValueError:  # a zero byte
            raise OSError(errno.EINVAL, missing(path), os.fspath(path)) from None
    number = _own_descriptor(path)
    if number is not None and os.isatty(number):
        raise OSError(errno.EINVAL, "it is a terminal: lead a file or a pipe there", os.fspath(path))
    if number is None or stat.S_ISCHR((status := os.fstat(number)).st_mode):
        raise OSError(errno.EINVAL, f"it is {irregular(path)}, not a file", os.fspath(path))
    return io.BytesIO(_arrived(number, status.st_dev, status.st_ino))


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits; raises OSError as `open_file`."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def irregular(path: str | os.PathLike[str]) -> str | None:
    """Return what stands at a path that is neither file nor folder, "a named pipe"; None for these and for nothing."""
    try:
        return _KINDS.get(stat.S_IFMT(os.stat(path).st_mode))  # noqa: PTH116 - also for text, by the million
    except (OSError, ValueError):
        return None


def arrives(path: str | os.PathLike[str]) -> bool:
    """Return whether a path stands for a pipe that this process was started with, which `open_file` reads."""
    number = _own_descriptor(path)
    return number is not None and irregular(path) is not None and not stat.S_ISCHR(os.fstat(number).st_mode)


@cache
def _arrived(number: int, device: int, inode: int) -> bytes:
    """Read an open descriptor to its end; what it is belongs to the key, since numbers are given again."""
    with open(number, "rb", closefd=False) as stream:
        return stream.read()


def _own_descriptor(path: str | os.PathLike[str]) -> int | None:
    """Return the number of the open descriptor that a path stands for, None for an ordinary path."""
    found = _OWN_DESCRIPTOR.fullmatch(os.fspath(path))
    if found is None:
        return None
    return int(found[4]) if found[4] else [found[1], found[2], found[3]].index(found[0].removeprefix("/dev/"))


# Before writing ------------------------------------------------------------------------------------------------------


def check_target(path: str | os.PathLike[str]) -> None:
    """Raise InpaintError unless a file can be written at `path`, whose folder need not exist. Leaves nothing behind.

    Args:
        path: Where `atomic_write` is to write later: said now, before the work.
    """
    path = Path(path)
    if os.path.isdir(path):  # noqa: PTH112 - a name too long is no folder, and no error yet
        raise _unwritable(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    if irregular(path) is not None:
        _check_special(path)
        return
    check_name(path)
    check_folder(path.parent)


def check_name(path: str | os.PathLike[str]) -> None:
    """Raise InpaintError when the last part of a path is longer than its file system takes."""
    path = Path(path)
    size_bytes, most = len(os.fsencode(path.name)), _longest_name(_existing(path.parent))
    if size_bytes > most:
        raise InpaintError(
            f"cannot write '{path}': its name has {size_bytes} bytes, more than the {most} that the file system takes"
        )


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Raise InpaintError unless files can be written into `folder`, which need not exist yet. Leaves nothing behind."""
    path = Path(folder)
    existing = _existing(path)
    for part in (path, *path.parents):
        if part == existing:
            break
        check_name(part)
    try:
        if not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{existing} is not a folder")
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise InpaintError(f"cannot write into '{path}': {error.strerror or error}") from error


def _existing(path: Path) -> Path:
    """Return the innermost part of a path that exists, and be it a link that leads nowhere."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def _longest_name(folder: Path) -> int:
    """Return how many bytes a name in `folder` may have."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError, AttributeError):  # a system without the question
        return 255


# Writing -------------------------------------------------------------------------------------------------------------


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well it takes the place of `path`, else it is removed.

    Whoever reads `path` sees the old file or the whole new one, also after a crash: the data reaches the disk before
    the name changes. The temporary file is hidden and ends in ".tmp", so name the format explicitly when a library
    guesses it from the name. The folder must exist; a link is followed; a pipe or a device gets the whole
    content at the end. A library that puts a file of its own in the
    place of the temporary one does not decide who may read it: its mode is what the umask asks for.

    Raises WriteError naming `path` when it cannot be written, also where a library hides why; other errors of the block
    pass through.
    """
    if irregular(path) is not None:
        with _sent(path) as temporary:
            yield temporary
        return
    target = Path(os.path.realpath(path))
    temporary = _beside(target)
    try:
        # Inside, since an interruption may come right after the file is there.
        try:
            if target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            temporary.touch(exist_ok=False)
            made = temporary.stat()
        except OSError as error:
            raise _unwritable(path, error) from error
        yield temporary
        try:
            if not os.path.samestat(temporary.stat(), made):
                temporary.chmod(stat.S_IMODE(made.st_mode))
            _flush(temporary)
            temporary.replace(target)
        except OSError as error:
            raise _unwritable(path, error) from error
    except InpaintError:
        raise
    except Exception as error:
        failure = _write_failure(error, temporary)
        if failure is None:
            raise
        raise _unwritable(path, failure) from error
    finally:
        # After Ctrl-C as well: nothing half-written stays behind.
        _remove(temporary)
    _flush(target.parent)


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether there is a folder; False also for a path that no system takes, such as one that is too long."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for such paths


def missing(path: str | os.PathLike[str]) -> str:
    """Return why nothing is to be had at a path: "no such file", "File name too long", ...; "" where something is."""
    if not os.fspath(path):
        return "the path is empty"
    try:
        os.stat(path)  # noqa: PTH116 - the reason is wanted
    except FileNotFoundError:
        return "no such file"
    except OSError as error:
        return error.strerror or "cannot be read"
    except ValueError:  # a zero byte
        return "no name of a file"
    return ""


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file of UTF-8, whole or not at all, see `atomic_write`."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of cells as CSV, each line ended by a line feed alone on every system."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def remove_unfinished(folder: Path, *, of: Iterable[str] | None = None) -> None:
    """Remove temporary files that processes killed inside `atomic_write` left. Nobody else may be writing there.

    Args:
        folder: Where they lie; it need not exist.
        of: Names of the files that were being written; None = any.
    """
    starts = None if of is None else {_start(name) for name in of}
    for path in folder.glob(".*.????????.tmp"):
        if starts is None or path.name[1 : -len(".????????.tmp")] in starts:
            _remove(path)


def _beside(target: Path) -> Path:
    return target.with_name(f".{_start(target.name)}.{secrets.token_hex(4)}.tmp")


def _start(name: str) -> str:
    # Little of the name: the longest that a file system takes has no room for more. Of that, what every code page has.
    return name[:40].encode("ascii", "ignore").decode()


@contextmanager
def _sent(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path; what is there when the block ends well goes into the pipe or device at `path`."""
    _check_special(path)
    with tempfile.TemporaryDirectory(prefix="inpaint-") as folder:
        temporary = Path(folder) / "content"
        temporary.touch()
        yield temporary
        number = _own_descriptor(path)
        try:
            stream = open(path if number is None else os.dup(number), "wb")  # noqa: SIM115, PTH123
            with temporary.open("rb") as content, stream:
                shutil.copyfileobj(content, stream)
        except BrokenPipeError:
            pass  # who reads has seen enough
        except OSError as error:
            raise _unwritable(path, error) from error


def _check_special(path: str | os.PathLike[str]) -> None:
    """Raise InpaintError unless what stands at `path` takes bytes: a device, or a pipe that was opened for us.

    Another pipe may have no reader yet, and would be waited for.
    """
    if _own_descriptor(path) is None and not stat.S_ISCHR(os.stat(path).st_mode):  # noqa: PTH116
        raise InpaintError(f"cannot write '{os.fspath(path)}': it is {irregular(path)}, not a file")


def _flush(path: Path) -> None:
    """Make the file's data, or the folder's names, reach the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows has no handle for a folder
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems cannot flush a folder; the rename has happened all the same.
        if path.is_file() or error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _write_failure(error: Exception, temporary: Path) -> OSError | None:
    """Return what the system said when writing failed; None where the error is another one.

    Libraries in C++ and Rust tell it in words of their own, or not at all.
    """
    if isinstance(error, OSError) and error.errno is not None:
        ours = error.filename is not None and os.fspath(error.filename) == os.fspath(temporary)
        return error if ours or error.errno in WRITE_FAILURES else None
    said = re.search(r"\(os error (\d+)\)", str(error))
    if said:
        number = int(said[1])
        return OSError(number, os.strerror(number)) if number in WRITE_FAILURES else None
    try:
        with temporary.open("ab") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as failure:
        return failure if failure.errno in WRITE_FAILURES else None
    return None


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _unwritable(path: str | os.PathLike[str], error: OSError) -> WriteError:
    return WriteError(f"cannot write '{os.fspath(path)}': {error.strerror or error}")
