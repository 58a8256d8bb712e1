"""The one call for notebooks that puts a part of one photo into another."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import inpaint.arguments as arguments
from inpaint.blending.placing import Placement
from inpaint.blending.table import DEFAULT
from inpaint.errors import InputError
from inpaint.fills.checks import checked_seed
from inpaint.images.hole_files import check_mask_name
from inpaint.images.mask_rules import Label
from inpaint.images.reading import MAX_PIXELS
from inpaint.pipeline.api import ImageT, loaded, target_of, write_and_return
from inpaint.pipeline.blending import blend_photos, object_in_source
from inpaint.pipeline.sources import PathLike, Source, photo_of
from inpaint.registry.blenders import load_method
from inpaint.types import Blender, ProgressCallback, shown


def blend(
    source: Source,
    target: PathLike | ImageT,
    mask: Source | Sequence[Source] | None = None,
    *,
    method: PathLike | Blender = DEFAULT,
    at: Sequence[int] | None = None,
    scale: float = 1.0,
    rotate: float = 0.0,
    box: Any = None,
    invert_mask: bool = False,
    label: Label | None = None,
    dilate: int = 0,
    output: PathLike | None = None,
    save_mask: PathLike | None = None,
    preview: PathLike | None = None,
    opaque: bool = False,
    seed: int = 0,
    budget_s: float | None = None,
    device: str = "auto",
    quality: int | None = None,
    first_page: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> ImageT:
    """Put a part of one photo into another and return that, of the target's size and kind.

    Every pixel outside of the object is the target's, bit for bit. Kinds and depths are as in `inpaint.fill`.

    Args:
        source: The photo with the object: a path, a Pillow image, or an array.
        target: The photo that it goes into: the same kinds.
        mask: What of the source is the object, in the source's frame: white, or True, or 1. None: what is not
            transparent in the source, or what `box` says. Several in a list are united.
        method: A name of `inpaint.blending.table`, the folder of a trained harmonizer, or a method that is loaded.
        at: x and y of the source's top left corner in the target, which may be negative. None: centered.
        scale: Factor of the source's size.
        rotate: Degrees, counterclockwise.
        box: x, y, width, height around an object in the source: the object alone is meant, by GrabCut.
        invert_mask: Black = object.
        label: What in the mask is the object: an integer, a color, or "transparent".
        dilate: Pixels of the source by which the object grows.
        output: Also write the result there, at full depth, with the target's profile and metadata.
        save_mask: Write where the object lies in the target there, as a mask.
        preview: Write the target with that marked there.
        opaque: The object becomes opaque where the target is transparent.
        seed: For methods that draw at random.
        budget_s: Seconds, for methods that take long.
        device: For methods that compute with torch.
        quality: As in `inpaint.fill`.
        first_page: Leave further pages of the target out.
        max_pixels: Refuse files that claim more.
        progress: Told every step of methods that take long; may raise `StopFill` for what there is.
        options: Of the method, such as mode="mixed".

    Raises:
        InpaintError: With one line that says what to do: UsageError, InputError or MaskError.

    Example:
        >>> import numpy as np
        >>> source, target = np.full((8, 8, 3), 200, np.uint8), np.full((20, 30, 3), 90, np.uint8)
        >>> blend(source, target, np.ones((8, 8), bool), method="paste", at=(2, 3))[3, 1:3, 0]
        array([ 90, 200], dtype=uint8)
    """
    output, preview = target_of("output", output), target_of("preview", preview)
    save_mask = target_of("save_mask", save_mask)
    if save_mask is not None:
        check_mask_name(save_mask)
    placement = Placement(at=_point(at), scale=arguments.number("scale", scale), rotate=_degrees(rotate))
    seed, max_pixels = checked_seed(seed), arguments.integer("max_pixels", max_pixels, least=1)
    opaque, first_page = arguments.truth("opaque", opaque), arguments.truth("first_page", first_page)
    invert_mask, dilate = arguments.truth("invert_mask", invert_mask), arguments.integer("dilate", dilate)
    quality = None if quality is None else arguments.integer("quality", quality, least=1, most=100)
    arguments.function("progress", progress)
    blender = loaded("method", method, load_method, does="blend", device=device, options=options)
    read = photo_of(source, max_pixels, what="source")
    photo = photo_of(target, max_pixels, what="target", first_page=first_page or output is None)
    found = blend_photos(
        read,
        photo,
        blender,
        mask=object_in_source(
            read, mask, box=box, invert=invert_mask, label=label, dilate_px=dilate, max_pixels=max_pixels
        ),
        placement=placement,
        opaque=opaque,
        seed=seed,
        budget_s=budget_s,
        save_mask=save_mask,
        preview=preview,
        callback=None if progress is None else lambda step, make: progress(step),
    )
    return write_and_return(target, found.photo, output, quality=quality)


def _point(at: Sequence[int] | None) -> tuple[int, int] | None:
    """Return x and y; raises InputError for anything else."""
    if at is None:
        return None
    if isinstance(at, str | os.PathLike) or not hasattr(at, "__len__") or len(at) != 2:
        raise InputError(f"at must be x and y in pixels of the target, got {shown(at)}")
    x, y = (arguments.integer("at", value, least=-(10**9)) for value in at)
    return x, y


def _degrees(rotate: object) -> float:
    return arguments.number("rotate", rotate, least=-1e6)
