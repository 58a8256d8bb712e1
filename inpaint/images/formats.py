"""What each file format is called, how its files begin, and what it can hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from inpaint.errors import UsageError, unknown


class Part(StrEnum):
    """What a file may hold beside RGB of 8 bits; a format keeps it or not, and none keeps the last two."""

    ALPHA = "alpha"
    PREMULTIPLIED = "premultiplied alpha"
    DEEP = "16 bit"
    FLOAT = "floating point or 32 bit"
    GRAY = "gray"
    BILEVEL = "1 bit"
    PALETTE = "palette"
    CMYK = "CMYK"
    EXTRA = "further channels"
    PAGES = "further pages"
    ICC = "ICC profile"
    COLOR = "color chunks"
    EXIF = "EXIF"
    XMP = "XMP"
    IPTC = "IPTC and Photoshop blocks"
    RESOLUTION = "resolution"
    TEXT = "text chunks"
    COMMENT = "comment"
    VIEW = "what may show the photo a second time"
    UNREAD = "what is not understood"


@dataclass(frozen=True, kw_only=True)
class Format:
    """A file format.

    Args:
        name: As Pillow has it, apart from the case.
        suffixes: In lower case, with the dot.
        starts: How its files begin.
        keeps: The parts of a photo that it can hold.
        brands: In place of `starts`: what bytes 8 to 12 of a container (RIFF, or boxes of ISO base media) hold.
        longest_px: The longest side that a file of this format can have.
    """

    name: str
    suffixes: tuple[str, ...]
    starts: tuple[bytes, ...] = ()
    keeps: frozenset[Part]
    brands: tuple[bytes, ...] = ()
    longest_px: int = 2**31 - 1

    def begins(self, start: bytes) -> bool:
        """Return whether a file that begins with these bytes (12 are enough) is of this format."""
        if self.brands:
            return (start.startswith(b"RIFF") or start[4:8] == b"ftyp") and start[8:12] in self.brands
        return start.startswith(self.starts)


FORMATS = (
    Format(
        name="JPEG",
        suffixes=(".jpg", ".jpeg", ".jfif", ".jpe"),
        starts=(b"\xff\xd8\xff",),
        keeps=frozenset(
            {Part.GRAY, Part.CMYK, Part.ICC, Part.EXIF, Part.XMP, Part.IPTC, Part.RESOLUTION, Part.COMMENT},
        ),
        longest_px=65500,
    ),
    Format(
        name="PNG",
        suffixes=(".png",),
        starts=(b"\x89PNG\r\n\x1a\n",),
        keeps=frozenset(
            {Part.ALPHA, Part.DEEP, Part.GRAY, Part.BILEVEL, Part.PALETTE, Part.ICC, Part.COLOR, Part.EXIF, Part.XMP}
            | {Part.IPTC, Part.RESOLUTION, Part.TEXT},
        ),
    ),
    Format(
        name="WebP",
        suffixes=(".webp",),
        brands=(b"WEBP",),
        keeps=frozenset({Part.ALPHA, Part.ICC, Part.EXIF, Part.XMP}),
        longest_px=16383,
    ),
    Format(
        name="TIFF",
        suffixes=(".tif", ".tiff"),
        starts=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        keeps=frozenset(Part) - {Part.COLOR, Part.TEXT, Part.COMMENT, Part.VIEW, Part.UNREAD},
    ),
    Format(
        name="BMP",
        suffixes=(".bmp",),
        starts=(b"BM",),
        keeps=frozenset({Part.GRAY, Part.BILEVEL, Part.PALETTE, Part.RESOLUTION}),
    ),
    Format(
        name="AVIF",
        suffixes=(".avif",),
        brands=(b"avif", b"avis"),
        keeps=frozenset({Part.ALPHA, Part.ICC, Part.EXIF, Part.XMP}),
        longest_px=65536,
    ),
    Format(
        name="HEIC",
        suffixes=(".heic", ".heif"),
        brands=(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"),
        keeps=frozenset({Part.ALPHA, Part.ICC, Part.EXIF, Part.XMP}),
        longest_px=16384,
    ),
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
    """Return the format of a file that begins with these bytes (64 are enough), whatever its name says."""
    if start[4:8] == b"ftyp" and start[8:12] in (b"mif1", b"msf1"):
        # The brand of any image in boxes; what kind it is say the brands that it is compatible with.
        start = start[:8] + (b"avif" if b"avif" in start[16:64] else b"heic")
    for format_ in FORMATS:
        if format_.begins(start):
            return format_
    return None


# What is met in folders of photos and cannot be read: by its beginning, and by a mark at byte 8 of a TIFF or of boxes.
_FOREIGN = {
    b"GIF8": "GIF",
    b"8BPS": "Photoshop (PSD)",
    b"%PDF": "PDF",
    **{b"P%d" % number + space: "PPM" for number in range(1, 8) for space in (b"\n", b" ", b"\r", b"\t")},
    b"\0\0\1\0": "ICO",
    b"\n\5\1": "PCX",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"v/1\x01": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"FUJIFILMCCD-RAW": "raw (Fujifilm RAF)",
    b"IIU\0": "raw (Panasonic RW2)",
    b"IIRO": "raw (Olympus ORF)",
    b"IIRS": "raw (Olympus ORF)",
    b"FOVb": "raw (Sigma X3F)",
}
_FOREIGN_AT_8 = {b"CR\x02": "raw (Canon CR2)", b"crx ": "raw (Canon CR3)"}


def foreign_kind(start: bytes) -> str | None:
    """Return what a file that begins with these bytes (16 are enough) is, if it is an image that is not supported."""
    found = next((kind for mark, kind in _FOREIGN.items() if start.startswith(mark)), None)
    return found or next((kind for mark, kind in _FOREIGN_AT_8.items() if start[8:].startswith(mark)), None)
