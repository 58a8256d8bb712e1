"""EXIF and color profiles: kept, but true for the image that is written."""

from __future__ import annotations

import io
import logging

from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base

_log = logging.getLogger("inpaint.images")

ORIENTATION = int(Base.Orientation)

# What a TIFF directory says about the photo, in contrast to how its pixels are stored.
DESCRIPTIVE_TAGS = frozenset(
    {
        Base.ImageDescription,
        Base.Make,
        Base.Model,
        Base.XResolution,
        Base.YResolution,
        Base.ResolutionUnit,
        Base.Software,
        Base.DateTime,
        Base.Artist,
        Base.Copyright,
    }
)
# Sizes before turning, and blocks that hold positions in the old file or previews of the old image.
_STALE_TAGS = frozenset({Base.ExifImageWidth, Base.ExifImageHeight, Base.MakerNote, IFD.Interop})
SUB_DIRECTORIES = (int(IFD.Exif), int(IFD.GPSInfo))


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation 1..8; 1 when there is none or it cannot be read."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF: the image itself may be sound
        return 1
    return value if value in range(1, 9) else 1


def exif_bytes(image: Image.Image) -> bytes | None:
    """Return the EXIF block with orientation 1, or None when there is none.

    Only what describes the photo is kept: thumbnails and makers' notes would show what the fill has removed.
    """
    try:
        source = image.getexif()
        kept = Image.Exif()
        kept.update((tag, source[tag]) for tag in DESCRIPTIVE_TAGS & source.keys())
        for directory in SUB_DIRECTORIES:
            entries = {tag: value for tag, value in source.get_ifd(directory).items() if tag not in _STALE_TAGS}
            if entries:
                kept[directory] = entries
        if not len(kept):
            return None
        kept[ORIENTATION] = 1
        return kept.tobytes().removeprefix(b"Exif\0\0")
    except Exception as error:  # as above; Pillow raises struct.error, ValueError, KeyError ... on damaged blocks
        _log.warning("%s: its EXIF block is damaged and dropped (%s)", _name(image), error)
        return None


def has_sub_directories(exif: Image.Exif) -> bool:
    """Return whether there is more than the descriptive tags: camera settings or a place."""
    return any(directory in exif for directory in SUB_DIRECTORIES)


def to_srgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, bytes | None]:
    """Return a CMYK or YCbCr image as RGB, and the profile that is still valid for it.

    A CMYK profile is applied (perceptual intent, to sRGB); without one the plain formula is used.
    """
    if image.mode == "YCbCr":
        return image.convert("RGB"), icc
    if icc is not None and icc[16:20] == b"CMYK":
        try:
            profile, srgb = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB")
            managed = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
            assert managed is not None  # it is only when done in place
            return managed, None
        except (ImageCms.PyCMSError, OSError) as error:
            _log.warning("%s: its CMYK profile cannot be used (%s)", _name(image), error)
    return image.convert("RGB"), None


def _name(image: Image.Image) -> str:
    return getattr(image, "filename", "") or "image"
