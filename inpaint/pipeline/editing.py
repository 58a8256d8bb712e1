"""Edits of one photo in the gradient domain, from photo to photo: texture, light, color, tiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inpaint.classical.poisson import effects
from inpaint.errors import MaskError, UsageError, unknown
from inpaint.images.mask_rules import Hole
from inpaint.images.photo import Photo
from inpaint.options import Options, validated
from inpaint.pipeline.photo import filled

Colors = NDArray[np.float32]


class FlattenOptions(Options):
    """sigma: of the smoothing, in pixels, before edges are sought; more leaves fewer edges."""

    sigma: float = Field(1.0, gt=0, le=50)


class RelightOptions(Options):
    """alpha: of the mean gradient, where differences stay as they are. beta: how much others become alike."""

    alpha: float = Field(0.2, gt=0)
    beta: float = Field(0.2, ge=0, lt=1)


class RecolorOptions(Options):
    """Gains of the differences in red, green and blue."""

    red: float = Field(1.5, ge=0, le=10)
    green: float = Field(0.5, ge=0, le=10)
    blue: float = Field(0.5, ge=0, le=10)


class NoOptions(Options):
    """The task has no options."""


@dataclass(frozen=True)
class Task:
    """An edit.

    Args:
        summary: One line.
        options: What may be chosen.
        run: From colors (H, W, 3) in [0, 1], a mask (H, W) and options to new colors.
        mask: Whether it has a place: "needed", "optional" (the whole photo without one), or "none".
        everywhere: Whether pixels outside of the mask change, too.
    """

    summary: str
    options: type[Options]
    run: Callable[[Colors, Hole, Any], Colors]
    mask: str
    everywhere: bool = False


TASKS: Mapping[str, Task] = {
    "flatten": Task(
        "texture goes, edges stay",
        FlattenOptions,
        lambda colors, mask, chosen: effects.flattened(colors, mask, sigma_px=chosen.sigma),
        "optional",
    ),
    "relight": Task(
        "highlights and shadows become even",
        RelightOptions,
        lambda colors, mask, chosen: effects.relit(colors, mask, alpha=chosen.alpha, beta=chosen.beta),
        "optional",
    ),
    "recolor": Task(
        "another color, which fades out at the mask's border",
        RecolorOptions,
        lambda colors, mask, chosen: effects.recolored(colors, mask, (chosen.red, chosen.green, chosen.blue)),
        "needed",
    ),
    "gray-around": Task(
        "all becomes gray but for what is marked",
        NoOptions,
        lambda colors, mask, chosen: effects.decolored_around(colors, mask),
        "needed",
        everywhere=True,
    ),
    "tile": Task(
        "opposite borders become equal, so that copies side by side show no seam",
        NoOptions,
        lambda colors, mask, chosen: effects.tileable(colors),
        "none",
        everywhere=True,
    ),
}


def task_of(name: str, *, masked: bool, options: Mapping[str, Any] | None = None) -> tuple[Task, Options]:
    """Return a task and its options, checked.

    Raises:
        UsageError: There is no such task or option, or it needs a mask and has none, or the other way around.
    """
    if name not in TASKS:
        raise UsageError(unknown("task", name, TASKS))
    task = TASKS[name]
    if task.mask == "needed" and not masked:
        raise UsageError(f"the task {name} needs a mask, or something else that says where")
    if task.mask == "none" and masked:
        raise UsageError(f"the task {name} changes the whole photo and takes no mask")
    return task, validated(task.options, options or {})


def edit_photo(photo: Photo, name: str, mask: Hole | None = None, **options: Any) -> Photo:
    """Return a photo edited, of its size and depth, with all that came with it.

    Args:
        photo: Outside of the mask it is kept bit for bit, but by gray-around and tile.
        name: Of the task, see `TASKS`.
        mask: (H, W) bool, where; None: the whole photo.
        options: Of the task.

    Raises:
        UsageError: As `task_of`.
        MaskError: The mask does not fit, or is empty.
        InputError: The photo is too small.

    Example:
        >>> from inpaint.images.photo import photo_of_array
        >>> photo = photo_of_array(np.random.default_rng(0).integers(0, 255, (8, 9, 3)).astype(np.uint8))
        >>> tile = edit_photo(photo, "tile")
        >>> bool((tile.pixels[0] == tile.pixels[-1]).all())
        True
    """
    task, chosen = task_of(name, masked=mask is not None, options=options)
    whole = np.ones((photo.height, photo.width), bool)
    where = whole if mask is None else mask
    if where.shape != whole.shape:
        raise MaskError(f"{photo.name}: the mask must have the photo's size {whole.shape}, got {where.shape}")
    if not where.any():
        raise MaskError(f"{photo.name}: the mask is empty: there is nothing to edit")
    edited = task.run(photo.array(), where, chosen)
    shown = filled(photo, edited, whole if task.everywhere else where, opaque=False)
    return photo.with_companions(shown, photo.companions())
