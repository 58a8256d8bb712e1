"""A film in the style of pictures: its frames, painted by models or in films that others have made of it."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import inpaint.evaluation.protocols as protocols
from inpaint.errors import InputError, UsageError
from inpaint.evaluation.styled import StyledPhotos
from inpaint.evaluation.subjects import Pictures, Rgb, Subject, cut
from inpaint.fills.array_fill import ArrayFill, Context, HoleArray, ImageArray
from inpaint.images.films import Film, FilmReader, is_film
from inpaint.registry.loadable import Loadable
from inpaint.system.files import sha256_of
from inpaint.types import Capabilities, Inpainter

VERSION = 1  # of which frame is before which


class Frames:
    """The frames of a film; see `Pictures`.

    Args:
        place: Its file.

    Raises:
        InputError: It cannot be read.
    """

    def __init__(self, place: str) -> None:
        self.film = Film.open(place)
        self._reader = FilmReader(self.film)

    def __len__(self) -> int:
        return self.film.count

    def name(self, index: int) -> str:
        """Return "frame-" and the frame's number, from 1."""
        return f"frame-{index + 1:06d}"

    def read(self, index: int) -> Rgb:
        """Return a frame."""
        return self._reader.read(index)


class StyledFilm(StyledPhotos):
    """The frames of a film, each in the style of every picture; see `Filmed`.

    Args: Those of `StyledPhotos`; data: a film, or what holds its frames as photos, in the order of their names.
    """

    def _opened(self, data: str) -> Pictures:
        return Frames(data) if is_film(data) else super()._opened(data)

    def before(self, label: str, index: int) -> Subject | None:
        """See `Filmed`."""
        if index == 0:
            return None
        subject = self.read(index - 1)
        return self.seen(label, index - 1, subject, self.mask(label, index - 1, *subject.image.shape[:2]))

    def fill_seed(self, index: int) -> int:
        """Return one seed for all frames, as films are painted with, so that noise does not flicker."""
        return protocols.fill_seed(self.protocol.seed, "")

    def described(self) -> dict[str, Any]:
        """See `Subjects`."""
        return {**super().described(), "film": {"version": VERSION}}

    def check_painted(self, label: str, place: str) -> None:
        """Raise UsageError or InputError where a film is none that was made of this one, in one style."""
        if len(self.labels) > 1:
            raise UsageError(f"'{label}' is a film of one style: give --styles one picture, not {len(self.labels)}")
        other, count, (height, width) = Film.open(place), len(self._source), self._source.read(0).shape[:2]
        fits = self.protocol.size is not None or (other.height, other.width) == (height, width)
        if other.count != count or not fits:
            raise InputError(
                f"'{place}' has {other.count} frames of {other.width} x {other.height} pixels and '{self.data}' "
                f"{count} of {width} x {height}: they are compared frame by frame, in one size (--size)"
            )


class PaintedFilm(ArrayFill):
    """A film that was made of another, as a model that paints that one.

    Args:
        place: Its file.
        size: As of `StyledPhotos`: what is cut from its frames.
    """

    # Warmed up by its own frames, as networks are.
    capabilities = Capabilities(trained=True, recolors=True)

    def __init__(self, place: str, size: int | None) -> None:
        self.name = Path(place).stem
        self._frames = Frames(place)
        self._size = size
        self._index = 0

    def in_style(self, style: Rgb, label: str, index: int) -> Inpainter:
        """See `InStyle`."""
        found: Any = copy(self)  # the frames are decoded once
        found._index = index
        return found  # type: ignore[no-any-return]

    def paint(self, image: ImageArray, hole: HoleArray, context: Context) -> ImageArray:
        """See `ArrayFill`."""
        return cut(self._frames.read(self._index), self._size) / np.float64(255)


@dataclass(frozen=True, kw_only=True)
class LoadablePainted(Loadable):
    """A film that was made of another; spec: its file."""

    size: int | None = None

    def load(self, device: str) -> Inpainter:
        """See `Loadable`."""
        found: Any = PaintedFilm(self.spec, self.size)
        return found  # type: ignore[no-any-return]

    @cached_property
    def capabilities(self) -> Capabilities:
        """See `Loadable`."""
        return PaintedFilm.capabilities

    def identity(self) -> str:
        """See `Loadable`."""
        return f"film sha256:{sha256_of(Path(self.spec))[:16]}"
