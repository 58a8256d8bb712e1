"""What was evaluated: the protocol, every prepared picture and every mask, and one hash over all of it.

The hash stands beside every number. It depends on pixels and not on files, and neither on models nor on measures or the
machine: two evaluations with the same hash compare, two with different ones never do. A changed pixel, mask or constant
of the protocol changes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InpaintError
from inpaint.masks import HoleMask
from inpaint.options import show
from inpaint.system.files import write_text

MANIFEST_NAME = "manifest.json"
MASKED, ORIGINAL = "masked", "original"
"""What stands in a model's place for the pictures that are no fills."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One picture of a manifest.

    key: what it is called. picture: hash of its prepared pixels, "" where it could not be read. masks: hash of the mask
    of each label, "" where none could be drawn.
    """

    key: str
    picture: str
    masks: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """A protocol and what it was applied to.

    protocol: as `described` of the subjects tells it: name, version, size, seed, and what each label's masks are.
    photos: in the order of the evaluation.
    """

    protocol: Mapping[str, Any]
    photos: tuple[Listed, ...]

    @property
    def name(self) -> str:
        """The protocol's name."""
        return str(self.protocol["name"])

    @property
    def size(self) -> int | None:
        """Side of the pictures in pixels; None for native sizes."""
        size: int | None = self.protocol["size"]
        return size

    @property
    def labels(self) -> tuple[str, ...]:
        """What the kinds of masks are called."""
        return tuple(self.protocol["masks"])

    @property
    def keys(self) -> tuple[str, ...]:
        """What the photos are called."""
        return tuple(photo.key for photo in self.photos)

    @cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits over everything here."""
        return text_hash(_canonical(self._plain()))

    @cached_property
    def hashes(self) -> Mapping[str, str]:
        """The same for each label alone: equal in two manifests that hold further labels beside it."""
        return {label: self.only(label).hash for label in self.labels}

    def only(self, label: str) -> Manifest:
        """Return the manifest of one label alone."""
        about = self.protocol["masks"][label]
        named = {key: about[key] for key in ("protocol", "version") if key in about}
        protocol = {
            **self.protocol,
            "name": named.get("protocol", self.name),
            "version": named.get("version", self.protocol["version"]),
            "masks": {label: about},
        }
        photos = (
            Listed(key=photo.key, picture=photo.picture, masks={label: photo.masks[label]}) for photo in self.photos
        )
        return Manifest(protocol, tuple(photos))

    def write(self, folder: Path) -> None:
        """Write manifest.json. Raises InpaintError when it cannot be written."""
        plain = {"hash": self.hash, "hashes": dict(self.hashes), **self._plain()}
        write_text(folder / MANIFEST_NAME, json.dumps(plain, indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read manifest.json.

        Raises:
            InpaintError: There is none, it is none, or it was changed since it was written.
        """
        path = folder / MANIFEST_NAME
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            photos = tuple(
                Listed(key=each["key"], picture=each["picture"], masks=each["masks"]) for each in found["photos"]
            )
            manifest, noted = cls(found["protocol"], photos), found["hash"]
            same = manifest.hash == noted
        except OSError as error:
            raise InpaintError(f"cannot read '{path}': {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError):
            raise InpaintError(f"'{path}' is no manifest of an evaluation") from None
        if not same:
            raise InpaintError(f"'{path}' was changed: its hash is {manifest.hash}, it says {noted}")
        return manifest

    def _plain(self) -> dict[str, Any]:
        photos = [{"key": each.key, "picture": each.picture, "masks": dict(each.masks)} for each in self.photos]
        return {"protocol": dict(self.protocol), "photos": photos}


def differences_of(found: Manifest, wanted: Manifest) -> Iterator[str]:
    """Yield in words what differs between two manifests, the protocol first."""
    yield from differences(found.protocol, json.loads(_canonical(wanted.protocol)), "protocol")
    before, now = ({photo.key: photo for photo in each.photos} for each in (found, wanted))
    for key in dict.fromkeys((*before, *now)):
        if key not in now:
            yield f"photo {key} is gone"
        elif key not in before:
            yield f"photo {key} is new"
        elif before[key].picture != now[key].picture:
            yield f"photo {key} has changed"
        else:
            pairs = ((label, before[key].masks.get(label), mask) for label, mask in now[key].masks.items())
            yield from (f"mask {label} of photo {key} has changed" for label, old, mask in pairs if old != mask)
    if list(before) != list(now):
        yield "the photos' order has changed"


def differences(found: Any, wanted: Any, key: str = "") -> Iterator[str]:
    """Yield "KEY was A, is B now" for every place in which two JSON values differ."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for name in dict.fromkeys((*found, *wanted)):
            inner = f"{key}.{name}" if key else str(name)
            if name not in wanted:
                yield f"{inner} was {show(found[name])}, is missing now"
            elif name not in found:
                yield f"{inner} is {show(wanted[name])} now, was missing"
            else:
                yield from differences(found[name], wanted[name], inner)
    elif found != wanted or type(found) is not type(wanted):
        yield f"{key} was {show(found)}, is {show(wanted)} now"


def text_hash(text: str, *, size_bytes: int = 8) -> str:
    """Return a hash of a text in hexadecimal digits, two for each byte."""
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=size_bytes).hexdigest()


def picture_hash(*pictures: NDArray[np.uint8]) -> str:
    """Return sixteen hexadecimal digits that identify pictures (H, W, C) by their shapes and pixels."""
    found = hashlib.blake2b(digest_size=8)
    for picture in pictures:
        found.update(f"{'x'.join(map(str, picture.shape))}:".encode() + np.ascontiguousarray(picture).tobytes())
    return found.hexdigest()


def mask_hash(mask: HoleMask) -> str:
    """Return twelve hexadecimal digits that identify a mask."""
    height, width = mask.shape
    return hashlib.blake2b(f"{height}x{width}:".encode() + np.packbits(mask).tobytes(), digest_size=6).hexdigest()


def _canonical(value: Any) -> str:
    """Return JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
