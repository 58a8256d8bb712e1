"""A part of one photo put into another, at the target's size and depth, with all that the target holds."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.blending.base import ArrayBlender
from inpaint.blending.placing import Placement, continued, place, source_box
from inpaint.errors import MaskError, UsageError
from inpaint.images.hole_files import write_mask, write_preview
from inpaint.images.mask_rules import Hole, Label
from inpaint.images.photo import Photo, white_of
from inpaint.images.profiles import in_profile_of
from inpaint.images.reading import MAX_PIXELS
from inpaint.images.regions import Region
from inpaint.pipeline.holes import marks_of
from inpaint.pipeline.photo import opaque_in
from inpaint.pipeline.sources import Source, marked, masks_of
from inpaint.pipeline.steps import StepCallback, photos_told
from inpaint.system.files import write_text
from inpaint.types import Blend, Blender, OneLine

_log = logging.getLogger("inpaint.pipeline")


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class BlendedPhoto(OneLine):
    """The target with the source in it.

    Args:
        photo: The target.
        mask: (H, W), where the object lies in it.
        blend: What the method returned, of a window of the target.
        window: Which; the whole target for methods that read all of it.
        outside_share: How much of the object was outside of the target, 0 to 1.
    """

    photo: Photo
    mask: Hole
    blend: Blend
    window: Region
    outside_share: float


def blend_photos(
    source: Photo,
    target: Photo,
    method: Blender,
    *,
    mask: Hole | None = None,
    placement: Placement | None = None,
    opaque: bool = False,
    seed: int = 0,
    budget_s: float | None = None,
    save_mask: str | os.PathLike[str] | None = None,
    preview: str | os.PathLike[str] | None = None,
    callback: StepCallback | None = None,
) -> BlendedPhoto:
    """Put a part of one photo into another.

    Args:
        source: With the object. A color profile other than the target's is converted.
        target: Every pixel outside of the object, alpha, profile, metadata, further pages and channels are kept.
        method: How, see `inpaint.registry.blenders`.
        mask: (h, w) in the source's frame, True = object; None: what is not transparent in the source.
        placement: Where it goes.
        opaque: The object becomes opaque where the target is transparent.
        seed: For methods that draw at random.
        budget_s: For methods that take long.
        save_mask: Write where the object lies in the target there, as a mask.
        preview: Write the target with that marked there.
        callback: See `StepCallback`.

    Raises:
        MaskError: There is no object, or it lies outside of the target.
    """
    mask = object_of(source, mask)
    seen = np.ones(mask.shape, bool) if source.alpha is None else source.alpha > 0
    colors, placement = continued(in_profile_of(source, target), seen), placement or Placement()
    window = _window(method, mask, (target.height, target.width), placement)
    placed = place(colors, mask, (target.height, target.width), placement, window=window)
    where = np.zeros((target.height, target.width), bool)
    where[window.slices] = placed.mask
    if save_mask is not None:
        write_mask(where, save_mask)
    if preview is not None:
        write_preview(target, where, preview)
    around = target.array(window)
    if target.alpha is not None:
        around = continued(around, target.alpha[window.slices] > 0)
        hidden = float((target.alpha[where] == 0).mean())
        if hidden and not opaque:
            _log.warning(
                "%s: %.0f %% of the object lies where the target is transparent, and does not show there "
                "(--opaque shows it)",
                target.name,
                100 * hidden,
            )

    def answer(completed: NDArray[Any]) -> Photo:
        shown = target.with_fill(completed, placed.mask, region=window)
        return target.with_companions(opaque_in(shown, where) if opaque else shown, target.companions())

    blend = method.blend(
        placed.source,
        around,
        placed.mask,
        seed=seed,
        budget_s=budget_s,
        progress=photos_told(callback, target, answer),
    )
    for text in blend.warnings:
        _log.warning("%s: %s", target.name, text)
    return BlendedPhoto(
        photo=answer(blend.completed), mask=where, blend=blend, window=window, outside_share=placed.outside_share
    )


def _window(method: Blender, mask: Hole, size: tuple[int, int], placement: Placement) -> Region:
    """Return what of a target of this size a method has to be given."""
    box = source_box(mask, size, placement)
    context_px = method.reads_px(box.size) if isinstance(method, ArrayBlender) and box.area else None
    return Region.whole(size) if context_px is None else box.grown(context_px, size)


def object_in_source(
    source: Photo,
    mask: Source | Sequence[Source] | None = None,
    *,
    box: Any = None,
    invert: bool = False,
    label: Label | None = None,
    dilate_px: int = 0,
    max_pixels: int = MAX_PIXELS,
) -> Hole | None:
    """Return what of a source is the object, (h, w); None where neither a mask nor a box says it.

    Args:
        source: As it was read.
        mask: White = object, see `inpaint.images.mask_rules`; several in a list are united.
        box: x, y, width and height around an object: the object alone is meant, by GrabCut; several in a list.
        invert: Black = object.
        label: What in the mask is the object.
        dilate_px: By how much it grows.
        max_pixels: Most pixels of a mask that is read.

    Raises:
        UsageError: Options of masks are given without a mask.
        InputError: The mask cannot be used, or does not have the source's shape.
    """
    marks = marks_of(object_box=box)
    if not masks_of(mask) and not marks:
        if invert or label is not None or dilate_px:
            given = "invert_mask" if invert else "label" if label is not None else "dilate"
            raise UsageError(f"{given} is for masks, and none is given")
        return None
    _, found = marked(source, mask, marks, invert=invert, label=label, dilate_px=dilate_px, max_pixels=max_pixels)
    return found


def object_of(source: Photo, mask: Hole | None) -> Hole:
    """Return the object of a source (h, w): its mask where that is not transparent, or all that is not transparent.

    Raises:
        UsageError: Nothing says what the object is.
        MaskError: There is none, or the mask is of another size.
    """
    if mask is not None and mask.shape != (source.height, source.width):
        size = (source.height, source.width)
        raise MaskError(f"{source.name}: the mask must have the source's size {size}, got {mask.shape}")
    if source.alpha is None:
        if mask is None:
            raise UsageError(
                f"{source.name} has no transparency: say what of it is the object by a mask, or by a box around it"
            )
        found = mask
    else:
        opaque = source.alpha > white_of(source.alpha.dtype) / 2
        found = opaque if mask is None else mask & opaque
        if mask is None and opaque.all():
            raise UsageError(
                f"{source.name} is not transparent anywhere: say what of it is the object by a mask, or by a box"
            )
    if not found.any():
        what = "everything is transparent" if mask is None else "the mask marks nothing that is not transparent"
        raise MaskError(f"{source.name}: there is no object to blend: {what}")
    return found


def write_trace(found: BlendedPhoto, path: str | os.PathLike[str], request: Mapping[str, Any]) -> None:
    """Write how a blend went as JSON: the request, and what the method tells of its work. The folder is made."""
    content = {
        "request": dict(request),
        "outside_share": found.outside_share,
        "warnings": list(found.blend.warnings),
        "details": dict(found.blend.details),
    }
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=2) + "\n")
