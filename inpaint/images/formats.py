"""What each file format is called, how its files begin, and what it can hold."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inpaint.errors import InputError, UsageError, unknown


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


def list_photos(folder: str | os.PathLike[str], recursive: bool = False) -> list[Path]:
    """Return the photos of a folder by suffix, sorted by their path; hidden files and folders are left out.

    Links to folders are followed, each folder is visited once. Raises InputError when `folder` is not a folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"cannot read '{root}': {'not a folder' if root.exists() else 'no such folder'}")
    return [root / name for name in photo_names(root, recursive=recursive)]


def photo_names(folder: Path, *, recursive: bool = True, onerror: Callable[[OSError], None] | None = None) -> list[str]:
    """Return what `list_photos` does as paths relative to the folder, with forward slashes: sooner for millions.

    onerror: called with what goes wrong when a folder is listed; by default such a folder counts as empty.
    """
    names: list[str] = []
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True, onerror=onerror):
        real = os.path.realpath(place)
        # A link that leads back up would otherwise be walked for ever.
        again = real in seen
        seen.add(real)
        folders[:] = [] if again or not recursive else sorted(each for each in folders if not each.startswith("."))
        if not again:
            below = Path(place).relative_to(folder).as_posix()
            prefix = "" if below == "." else f"{below}/"
            names += [prefix + file for file in files if file[0] != "." and file.lower().endswith(IMAGE_SUFFIXES)]
    return sorted(names)
