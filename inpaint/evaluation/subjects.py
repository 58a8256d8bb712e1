"""What is filled, and what fills are compared with: photos by number, each with a mask of every label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

import inpaint.evaluation.protocols as protocols
from inpaint.data.opening import open_source, report_skipped
from inpaint.data.sources import SAMPLES
from inpaint.errors import InpaintError
from inpaint.evaluation.manifest import Listed, Manifest, mask_hash, picture_hash
from inpaint.masks import HoleMask
from inpaint.types import Inpainter

if TYPE_CHECKING:
    from inpaint.data.pixels import CenterView

Rgb: TypeAlias = NDArray[np.uint8]
"""A photo in memory, (H, W, 3)."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A prepared picture that is to lose its hole, and what stood there in truth; both (H, W, 3) uint8.

    For a photo both are the same. known: where the truth is one, (H, W) bool; None: everywhere. What is painted
    elsewhere is not compared. contaminated: whether blind models find the hole, instead of being given it. style: the
    picture (h, w, 3) in whose style all of it is to be painted; None where a hole is to be filled.
    """

    image: Rgb
    truth: Rgb
    known: NDArray[np.bool_] | None = None
    contaminated: bool = False
    style: Rgb | None = None


class Subjects(Protocol):
    """Pictures by number. Pickled for every process, so it holds no open files.

    labels: of the masks. skipped: how many files could not be used, named in the log.
    """

    skipped: int

    @property
    def labels(self) -> Sequence[str]:
        """What the kinds of masks are called."""
        ...

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Return what picture `index` is called, each by another name."""
        ...

    def read(self, index: int) -> Subject:
        """Return picture `index`, prepared. Raises InputError when it cannot be read."""
        ...

    def mask(self, label: str, index: int, height: int, width: int) -> HoleMask:
        """Return a mask of picture `index`, (H, W) uint8, 1 = hole. Raises InpaintError when there is none."""
        ...

    def seen(self, label: str, index: int, subject: Subject, mask: HoleMask) -> Subject:
        """Return what models see of picture `index`, which has this mask."""
        ...

    def fill_seed(self, index: int) -> int:
        """Return the seed with which stochastic models fill picture `index`."""
        ...

    def described(self) -> dict[str, Any]:
        """Return what decides pictures and masks besides files, as a manifest holds it: at least name, version, size,
        seed, and masks by label."""
        ...


@runtime_checkable
class Styled(Protocol):
    """Subjects whose labels are those of styles."""

    def style(self, label: str) -> Rgb:
        """Return the picture of a style, (h, w, 3). Raises InputError when it cannot be read."""
        ...


@runtime_checkable
class Filmed(Protocol):
    """Subjects that are the frames of one film, in its order."""

    def before(self, label: str, index: int) -> Subject | None:
        """Return what models see of the frame before; None of the first. Raises InputError when it cannot be read."""
        ...


@runtime_checkable
class InStyle(Protocol):
    """A model that paints in the styles of such subjects."""

    def in_style(self, style: Rgb, label: str, index: int) -> Inpainter:
        """Return it as one that paints all of photo `index` in this style, whose picture is (h, w, 3)."""
        ...


class Pictures(Protocol):
    """Where pictures come from, by number."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Return what a picture is called."""
        ...

    def read(self, index: int) -> Rgb:
        """Return a picture, (H, W, 3). Raises InputError when it cannot be read."""
        ...


class Photos:
    """Photos, in the source's sorted order. Files that cannot be used are named and counted in `skipped`.

    Args:
        data: A folder, list file, tar shards or "samples".
        protocol: What is cut out of them, and their masks.
        count: Only the first so many; None: all.

    Raises:
        DataError: Nothing is left of files that hold an image with sides of at least 8 pixels.
    """

    def __init__(self, data: str, protocol: protocols.Protocol, *, count: int | None = None) -> None:
        self.data = data
        self.skipped = 0
        self._source = self._opened(data)
        self.protocol = protocol
        self._count = len(self._source) if count is None else min(count, len(self._source))

    def _opened(self, data: str) -> Pictures:
        source = open_source(data, min_px=protocols.SMALLEST_PX)
        report_skipped(data, source)
        self.skipped = len(source.skipped)
        return source

    @property
    def labels(self) -> Sequence[str]:
        """See `Subjects`."""
        return tuple(self.protocol.drawings)

    def __len__(self) -> int:
        return self._count

    def name(self, index: int) -> str:
        """Return what photo `index` is called: its path below the root."""
        name = self._source.name(index)
        return Path(name).name if self.data == SAMPLES else name

    def read(self, index: int) -> Subject:
        """Return photo `index`, prepared. Raises InputError when it cannot be decoded."""
        cut = self._prepared(self._source.read(index))
        return Subject(cut, cut)

    def _prepared(self, picture: Rgb) -> Rgb:
        """Return the square that the protocol cuts from a picture, or all of it."""
        return cut(picture, self.protocol.size)

    def mask(self, label: str, index: int, height: int, width: int) -> HoleMask:
        """Draw a mask, see `Drawing.draw`."""
        return self.protocol.mask(label, self.name(index), height, width)

    def seen(self, label: str, index: int, subject: Subject, mask: HoleMask) -> Subject:
        """See `Subjects`."""
        return subject

    def fill_seed(self, index: int) -> int:
        """See `Subjects`."""
        return protocols.fill_seed(self.protocol.seed, self.name(index))

    def described(self) -> dict[str, Any]:
        """See `Subjects`."""
        return self.protocol.described()


def cut(picture: Rgb, size: int | None) -> Rgb:
    """Return the square of a size from the middle of a picture; None: all of it."""
    return picture if size is None else _view(size)(picture, None)[0]


@cache
def _view(size: int) -> CenterView:
    from inpaint.data.pixels import CenterView  # imports Albumentations, which native sizes do not need

    return CenterView(size)


def listed(subjects: Subjects, index: int) -> Listed:
    """Return the line of a manifest for one picture: what it and its masks hold."""
    key = subjects.name(index)
    try:
        subject = subjects.read(index)
    except InpaintError:  # told when it is to be filled
        return Listed(key=key, picture="", masks=dict.fromkeys(subjects.labels, ""))
    pictures = [subject.image] if subject.truth is subject.image else [subject.image, subject.truth]
    if subject.known is not None:
        pictures.append(subject.known.view(np.uint8))
    masks: dict[str, str] = {}
    for label in subjects.labels:
        try:
            mask = subjects.mask(label, index, *subject.image.shape[:2])
            seen = subjects.seen(label, index, subject, mask)
            masks[label] = mask_hash(mask)
            if seen.image is not subject.image:
                pictures.append(seen.image)
        except InpaintError:
            masks[label] = ""
    return Listed(key=key, picture=picture_hash(*pictures), masks=masks)


def manifest_of(subjects: Subjects, lines: Iterable[Listed] | None = None) -> Manifest:
    """Return the manifest of subjects; lines: of every picture, where they are known."""
    lines = (listed(subjects, index) for index in range(len(subjects))) if lines is None else lines
    return Manifest(subjects.described(), tuple(lines))
