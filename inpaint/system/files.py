"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inpaint.errors import InpaintError, WriteError

# What writing itself can meet in the middle: disk full, quota, file too large, medium gone read-only, medium broken.
_WRITE_FAILURES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
_PROBE_BYTES = 1 << 16


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well it takes the place of `path`, else it is removed.

    Whoever reads `path` sees the old file or the whole new one, also after a crash: the data reaches the disk before
    the name changes. The temporary file is hidden and ends in ".tmp", so name the format explicitly when a library
    guesses it from the name. The folder must exist; a link is followed. A library that puts a file of its own in the
    place of the temporary one does not decide who may read it: its mode is what the umask asks for.

    Raises WriteError naming `path` when it cannot be written, also where a library hides why; other errors of the block
    pass through.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")
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


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file of UTF-8, whole or not at all, see `atomic_write`."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


def remove_unfinished(folder: Path) -> None:
    """Remove temporary files that processes killed inside `atomic_write` left. Nobody else may be writing there."""
    for path in folder.glob(".*.????????.tmp"):
        _remove(path)


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
        return error if ours or error.errno in _WRITE_FAILURES else None
    said = re.search(r"\(os error (\d+)\)", str(error))
    if said:
        number = int(said[1])
        return OSError(number, os.strerror(number)) if number in _WRITE_FAILURES else None
    try:
        with temporary.open("ab") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as failure:
        return failure if failure.errno in _WRITE_FAILURES else None
    return None


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _unwritable(path: str | os.PathLike[str], error: OSError) -> WriteError:
    return WriteError(f"cannot write '{os.fspath(path)}': {error.strerror or error}")
