"""How blends differ from their source, inside and at the border, and how long they take."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from inpaint.blending.measures import Fidelity, fidelity
from inpaint.blending.placing import Placed, Placement, place
from inpaint.blending.table import blender_options, load_blender
from inpaint.errors import InputError, UsageError
from inpaint.images.photo import photo_of_array
from inpaint.images.reading import read_photo
from inpaint.pipeline.blending import object_in_source, object_of
from inpaint.registry.texts import for_options


@dataclass(frozen=True)
class Method:
    """A method with options, each NAME=VALUE. name: as it was asked for."""

    name: str
    options: dict[str, Any]

    @property
    def method(self) -> str:
        """Its name in the table."""
        return self.name.partition(":")[0]


@dataclass(frozen=True)
class Figures:
    """Of one blend. background: mean change outside of the object in levels of 255. seconds: None for a file."""

    name: str
    fidelity: Fidelity
    background: float
    seconds: float | None


@dataclass(frozen=True, eq=False)
class Case:
    """A source in its place, and the target (H, W, 3) in [0, 1]."""

    placed: Placed
    target: np.ndarray[Any, np.dtype[np.float32]]

    @classmethod
    def of_files(
        cls,
        source: str,
        mask: str | None,
        target: str,
        placement: Placement,
        *,
        source_px: int | None = None,
        target_px: int | None = None,
    ) -> Case:
        """Read a case; source and target are made square by Pillow's bicubic filter where a side is given."""
        shown, scene = _squared(source, source_px), _squared(target, target_px)
        found = object_in_source(shown, None if mask is None else np.asarray(_mask(mask, source_px)))
        height, width = scene.pixels.shape[:2]
        return cls(place(shown.array(), object_of(shown, found), (height, width), placement), scene.array())

    def figures(self, name: str, image: Any, seconds: float | None = None) -> Figures:
        """Measure a blend (H, W, 3) in [0, 1]."""
        if image.shape != self.target.shape:
            raise InputError(f"{name} must have the target's size {self.target.shape[:2]}, got {image.shape[:2]}")
        mask = self.placed.mask
        outside = np.abs(image - self.target)[~mask]
        changed = 255 * float(outside.mean()) if outside.size else 0.0
        return Figures(name, fidelity(image, self.placed.source, mask), changed, seconds)


def parse_method(text: str) -> Method:
    """Return a method from NAME or NAME:KEY=VALUE:KEY=VALUE.

    Raises:
        UsageError: There is no such method or option, or a value is not valid.

    Example:
        >>> parse_method("poisson:mode=mixed")
        Method(name='poisson:mode=mixed', options={'mode': 'mixed'})
    """
    name, *options = text.split(":")
    chosen = for_options(f"the method {name}", type(blender_options(name)), options)
    blender_options(name, chosen)
    return Method(text, chosen)


def measured(
    case: Case, methods: Sequence[Method], results: Sequence[str], *, device: str, seed: int = 0
) -> Iterator[Figures]:
    """Yield the figures of each method, and of files with results of other programs."""
    for method in methods:
        blender = load_blender(method.method, device=device, **method.options)
        started = time.perf_counter()
        blend = blender.blend(case.placed.source, case.target, case.placed.mask, seed=seed)
        yield case.figures(method.name, blend.completed, time.perf_counter() - started)
    for name in results:
        yield case.figures(name, read_photo(name).array())


def _squared(name: str, side_px: int | None) -> Any:
    photo = read_photo(name)
    if side_px is None:
        return photo
    if photo.pixels.dtype != np.uint8:
        raise UsageError(f"{name}: only photos of 8 bits are made square")
    return photo_of_array(np.asarray(Image.fromarray(photo.pixels).resize((side_px, side_px))), path=photo.path)


def _mask(name: str, side_px: int | None) -> Any:
    """Return the mask as it stands, or made square, where every pixel above 0 counts, as deep image blending has it."""
    found = read_photo(name).pixels[..., 0]
    if side_px is None:
        return found
    return (np.asarray(Image.fromarray(found).resize((side_px, side_px))) > 0).astype(np.uint8)
