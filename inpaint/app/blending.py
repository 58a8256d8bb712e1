"""What the page's blending does, without the page: two photos, the object in one of them, and blends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from PIL import Image

from inpaint.app.models import LoadedModels
from inpaint.app.settings import Settings
from inpaint.app.work import (
    SAME_FORMAT,
    VIEW_PX,
    Working,
    read,
    safe_name,
    shown_of,
    suffix_of,
    taken,
    unplaced,
    watched,
    written,
)
from inpaint.app.workspaces import Result, Shown, Workspace, write_mask
from inpaint.blending.harmonizing import Harmonizing
from inpaint.blending.options import BlendOptions
from inpaint.blending.placing import Placement
from inpaint.blending.table import BLENDERS, DEFAULT
from inpaint.errors import InpaintError, InputError, UsageError, unknown
from inpaint.images.mask_rules import Hole
from inpaint.images.masks import fit_to, hush, read_mask
from inpaint.images.photo import Photo, white_of
from inpaint.images.regions import Region
from inpaint.images.strokes import Shape, drawn
from inpaint.images.views import write_view
from inpaint.options import validated
from inpaint.pipeline.blending import BlendedPhoto, blend_photos, object_of
from inpaint.pipeline.hole_sources import ObjectIn
from inpaint.registry.texts import for_options
from inpaint.types import Blender, ProgressCallback

Role: TypeAlias = Literal["source", "target"]
ROLES = get_args(Role)


@dataclass(frozen=True, kw_only=True)
class BlendAsked:
    """A blend that is asked for.

    Args:
        x: Where the source's center lies in the target, in pixels.
        y: Likewise.
        scale: Factor of the source's size.
        rotate: Degrees, counterclockwise.
        method: Of `methods`.
        options: Of the method, each NAME=VALUE.
        seed: Of what is random.
        format: "as the photo", or a name of `FORMATS`.
    """

    x: float
    y: float
    scale: float = 1.0
    rotate: float = 0.0
    method: str = DEFAULT
    options: tuple[str, ...] = ()
    seed: int = 0
    format: str = SAME_FORMAT


@dataclass(frozen=True)
class Method:
    """A method that is offered. model: the label of a trained harmonizer, None for a method of `BLENDERS`."""

    summary: str
    gradual: bool = False
    model: str | None = None


def methods(models: LoadedModels) -> dict[str, Method]:
    """Return the methods that are offered, by name: those of `BLENDERS`, and every trained harmonizer."""
    found = {name: Method(entry.summary, entry.gradual) for name, entry in BLENDERS.items()}
    for label, offer in models.harmonizers.items():
        name = f"{label} (trained)" if label in BLENDERS else label
        found[name] = Method(f"pasted, in colors that go with the target ({offer.summary})", model=label)
    return found


def open_part(
    workspace: Workspace, role: str, file: Path, name: str, settings: Settings
) -> tuple[Shown, Path | None, list[str]]:
    """Take a file into a workspace as the source or the target.

    Args:
        workspace: Whose photo it becomes.
        role: "source" or "target".
        file: It is copied.
        name: As its user calls it.
        settings: Limits of bytes and pixels.

    Returns:
        The photo; for a source whose transparency says what the object is, a picture of that; what there is to say.

    Raises:
        UsageError: Another role.
        InputError: It is no photo, or beyond the limits; the workspace stays as it was.
    """
    if role not in ROLES:
        raise UsageError(unknown("role", role, ROLES))
    photo, shown, notes = shown_of(workspace, file, name, settings)
    if role in workspace.parts:
        workspace.parts[role].file.unlink(missing_ok=True)
    workspace.parts[role] = shown
    if role == "target":
        return shown, None, notes
    workspace.object_mask = None
    try:
        mask = object_of(photo, None)
    except InpaintError:
        return shown, None, notes
    return shown, _kept_object(workspace, photo, mask), notes


def mark_object(workspace: Workspace, shape: Shape, settings: Settings) -> Path:
    """Make what is marked in the source the object, and return a picture of it.

    Args:
        workspace: Whose source it is.
        shape: A box around the object, which is told by its colors, or its outline.
        settings: Limits.

    Raises:
        InpaintError: No source is open, or the shape lies outside of it.
    """
    photo = _photo(workspace, "source", settings)
    inside = drawn([shape], photo.height, photo.width)
    if not inside.any():
        raise UsageError(f"the {'outline' if shape.kind == 'lasso' else shape.kind} lies outside of the source")
    marked = ObjectIn(Region.around(inside)).hole_in(photo) if shape.kind == "box" else inside
    return _kept_object(workspace, photo, object_of(photo, marked))


def take_object_mask(workspace: Workspace, file: Path, name: str, settings: Settings) -> Path:
    """Take a mask file for the source (white = object), and return a picture of the object.

    Raises:
        InpaintError: No source is open, or the file is no mask of it.
    """
    photo, name = _photo(workspace, "source", settings), safe_name(name)
    copy = taken(workspace, file, name, settings)
    try:
        found = read_mask(copy, max_pixels=settings.max_pixels, say=hush)
        mask = object_of(photo, fit_to(found, photo.height, photo.width, name=name, say=hush))
    except InpaintError as error:
        raise InputError(unplaced(str(error), copy, name)) from None
    finally:
        copy.unlink(missing_ok=True)
    return _kept_object(workspace, photo, mask)


def blend(
    workspace: Workspace, asked: BlendAsked, models: LoadedModels, settings: Settings
) -> Iterator[Working | Result]:
    """Blend and yield how far it is, and the result.

    A method that comes nearer to its answer step by step gives what it has when `workspace.stopping` is set.

    Raises:
        InpaintError: What is asked for cannot be done.
    """
    known = methods(models)
    if asked.method not in known:
        raise UsageError(unknown("method", asked.method, known))
    method = known[asked.method]
    kind = BlendOptions if method.model is not None else BLENDERS.kind(asked.method)
    options = for_options(f"the method {asked.method}", kind, asked.options)
    validated(kind, options)
    target, source = (_photo(workspace, role, settings) for role in ("target", "source"))
    if workspace.object_mask is None:
        raise UsageError("nothing of the source is the object yet: draw a box around it, or take a mask file")
    shown = workspace.parts["target"]
    suffix = suffix_of(shown, asked.format)  # another photo may be opened before the blend is written
    mask = np.asarray(Image.open(workspace.object_mask)) > 0
    placement = Placement(scale=asked.scale, rotate=asked.rotate).centered_at(asked.x, asked.y, mask.shape)
    at = Working(model=asked.method, number=0, count=1)
    if workspace.stopping.is_set():
        return
    yield at
    started = time.monotonic()
    blender: Any = (  # a name that stands for the class, too
        BLENDERS.load(asked.method, device=settings.device, **options)
        if method.model is None
        else Harmonizing(models.get(method.model).inner, validated(BlendOptions, options))
    )
    work = partial(_blended, source, target, blender, mask, placement, asked.seed)
    found, notes = yield from watched(workspace, shown, at, work, stoppable=method.gradual)
    if found.outside_share >= 0.005:
        notes.append(f"{100 * found.outside_share:.0f} % of the object lies outside of the target")
    place, details = workspace.new_file("mask.png"), found.blend.details
    write_mask(found.mask, place)
    seconds, title = time.monotonic() - started, asked.method
    result = written(workspace, found.photo, shown, title, suffix=suffix, mask=place, seconds=seconds, notes=notes)
    chosen = f"{title} ({details['method']})" if details.get("method") else title
    result = replace(result, model=chosen, strategy=str(details.get("reason", "")))
    workspace.add(result, settings.kept)
    yield result


def _blended(
    source: Photo,
    target: Photo,
    blender: Blender,
    mask: Hole,
    placement: Placement,
    seed: int,
    tell: ProgressCallback,
) -> BlendedPhoto:
    return blend_photos(
        source, target, blender, mask=mask, placement=placement, seed=seed, callback=lambda step, make: tell(step)
    )


def _photo(workspace: Workspace, role: Role, settings: Settings) -> Photo:
    if role not in workspace.parts:
        raise UsageError(f"no {role} is open: drop one on the page, or choose a sample")
    shown = workspace.parts[role]
    return read(shown.file, shown.name, settings)


def _kept_object(workspace: Workspace, source: Photo, mask: Hole) -> Path:
    """Keep the object's mask (h, w), and return a picture of the source that shows the object alone."""
    workspace.object_mask = workspace.new_file("object.png")
    write_mask(mask, workspace.object_mask)
    alpha = mask.astype(source.pixels.dtype) * source.pixels.dtype.type(white_of(source.pixels.dtype))
    view = workspace.new_file("object.webp")
    write_view(replace(source, alpha=alpha, extra=None, pages=()), view, longest_px=VIEW_PX)
    return view
