"""How blends differ from their source, inside and at the border, and how long they take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from inpaint.blending.measures import Fidelity, fidelity
from inpaint.blending.placing import Placed, Placement, place
from inpaint.errors import InputError, UsageError
from inpaint.images.photo import photo_of_array
from inpaint.images.reading import read_photo
from inpaint.pipeline.blending import object_in_source, object_of
from inpaint.registry.blenders import load_method, method_options
from inpaint.registry.texts import for_options
from inpaint.system.devices import resolve_device


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
    """Of one blend. background: mean change outside of the object in levels of 255. seconds: None for a file.
    distances: style and content by features, where they were asked for.
    """

    name: str
    fidelity: Fidelity
    background: float
    seconds: float | None
    distances: dict[str, float] | None = None


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
    chosen = for_options(f"the method {name}", type(method_options(name)), options)
    method_options(name, chosen)
    return Method(text, chosen)


def measured(
    case: Case,
    methods: Sequence[Method],
    results: Sequence[str],
    *,
    device: str,
    seed: int = 0,
    features: str | None = None,
) -> Iterator[Figures]:
    """Yield the figures of each method, and of files with results of other programs.

    Args:
        case: What is blended.
        methods, results: How, and files that are blends already.
        device: Where methods and features are computed.
        seed: Of the methods.
        features: Weights of VGG-16 by which style and content are compared, too, as `deep` does.
    """
    distances = None if features is None else _distances(case, features, device)

    def figures(name: str, image: Any, seconds: float | None = None) -> Figures:
        found = case.figures(name, image, seconds)
        return found if distances is None else replace(found, distances=distances(image))

    for method in methods:
        blender = load_method(method.method, device=device, **method.options)
        started = time.perf_counter()
        blend = blender.blend(case.placed.source, case.target, case.placed.mask, seed=seed)
        yield figures(method.name, blend.completed, time.perf_counter() - started)
    for name in results:
        yield figures(name, read_photo(name).array())


def _distances(case: Case, weights: str, device: str) -> Callable[[Any], dict[str, float]]:
    """Return a function from a blend (H, W, 3) to its distances in style and content; this imports torch."""
    from inpaint.blending.deep.method import Deep
    from inpaint.blending.deep.options import DeepOptions

    method, placed = Deep(DeepOptions(weights=weights), device=resolve_device(device)), case.placed

    def distances(image: Any) -> dict[str, float]:
        return method.distances(np.asarray(image, np.float32), placed.source, case.target, placed.mask)

    return distances


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
