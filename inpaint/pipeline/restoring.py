"""One photo restored by itself: Deep Image Prior for holes, missing pixels, noise, size and flash, from photo to photo.

`fill_photo` with the model "dip" and the task inpaint are one computation: the same restoration of the same tensors.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import torch
from torch import Tensor

import inpaint.arguments as arguments
from inpaint.dip.options import DipOptions, checked_options
from inpaint.dip.presets import Task, check_task
from inpaint.dip.restoring import Restored, RestoreStep, restore
from inpaint.errors import InputError, UsageError
from inpaint.fills.checks import checked_seed
from inpaint.images.hole_files import write_mask, write_preview
from inpaint.images.mask_rules import Hole, Label
from inpaint.images.photo import Photo, photo_of_array
from inpaint.images.reading import MAX_PIXELS
from inpaint.images.writing import write_photo
from inpaint.pipeline.holes import Marks, marks_of, split_masks, warn_without_hole
from inpaint.pipeline.photo import check_hole, check_photo, filled, unknown
from inpaint.pipeline.sources import Source, marked, masks_of, photo_of
from inpaint.system.devices import resolve_device
from inpaint.system.files import write_text
from inpaint.types import OneLine

PhotoCallback: TypeAlias = Callable[[RestoreStep, Callable[[], Photo]], None]
"""Called after every iteration with what it gave and a function that makes the photo as it is by then; raises
`inpaint.types.StopFill` to get what there is."""

_log = logging.getLogger("inpaint.pipeline")


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RestoredPhoto(OneLine):
    """The restored photo, and what the restoration says of itself: its parts, how long it took, how sure it is."""

    photo: Photo
    restored: Restored


def restore_photo(
    image: Source | Photo,
    task: Task,
    *,
    mask: Source | Sequence[Source] | None = None,
    flash: Source | Photo | None = None,
    marks: Marks | None = None,
    save_mask: str | os.PathLike[str] | None = None,
    preview: str | os.PathLike[str] | None = None,
    options: DipOptions | None = None,
    invert_mask: bool = False,
    label: Label | None = None,
    dilate: int = 0,
    opaque: bool = False,
    device: str = "auto",
    seed: int = 0,
    spent_s: float = 0.0,
    first_page: bool = False,
    max_pixels: int = MAX_PIXELS,
    callback: PhotoCallback | None = None,
) -> RestoredPhoto:
    """Restore one photo with nothing but the photo itself.

    Args:
        image: A path, a Pillow image, an array or a `Photo`; for the task flash the one without.
        task: inpaint, restore (scattered missing pixels), denoise (also JPEG), super-resolve or flash.
        mask: What is missing, white, for the tasks inpaint and restore; known pixels stay as they are. Several, in a
            list, are united; the word alpha stands for what is transparent in the photo.
        flash: The same scene with flash, for the task flash.
        marks: What else says what is missing, see `inpaint.pipeline.holes.marks_of`.
        save_mask: Write what is missing there, as a mask.
        preview: Write the photo with what is missing over it there.
        options: All else, the budget of time among it.
        invert_mask: Black is missing.
        label: What in the mask is missing: an integer, a color such as "#ff0000", or "transparent".
        dilate: Pixels by which the hole grows.
        opaque: The filled hole becomes opaque where the photo is transparent.
        device: "auto", "cpu", "cuda", "cuda:1".
        seed: Of every random step.
        spent_s: Seconds of the budget that are gone already; what reading takes counts by itself.
        first_page: Restore the first page of a file alone, which several pages need: each would take the whole budget.
        max_pixels: Refuse files that claim more, and results that would have more.
        callback: See `PhotoCallback`.

    Raises:
        UsageError: Task, inputs and options do not fit each other.
        InputError: A photo, or another argument, that cannot be used; MaskError for the mask.

    Example:
        >>> pixels = np.zeros((16, 20, 3), np.uint8)
        >>> small = restore_photo(pixels, "super-resolve", options=DipOptions(factor=2, iterations=1, width=4))
        >>> small.photo.pixels.shape, small.restored.reason
        ((32, 40, 3), 'finished')
    """
    started, options = time.monotonic(), checked_options(options)
    masks, alpha = split_masks(masks_of(mask))
    marks = (marks or Marks()).joined(marks_of(alpha=alpha))
    check_task(task, mask=bool(masks) or bool(marks), flash=flash is not None, options=options)
    if not masks and not marks and (save_mask is not None or preview is not None):
        raise UsageError(f"the task {task} has no hole that a mask or preview could show")
    opaque, seed = arguments.truth("opaque", opaque), checked_seed(seed)
    spent_s, max_pixels = arguments.number("spent_s", spent_s), arguments.integer("max_pixels", max_pixels, least=1)
    first_page = arguments.truth("first_page", first_page)
    arguments.function("callback", callback)
    where = resolve_device(device)
    photo = _photo(image, max_pixels, first_page=first_page)
    check_photo(photo, DipOptions.capabilities, name=f"the task {task}")
    factor = options.factor if task == "super-resolve" else 1
    if photo.width * photo.height * factor * factor > max_pixels:
        raise InputError(
            f"{photo.name}: the result would have {photo.width * factor} x {photo.height * factor} pixels, "
            f"more than the limit of {max_pixels:,}"
        )
    hole: Hole | None = None
    if masks or marks:
        marks = marks.at_work(None, device)
        photo, hole = marked(
            photo, masks, marks, invert=invert_mask, label=label, dilate_px=dilate, max_pixels=max_pixels
        )
        opaque = opaque or marks.shows
        if save_mask is not None:
            write_mask(hole, save_mask)
        if preview is not None:
            write_preview(photo, hole, preview)
        warn_without_hole(photo, hole, masks, marks)
        if hole.any():
            check_hole(photo, hole, DipOptions.capabilities, name=f"the task {task}", opaque=opaque)

    def tell(step: RestoreStep) -> None:
        if step.intermediate.event is not None:
            _log.warning("%s", step.intermediate.event)
        if callback is not None:
            callback(step, lambda: _with_answer(photo, step.image(), hole, opaque))

    restored = restore(
        task,
        _tensor(photo),
        None if hole is None else _mask(photo, hole),
        flash=None if flash is None else _tensor(_photo(flash, max_pixels, first_page=first_page)),
        options=options,
        device=where,
        seed=seed,
        spent_s=spent_s + time.monotonic() - started,
        callback=tell,
    )
    for text in restored.warnings:
        _log.warning("%s: %s", photo.name, text)
    return RestoredPhoto(photo=_with_answer(photo, restored.image, hole, opaque), restored=restored)


def write_trace(restored: Restored, path: str | os.PathLike[str], request: Mapping[str, Any]) -> None:
    """Write how a restoration went as JSON: the request, and per part what it was made with and the loss on the way.

    Args:
        restored: What it gave.
        path: The file; its folder is made.
        request: What was asked for, in the types of JSON.
    """
    parts = [
        {
            "region": asdict(part.region),
            "preset": part.preset,
            "width": part.width,
            "scale": part.scale,
            "depth": part.depth,
            "iterations": part.result.iterations,
            "elapsed_s": part.result.elapsed_s,
            "reason": part.result.reason,
            "divergences": part.result.divergences,
            "warnings": part.warnings,
            "trace": [asdict(row) for row in part.result.trace],
        }
        for part in restored.parts
    ]
    content = {"request": dict(request), "elapsed_s": restored.elapsed_s, "parts": parts}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_uncertainty(restored: Restored, path: str | os.PathLike[str]) -> float | None:
    """Write the deviation of Langevin samples as a gray image, white = the largest, and return that.

    Where nothing had to be fitted the image is black, and 0 comes back. Where there were too few samples, nothing is
    written, a warning says so, and None comes back.
    """
    if restored.uncertainty is not None:
        plane = restored.uncertainty[0, 0].cpu().numpy()  # (H, W)
    elif not restored.parts:
        plane = np.zeros(restored.image.shape[-2:], np.float32)
    else:
        _log.warning("%s: too few samples for a map of uncertainty: it is not written", os.fspath(path))
        return None
    top = float(plane.max())
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_photo(photo_of_array(np.rint(255 * plane / max(top, 1e-12)).astype(np.uint8)), path)
    return top


def _photo(image: Source | Photo, max_pixels: int, *, first_page: bool) -> Photo:
    photo = image if isinstance(image, Photo) else photo_of(image, max_pixels, first_page=first_page)
    if photo.pages and not first_page:
        raise InputError(f"{photo.name}: it has {len(photo.pages) + 1} pages; --first-page restores the first alone")
    return photo


def _tensor(photo: Photo) -> Tensor:
    return torch.from_numpy(photo.array()).permute(2, 0, 1)[None].contiguous()  # (1, 3, H, W)


def _mask(photo: Photo, hole: Hole) -> Tensor:
    """Return what is missing, (1, 1, H, W); transparent pixels are no better known, where there is anything to fill."""
    return torch.from_numpy(unknown(photo, hole) if hole.any() else hole).float()[None, None]


def _with_answer(photo: Photo, answer: Tensor, hole: Hole | None, opaque: bool) -> Photo:
    """Return the answer (1, 3, H, W) with all that came with the photo; without a hole at the answer's size."""
    painted = answer[0].permute(1, 2, 0).cpu().numpy()  # (H, W, 3)
    if hole is not None:
        return filled(photo, painted, hole, opaque=opaque)
    height, width = painted.shape[:2]
    alpha = photo.alpha
    if alpha is not None and alpha.shape != (height, width):
        alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_CUBIC)
    blank = np.zeros((height, width, 3), photo.pixels.dtype)
    return replace(photo, pixels=blank, alpha=alpha).with_fill(painted, np.ones((height, width), bool))
