"""What a BMP file holds beside its pixels: the profile of the header's fifth version, and what comes after the end."""

from __future__ import annotations

import struct

from inpaint.images.boxes import after_end
from inpaint.images.photo import Item

_HEADER, _FIFTH_BYTES = 14, 124  # where the header begins; how long that of the fifth version is
_COLOR_SPACE, _PROFILE = _HEADER + 56, _HEADER + 112  # in it: what colors mean; place and length of the profile
_EMBEDDED = b"DEBM"


def profile_of(data: bytes) -> bytes | None:
    """Return the ICC profile that is embedded in a file; None where there is none."""
    start, end = _profile_span(data)
    return data[start:end] if start < end <= len(data) else None


def items_of(data: bytes) -> list[Item]:
    """Return by name what comes after pixels and profile. Files of no stated length have nothing there."""
    (length,) = struct.unpack_from("<I", data, 2)
    return after_end(data, max(length, _profile_span(data)[1])) if length else []


def _profile_span(data: bytes) -> tuple[int, int]:
    (length,) = struct.unpack_from("<I", data, _HEADER)
    if length < _FIFTH_BYTES or len(data) < _HEADER + length or data[_COLOR_SPACE : _COLOR_SPACE + 4] != _EMBEDDED:
        return 0, 0
    start, size = struct.unpack_from("<II", data, _PROFILE)
    return _HEADER + start, _HEADER + start + size
