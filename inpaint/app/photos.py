"""Photos that the page offers to open: the bundled samples, and a folder of whoever started it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from inpaint.app.settings import Settings
from inpaint.data.sources import sample_files
from inpaint.errors import DataError
from inpaint.images.listing import find_photos
from inpaint.images.reading import read_photo
from inpaint.images.views import view_of

SAMPLES = "samples"
FOLDER = "folder"
THUMBNAIL_PX = 240


@dataclass(frozen=True)
class Shelf:
    """A list of photos that users open by their number, never by a path. names: as they are shown."""

    name: str
    files: tuple[Path, ...]
    names: tuple[str, ...]
    max_pixels: int

    @classmethod
    def all(cls, settings: Settings) -> Mapping[str, Shelf]:
        """Return what there is, by name.

        Raises:
            DataError: The folder has no photos.
        """
        samples = sample_files()
        found = {SAMPLES: cls(SAMPLES, tuple(samples), tuple(each.name for each in samples), settings.max_pixels)}
        if settings.photos is not None:
            listing = find_photos(settings.photos)
            if not listing.names:
                raise DataError(f"no photos in '{settings.photos}'")
            found[FOLDER] = cls(FOLDER, tuple(listing.paths()), tuple(listing.names), settings.max_pixels)
        return found

    def thumbnail(self, number: int) -> bytes:
        """Return a small WebP of a photo.

        Raises:
            IndexError: There is no such number.
            InputError: The photo cannot be read.
        """
        if not 0 <= number < len(self.files):
            raise IndexError(number)
        return _thumbnail(self.files[number], self.max_pixels)


@lru_cache(maxsize=500)
def _thumbnail(file: Path, max_pixels: int) -> bytes:
    buffer = io.BytesIO()
    view_of(read_photo(file, max_pixels=max_pixels), longest_px=THUMBNAIL_PX).save(buffer, "WEBP", quality=80)
    return buffer.getvalue()
