"""Protocols: which square of a photo is measured, and with which masks. Named ones are frozen.

A named protocol never changes: whoever changes a constant gives it a new version, and so another hash. A mask is a
function of the protocol, its seed and the photo's name alone. Masks for 64 and 128 pixels are those of 256, made
smaller by area, hole where more than half is hole; so a photo loses the same places at every size.

Sources of the constants: LaMa (configs/data_gen, bin/gen_mask_dataset.py: of five masks one that covers at most half;
see `masks.lama` for why drawing again is the same), MAT (datasets/mask_generator_*.py), PConv (arXiv 1804.07723,
section 4.1: six hole ratios, holes with and without contact to the border, 50 pixels of 512), DeepFillv2 (inpaint.yml),
and the box in the center of Pathak et al. 2016.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from inpaint import seeds
from inpaint.errors import UsageError, unknown
from inpaint.images.lettering import Lettering
from inpaint.masks import HoleMask, Mask, Paired, content_of_files, parse_mask, with_both
from inpaint.masks.parse import MaskSpec

SMALLEST_PX, LARGEST_PX = 8, 8192
"""Side of a square that is cut from photos."""
UNNAMED = "unnamed"
"""What a protocol is called that was put together from --masks, --size and --seed."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How the masks of one label are drawn.

    mask: the kind. word: what tells its random numbers from others'. drawn_px: the shorter side at which it is drawn
    before it is made smaller; None: at the size of the photo. protocol, version: of which named protocol it is, "" and
    None where of none.
    """

    mask: Mask
    word: str
    drawn_px: int | None = None
    protocol: str = ""
    version: int | None = None

    def draw(self, key: str, *, seed: int, height: int, width: int) -> HoleMask:
        """Draw the mask of the photo called `key`: (H, W) uint8, 1 = hole; the same whatever else is evaluated.

        Raises:
            InpaintError: There is none to be had, a mask file cannot be read for instance.
        """
        rng = self._generator(key, seed)
        shorter = min(height, width)
        if self.drawn_px is None or self.drawn_px == shorter:
            return self.mask.draw(rng, height, width)
        large = self.mask.draw(rng, *(round(side * self.drawn_px / shorter) for side in (height, width)))
        share = cv2.resize(large.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        return with_both(np.asarray(share > 0.5, np.uint8), rng)

    def lettered(self, key: str, *, seed: int, height: int, width: int) -> tuple[HoleMask, Lettering | None]:
        """Draw the same mask, and what its text covers; None where it is no text, or is made smaller."""
        if self.drawn_px is None or self.drawn_px == min(height, width):
            return self.mask.draw_lettered(self._generator(key, seed), height, width)
        return self.draw(key, seed=seed, height=height, width=width), None

    def _generator(self, key: str, seed: int) -> np.random.Generator:
        purpose = seeds.Purpose(seeds.named(f"evaluation mask {self.word}"), "isp")
        return seeds.generator(seed, purpose, seeds.named(key))

    def described(self) -> dict[str, Any]:
        """Return what decides the masks, as a manifest holds it: options, and contents of files instead of paths."""
        options = _without_paths(self.mask.model_dump())
        files = content_of_files(self.mask)
        return {
            "protocol": self.protocol,
            "version": self.version,
            "word": self.word,
            "drawn_px": self.drawn_px,
            "mask": options,
            **({"files": files} if files else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What is cut out of photos, and the masks by label.

    name: of the protocol, several joined by "+", or "unnamed". size: side of the square in pixels, None: native size.
    seed: of the masks, and of what stochastic models draw. drawings: by label, which is what the column `mask` of the
    results says. version: of a named protocol. crop: "center": the shorter side is brought to the size (by area
    downwards, cubic upwards) and the middle is cut out.
    """

    name: str
    size: int | None
    seed: int
    drawings: Mapping[str, Drawing]
    version: int | None = None
    crop: Literal["center"] = "center"

    def mask(self, label: str, key: str, height: int, width: int) -> HoleMask:
        """Draw the mask of a label for the photo called `key`, see `Drawing.draw`."""
        return self.drawings[label].draw(key, seed=self.seed, height=height, width=width)

    def lettered(self, label: str, key: str, height: int, width: int) -> tuple[HoleMask, Lettering | None]:
        """Draw the same mask and its text, see `Drawing.lettered`."""
        return self.drawings[label].lettered(key, seed=self.seed, height=height, width=width)

    def described(self) -> dict[str, Any]:
        """Return everything that decides what is measured, besides the photos, as a manifest holds it."""
        return {
            "name": self.name,
            "version": self.version,
            "size": self.size,
            "crop": self.crop if self.size else None,
            "seed": self.seed,
            "masks": {label: drawing.described() for label, drawing in self.drawings.items()},
        }


def protocol_names() -> list[str]:
    """Return the names of all protocols, by size."""
    return list(_table())


def named(name: str) -> Protocol:
    """Return the protocol of this name. Raises UsageError for a name that is none.

    Example:
        >>> protocol = named("lama_thick_64")
        >>> protocol.size, protocol.mask("lama_thick_64", "a.jpg", 64, 64).shape
        (64, (64, 64))
    """
    frozen = _table()
    if name not in frozen:
        raise UsageError(unknown("protocol", name, frozen))
    return frozen[name].protocol(name)


def together(names: Sequence[str]) -> Protocol:
    """Return several protocols of one size as one, each of whose rows keeps the hash that it has by itself.

    Raises:
        UsageError: A name is none or given twice, or the sizes differ.
    """
    if not names or len(set(names)) != len(names):
        raise UsageError(f"protocols must be named, each once; got {', '.join(names) or 'none'}")
    found = [named(name) for name in names]
    if len(found) == 1:
        return found[0]
    if len({each.size for each in found}) > 1:
        sizes = ", ".join(f"{each.name} {each.size}" for each in found)
        raise UsageError(f"protocols of different sizes are different tables: {sizes}; evaluate them one by one")
    drawings = {label: drawing for each in found for label, drawing in each.drawings.items()}
    return Protocol(name="+".join(names), size=found[0].size, seed=SEED, drawings=drawings)


def unnamed(masks: Sequence[MaskSpec], *, size: int | None = None, seed: int = 0) -> Protocol:
    """Return a protocol of one's own.

    Args:
        masks: Kinds, presets, "folder:PATH", or whatever `parse_mask` takes; what describes one is its label, of a
            folder without the folders above it.
        size: Side of the square in pixels, 8 to 8192; None: native size.
        seed: An integer from 0 to 2**64 - 1.

    Raises:
        UsageError: There are no masks, one is named twice, or one is for trainings only.
    """
    labels = [_label(spec) for spec in masks]
    if not labels or len(set(labels)) != len(labels):
        raise UsageError(f"masks must name at least one kind, each once; got {', '.join(labels) or 'none'}")
    parsed = {label: parse_mask(spec) for label, spec in zip(labels, masks, strict=True)}
    if paired := [label for label, mask in parsed.items() if isinstance(mask, Paired)]:
        raise UsageError(f"masks '{paired[0]}': these are for trainings; folder:PATH draws from the same files")
    drawings = {label: Drawing(mask=mask, word=label) for label, mask in parsed.items()}
    return Protocol(name=UNNAMED, size=size, seed=seed, drawings=drawings)


def fill_seed(seed: int, key: str) -> int:
    """Return the seed with which stochastic models fill the photo called `key`."""
    return seeds.named(f"evaluation fill {seed} {key}") >> 1


# The frozen ones -----------------------------------------------------------------------------------------------------

SEED = 0
"""Of every named protocol."""
SMALL_PX = (64, 128)  # at which those of 256 exist as well


@dataclass(frozen=True)
class _Frozen:
    """A named protocol as written down. masks: what `parse_mask` takes, by label; drawn_px: see `Drawing`.

    word: of its random numbers, the same for all sizes that are made of one.
    """

    size: int
    word: str
    masks: Mapping[str, MaskSpec]
    drawn_px: int | None = None
    version: int = field(default=1, kw_only=True)

    def protocol(self, name: str) -> Protocol:
        about: dict[str, Any] = {"drawn_px": self.drawn_px, "protocol": name, "version": self.version}
        several = len(self.masks) > 1
        drawings = {
            label: Drawing(mask=parse_mask(spec), word=f"{self.word} {number}" if several else self.word, **about)
            for number, (label, spec) in enumerate(self.masks.items())
        }
        return Protocol(name=name, size=self.size, seed=SEED, drawings=drawings, version=self.version)


@cache
def _table() -> Mapping[str, _Frozen]:
    return dict(_frozen())


def _frozen() -> Iterator[tuple[str, _Frozen]]:
    of_256 = {
        **{f"lama_{width}": f"lama_{width}_256_protocol" for width in ("thin", "medium", "thick")},
        **{f"mat_{amount}": f"mat_{amount}_256" for amount in ("small", "large")},
        "deepfill": "deepfill",
        "center": "center",
    }
    for size in (*SMALL_PX, 256):
        for family, spec in of_256.items():
            name = f"{family}_{size}"
            yield name, _Frozen(size, f"{family}_256", {name: spec}, 256)
        # Letters a pixel thin would vanish: text is drawn at the size itself, at least one pixel thick.
        yield f"text_{size}", _Frozen(size, "text", {f"text_{size}": "text"})
        yield f"pconv_buckets_{size}", _buckets(size, f"_{size}")
    for width in ("thin", "medium", "thick"):
        name = f"lama_{width}_512"
        yield name, _Frozen(512, name, {name: f"{name}_protocol"})
    for amount in ("small", "large"):
        name = f"mat_{amount}_512"
        yield name, _Frozen(512, name, {name: name})
    yield "pconv_buckets", _buckets(512, "")


def _buckets(size: int, suffix: str) -> _Frozen:
    """Return PConv's twelve; drawn at the size itself, since a ratio at the edge of its bucket would leave it."""
    masks = {
        f"pconv_{low:02}_{low // 10 * 10 + 10}_{border}{suffix}": {
            "kind": f"pconv_{low:02}_{low // 10 * 10 + 10}",
            "border": border,
        }
        for low in (1, 10, 20, 30, 40, 50)
        for border in ("clear", "touching")
    }
    return _Frozen(size, "pconv_buckets", masks)


def _label(spec: MaskSpec) -> str:
    text = spec if isinstance(spec, str) else repr(spec)
    kind, colon, path = text.partition(":")
    # A hash must not tell where somebody keeps the files.
    return f"folder:{Path(path).name or path}" if colon and kind == "folder" else text


def _without_paths(value: Any) -> Any:
    if isinstance(value, Mapping):
        fonts = [os.path.basename(each) for each in value.get("fonts", ())]  # noqa: PTH119
        kept = {key: _without_paths(part) for key, part in value.items() if key != "path"}
        return kept | ({"fonts": fonts} if fonts else {})
    return [_without_paths(part) for part in value] if isinstance(value, list | tuple) else value
