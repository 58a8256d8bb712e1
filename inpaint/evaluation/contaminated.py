"""Contaminated photos for models that find their hole, and the ways of filling them that stand beside each other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import inpaint.evaluation.protocols as protocols
from inpaint import seeds
from inpaint.data.contamination import Contamination
from inpaint.errors import MaskError, UsageError
from inpaint.evaluation.subjects import Photos, Rgb, Subject
from inpaint.fills.base import THRESHOLD
from inpaint.finding.table import FINDERS, check_finder, find
from inpaint.images.photo import photo_of_array
from inpaint.images.planes import SampleParts
from inpaint.masks import HoleMask, Mask, parse_mask
from inpaint.masks.compose import Mixture, Target, Union
from inpaint.masks.text import Text
from inpaint.options import validated
from inpaint.registry.loadable import Loadable
from inpaint.types import FOUND, Capabilities, Fill, Inpainter, ProgressCallback, Seed

VERSION = 2  # of how photos are contaminated


class ContaminatedPhotos(Photos):
    """Photos with something else painted over the hole, as blind models are trained on; the same for every model.

    What lies in a hole is a function of the protocol's seed, the photo's name, the mask's label, and the other photos.

    Args:
        data: See `Photos`.
        protocol: See `Photos`.
        count: See `Photos`.
        contamination: What is painted.
    """

    def __init__(
        self,
        data: str,
        protocol: protocols.Protocol,
        *,
        count: int | None = None,
        contamination: Contamination | None = None,
    ) -> None:
        super().__init__(data, protocol, count=count)
        self._contamination = contamination or Contamination()

    def seen(self, label: str, index: int, subject: Subject, mask: HoleMask) -> Subject:
        """Return the photo with its hole painted over, and the photo as its truth."""
        parts, rng = parts_of(self, f"evaluation contamination {label}", label, index, subject.truth, mask)
        return Subject(self._contamination.painted(parts, rng), subject.truth, contaminated=True)

    def described(self) -> dict[str, Any]:
        """See `Subjects`."""
        return {**super().described(), "contamination": {"version": VERSION, **self._contamination.model_dump()}}


def parts_of(
    photos: Photos, word: str, label: str, index: int, truth: Rgb, mask: HoleMask
) -> tuple[SampleParts, np.random.Generator]:
    """Return what planes are made of for photo `index`, and the generator of their random numbers.

    Args:
        photos: Among them a second photo is drawn.
        word: What the random numbers are for.
        label: Of the mask.
        index: Of the photo.
        truth: The photo itself, prepared.
        mask: Of the photo.
    """
    key, size = photos.name(index), mask.shape[:2]
    purpose = seeds.Purpose(seeds.named(word), "isp")
    rng = seeds.generator(photos.protocol.seed, purpose, seeds.named(key))
    _, lettering = photos.protocol.lettered(label, key, *size)
    other = (index + 1 + int(rng.integers(max(len(photos) - 1, 1)))) % len(photos)
    another = None if other == index else lambda: _cut_to(photos.read(other).truth, size)
    return SampleParts(truth, mask, lettering=lettering, another=another), rng


def contaminating(
    kinds: Sequence[str], *, fonts: str | None = None, size: int | None = None, seed: int = 0
) -> protocols.Protocol:
    """Return a protocol of kinds of masks, whose text is written in the fonts of a folder.

    Raises:
        UsageError: See `protocols.unnamed`; fonts are given and no kind is text.
    """
    protocol = protocols.unnamed(kinds, size=size, seed=seed)
    if fonts is None:
        return protocol
    drawings = {
        label: replace(drawing, mask=written_in(fonts, drawing.mask)) for label, drawing in protocol.drawings.items()
    }
    if not any(isinstance(part, Text) for drawing in drawings.values() for part in drawing.mask.parts()):
        raise UsageError(f"--fonts is for kinds of text, such as text and captions, got {', '.join(kinds)}")
    return replace(protocol, drawings=drawings)


def as_said(text: str) -> Contamination:
    """Return how photos are contaminated by options as YAML; raises UsageError for what is none."""
    import yaml

    try:
        options = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"--contamination {text}: {' '.join(str(error).split())}") from None
    if not isinstance(options, dict):
        raise UsageError(f"--contamination {text}: write options, e.g. '{{contrast: 0.4}}'")
    return validated(Contamination, options, key="--contamination")


def written_in(fonts: str | os.PathLike[str], mask: Mask) -> Mask:
    """Return a kind of mask whose text, that of the masks inside it too, is written in the fonts of a folder."""
    if isinstance(mask, Text):
        return parse_mask({**mask.model_dump(), "fonts": [os.fspath(fonts)]})
    if isinstance(mask, Mixture):
        of = tuple(part.model_copy(update={"mask": written_in(fonts, part.mask)}) for part in mask.of)
        return mask.model_copy(update={"of": of})
    if isinstance(mask, Union):
        return mask.model_copy(update={"of": tuple(written_in(fonts, part) for part in mask.of)})
    if isinstance(mask, Target):
        return mask.model_copy(update={"mask": written_in(fonts, mask.mask)})
    return mask


def _cut_to(photo: Rgb, size: tuple[int, int]) -> Rgb:
    """Return the middle of a photo in another size, (H, W, 3)."""
    height, width = size
    if photo.shape[:2] == size:
        return photo
    scale = max(height / photo.shape[0], width / photo.shape[1])
    sides = (max(width, round(photo.shape[1] * scale)), max(height, round(photo.shape[0] * scale)))
    large = cv2.resize(photo, sides, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return np.ascontiguousarray(large[top : top + height, left : left + width])


# Ways of filling -----------------------------------------------------------------------------------------------------


class ByTrueMask:
    """A blind model that is given the hole, as others are."""

    def __init__(self, inner: Inpainter) -> None:
        self._inner = inner
        self.name = inner.name
        self.capabilities: Capabilities = replace(inner.capabilities, blind=False)

    def fill(
        self,
        image: Tensor,
        mask: Tensor | None,
        *,
        guidance: Mapping[str, Tensor] | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill]:
        """Fill the hole, see `Inpainter`."""
        assert mask is not None  # not blind
        return self._inner.fill(image, mask, guidance=guidance, samples=samples, seed=seed, progress=progress)


class ByFinder:
    """Any model, whose hole is what is found in the photo: together a blind model.

    Args:
        inner: Fills.
        finder: One of `inpaint.finding`, or what `run` is called.
        run: A blind model that finds.
    """

    def __init__(self, inner: Inpainter, finder: str, run: Inpainter | None = None) -> None:
        self._inner, self._run = inner, run
        self._finder = check_finder(finder) if run is None else finder
        self.name = f"{inner.name}+{finder}"
        self.capabilities: Capabilities = replace(inner.capabilities, blind=True)

    def fill(
        self,
        image: Tensor,
        mask: Tensor | None,
        *,
        guidance: Mapping[str, Tensor] | None = None,
        samples: int = 1,
        seed: Seed = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Fill]:
        """Fill the hole, or where it is None what is found; see `Inpainter`.

        A map that was found is 0 or 1 by one of `inpaint.finding`, soft by a blind model.
        """
        found = self._found(image) if mask is None else mask
        hole = (found > THRESHOLD).to(found.dtype)
        if not hole.any():
            return [Fill(completed=image, raw=image, mask=hole, aux={FOUND: found})] * samples
        fills = self._inner.fill(image, hole, guidance=guidance, samples=samples, seed=seed, progress=progress)
        return [replace(fill, aux={**fill.aux, FOUND: found}) for fill in fills]

    def _found(self, image: Tensor) -> Tensor:
        if self._run is not None:
            soft = self._run.find_mask_arrays(image.permute(0, 2, 3, 1).cpu().numpy())
            return torch.from_numpy(np.ascontiguousarray(soft.transpose(0, 3, 1, 2))).to(image.device)
        holes = [find(self._finder, photo_of_array(each)) for each in _eight_bit(image)]
        return torch.from_numpy(np.stack(holes)[:, None].astype(np.float32))  # (B, 1, H, W)


def _eight_bit(image: Tensor) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return found


@dataclass(frozen=True, kw_only=True)
class LoadableWay(Loadable):
    """A model by what loads it, and how it comes by the hole.

    finder: "" for the true one. run: the blind model that is called so.
    """

    finder: str = field(default="")
    run: Loadable | None = None

    def load(self, device: str) -> Inpainter:
        """See `Loadable`."""
        return _way(super().load(device), self.finder, None if self.run is None else self.run.load(device))

    @cached_property
    def capabilities(self) -> Capabilities:
        """See `Loadable`."""
        plain = Loadable(spec=self.spec, options=self.options, weights=self.weights)
        return replace(plain.capabilities, blind=bool(self.finder))

    def identity(self) -> str:
        """See `Loadable`."""
        if self.run is not None:
            return f"{super().identity()}, found by {self.run.identity()}"
        return f"{super().identity()}, {f'{self.finder} found' if self.finder else 'true mask'}"


def _way(model: Inpainter, finder: str, run: Inpainter | None) -> Inpainter:
    way: Any = ByFinder(model, finder, run) if finder else ByTrueMask(model)
    return way  # type: ignore[no-any-return]


def ways(
    models: Mapping[str, Inpainter | Loadable],
    finders: Sequence[str] = (),
    runs: Mapping[str, Loadable] | None = None,
) -> dict[str, Inpainter | Loadable]:
    """Return models in every way of coming by the hole.

    NAME: as it is, blind or with the true mask; "NAME+mask": a blind one with the true mask; "NAME+FINDER": one that is
    not blind, with the mask that is found, "NAME+RUN" by a blind model.

    Args:
        models: By their labels.
        finders: Of `inpaint.finding`.
        runs: Blind models that find, by their labels.

    Raises:
        UsageError: A finder is none, or two ways would be called the same.
        MaskError: A model that is to find is not blind.
    """
    for finder in finders:
        check_finder(finder)
    looking: dict[str, Loadable | None] = dict.fromkeys(finders)
    for label, blind in (runs or {}).items():
        if label in looking:
            raise UsageError(f"what is found by '{blind.spec}' cannot be called '{label}' beside that thing to find")
        if not blind.capabilities.blind:
            raise MaskError(f"--find {blind.spec}: this model finds no holes; a blind one, or {', '.join(FINDERS)}")
        looking[label] = blind
    found: dict[str, Inpainter | Loadable] = {}
    for label, model in models.items():
        found[label] = model
        for finder, run in {"": None}.items() if model.capabilities.blind else looking.items():
            name = f"{label}+{finder or 'mask'}"
            if name in models:
                raise UsageError(f"a model cannot be called '{name}' beside '{label}'")
            if isinstance(model, Loadable):
                found[name] = LoadableWay(
                    spec=model.spec, options=model.options, weights=model.weights, finder=finder, run=run
                )
            else:
                found[name] = _way(model, finder, None if run is None else run.load("cpu"))
    return found
