"""Reading no more of a photo than its header: is it an image, and how large?"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from inpaint.images.reading import MAX_PIXELS

THREADS = 8  # file systems answer several questions at once; the parsing itself holds the interpreter's lock
BLOCK = 256  # files per task
HEAD_BYTES = 64 * 1024  # enough of a tar member for nearly every header; the rest is read where it is not


@dataclass(frozen=True)
class Header:
    """Height and width in pixels, before any EXIF rotation; both 0 when `problem` says why the file cannot be used."""

    height: int
    width: int
    problem: str = ""


def header_of_file(path: Path) -> Header:
    """Read the header of one file; a problem is returned, never raised."""
    try:
        with path.open("rb") as file:
            return _header(file)
    except FileNotFoundError:
        return Header(0, 0, "no such file")
    except OSError as error:
        return Header(0, 0, error.strerror or "cannot be read")


def header_of_bytes(head: bytes, read_all: Callable[[], bytes]) -> Header:
    """Read the header from the first bytes of a file, or from all of it where they do not reach far enough."""
    header = _header(io.BytesIO(head))
    return _header(io.BytesIO(read_all())) if header.problem and len(head) == HEAD_BYTES else header


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


def _header(file: io.BufferedReader | io.BytesIO) -> Header:
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


def _tiff_size(file: io.BufferedReader | io.BytesIO) -> tuple[int, int]:
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
