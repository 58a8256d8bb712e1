"""Reading little more of a photo than its header: is it an image, how large, and is it the same as before?"""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeAlias

from PIL import Image, UnidentifiedImageError

from inpaint.images.reading import MAX_PIXELS
from inpaint.system.files import open_file

THREADS = 8  # file systems answer several questions at once; the parsing itself holds the interpreter's lock
BLOCK = 256  # files per task
HEAD_BYTES = 64 * 1024  # enough of a tar member for nearly every header; the rest is read where it is not
PROBE_BYTES = 16 * 1024  # of the start, the middle and the end of a file, by which its content is told

Read: TypeAlias = Callable[[int, int], bytes]
"""Returns so many bytes of a file from a place on: (start, size)."""


@dataclass(frozen=True)
class Header:
    """Height and width in pixels, before any EXIF rotation; both 0 when `problem` says why the file cannot be used.

    fingerprint: tells the content of the file, as `fingerprint` does; 0 beside a problem.
    """

    height: int
    width: int
    problem: str = ""
    fingerprint: int = 0


def header_of_file(path: Path) -> Header:
    """Read the header of one file; a problem is returned, never raised."""
    try:
        with open_file(path) as file:
            header, size = _header(file), file.seek(0, io.SEEK_END)

            def read(start: int, count: int) -> bytes:
                file.seek(start)
                return file.read(count)

            return header if header.problem else replace(header, fingerprint=fingerprint(read, size))
    except FileNotFoundError:
        return Header(0, 0, "no such file")
    except OSError as error:
        return Header(0, 0, error.strerror or "cannot be read")


def header_of_part(read: Read, size: int) -> Header:
    """Read the header of what lies in a larger file: from its first bytes, or from all where these do not suffice.

    Args:
        read: Reads it.
        size: Its bytes.
    """
    header = _header(io.BytesIO(read(0, min(size, HEAD_BYTES))))
    if header.problem and size >= HEAD_BYTES:
        header = _header(io.BytesIO(read(0, size)))
    return header if header.problem else replace(header, fingerprint=fingerprint(read, size))


def fingerprint(read: Read, size: int) -> int:
    """Return what tells the content of a file, of which large ones are not read whole: a hash of size and bytes.

    It is read at its start, its middle and its end. A change elsewhere that leaves the size is not seen: compressed
    photos hardly ever have such.

    Args:
        read: Reads it.
        size: Its bytes.

    Returns:
        A number of 64 bit, with a sign.
    """
    found = hashlib.blake2b(str(size).encode(), digest_size=8)
    whole = size <= 3 * PROBE_BYTES
    for start in range(0, size, PROBE_BYTES) if whole else (0, (size - PROBE_BYTES) // 2, size - PROBE_BYTES):
        found.update(read(start, PROBE_BYTES))
    return int.from_bytes(found.digest(), "little", signed=True)


def headers_of_files(paths: Sequence[Path]) -> list[Header]:
    """Read many headers, several at a time, in the order of `paths`."""
    blocks = [paths[start : start + BLOCK] for start in range(0, len(paths), BLOCK)]
    with quiet_about_size(), ThreadPoolExecutor(THREADS) as pool:
        return list(chain.from_iterable(pool.map(lambda block: [header_of_file(path) for path in block], blocks)))


@contextmanager
def quiet_about_size() -> Iterator[None]:
    """Silence Pillow's warning about large images: our own limit is checked instead. Not for use inside threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _header(file: BinaryIO) -> Header:
    try:
        with Image.open(file) as image:
            width, height = image.size
    except UnidentifiedImageError:
        width, height = _tiff_size(file)
        if not width:
            return Header(0, 0, "empty file" if not file.seek(0, io.SEEK_END) else "not an image")
    except Image.DecompressionBombError:
        return Header(0, 0, f"claims more than {MAX_PIXELS} pixels")
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, OverflowError) as error:
        return Header(0, 0, f"damaged header ({' '.join(str(error).split())})")
    if width * height > MAX_PIXELS:
        return Header(0, 0, f"claims {width * height} pixels, more than {MAX_PIXELS}")
    return Header(height, width)


def _tiff_size(file: BinaryIO) -> tuple[int, int]:
    """Return (width, height) of a TIFF that Pillow does not know (16 bit RGB), or (0, 0)."""
    file.seek(0)
    if file.read(4) not in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return 0, 0
    import tifffile

    file.seek(0)
    try:
        with tifffile.TiffFile(file) as tiff:
            page = tiff.pages.first
            return int(page.imagewidth), int(page.imagelength)
    except (tifffile.TiffFileError, OSError, ValueError, IndexError, AttributeError, struct.error):
        return 0, 0
