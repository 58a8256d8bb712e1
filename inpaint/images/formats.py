"""What each file format is called, how its files begin, and what it can hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from inpaint.errors import UsageError, unknown


@dataclass(frozen=True, kw_only=True)
class Format:
    """A file format: its name in Pillow, its suffixes, and which parts of a photo it keeps.

    longest_px is the longest side that a file of this format can have.
    """

    name: str
    suffixes: tuple[str, ...]
    starts: tuple[bytes, ...]
    alpha: bool = True
    deep: bool = False
    gray: bool = True
    icc: bool = True
    exif: bool = True
    longest_px: int = 2**31 - 1


FORMATS = (
    Format(name="JPEG", suffixes=(".jpg", ".jpeg"), starts=(b"\xff\xd8\xff",), alpha=False, longest_px=65500),
    Format(name="PNG", suffixes=(".png",), starts=(b"\x89PNG\r\n\x1a\n",), deep=True),
    Format(name="WebP", suffixes=(".webp",), starts=(b"RIFF",), gray=False, longest_px=16383),
    Format(
        name="TIFF",
        suffixes=(".tif", ".tiff"),
        starts=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        deep=True,
    ),
    Format(name="BMP", suffixes=(".bmp",), starts=(b"BM",), alpha=False, icc=False, exif=False),
)

IMAGE_SUFFIXES = tuple(suffix for format_ in FORMATS for suffix in format_.suffixes)
"""The suffixes that are read and written, in lower case, with the dot."""


def format_of_name(path: str | os.PathLike[str]) -> Format:
    """Return the format that the suffix of `path` asks for. Raises UsageError for any other suffix."""
    suffix = Path(path).suffix.lower()
    for format_ in FORMATS:
        if suffix in format_.suffixes:
            return format_
    raise UsageError(f"cannot write '{os.fspath(path)}': {unknown('suffix', suffix, IMAGE_SUFFIXES)}")


def format_of_content(start: bytes) -> Format | None:
    """Return the format of a file that begins with these bytes (12 are enough), whatever its name says."""
    for format_ in FORMATS:
        if start.startswith(format_.starts) and (format_.name != "WebP" or start[8:12] == b"WEBP"):
            return format_
    return None
