"""Colors of one photo in the color profile of another."""

from __future__ import annotations

import io
import logging

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from inpaint.images.photo import Photo, to_uint8

_log = logging.getLogger("inpaint.images")


def in_profile_of(photo: Photo, other: Photo) -> NDArray[np.float32]:
    """Return the colors of a photo (H, W, 3) in [0, 1] as the profile of another photo says them.

    A photo without a profile is taken for sRGB; gray photos keep their values. The difference that the profiles make is
    found in 8 bits and added to the photo's own values, so that its depth is kept. Where a profile cannot be used the
    colors stay, with a warning.
    """
    colors = photo.array()
    if photo.icc == other.icc or photo.gray or other.gray:
        return colors
    levels = to_uint8(photo.pixels)
    try:
        shown = ImageCms.profileToProfile(
            Image.fromarray(np.ascontiguousarray(levels)), _profile(photo), _profile(other), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        _log.warning(
            "%s: its color profile cannot be converted to that of %s; colors may shift", photo.name, other.name
        )
        return colors
    assert shown is not None
    change = np.asarray(shown, np.float32) - levels
    if np.abs(change).max() <= 1:  # two profiles of the same space
        return colors
    colors += change / np.float32(255)
    return colors.clip(0, 1, out=colors)


def _profile(photo: Photo) -> ImageCms.ImageCmsProfile:
    if photo.icc is None:
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return ImageCms.ImageCmsProfile(io.BytesIO(photo.icc))
