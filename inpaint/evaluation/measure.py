"""One model on one photo: fill, time, round to 8 bit, measure."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import InpaintError
from inpaint.evaluation.guidance import Guiding
from inpaint.evaluation.subjects import Rgb
from inpaint.masks import HoleMask
from inpaint.metrics import Compared, ImageMeasure, measured, measures
from inpaint.types import FOUND, Fill, Inpainter, Progress, ProgressCallback, StopFill

WARM_UP_PX = 64


GRAY = 128  # what a blind model sees in the hole
USUAL = measures().of_images


@dataclass(frozen=True)
class Measured:
    """A completed image (H, W, 3) uint8, what measures found, and the seconds of the fill.

    values: by name; None where a measure says nothing of this fill.
    """

    completed: Rgb
    values: dict[str, float | None]
    seconds: float


def fill_and_measure(
    model: Inpainter,
    photo: Rgb,
    mask: HoleMask,
    *,
    seed: int,
    truth: Rgb | None = None,
    known: NDArray[np.bool_] | None = None,
    contaminated: bool = False,
    style: Rgb | None = None,
    before: tuple[Rgb, Rgb] | None = None,
    wanted: Sequence[ImageMeasure] = USUAL,
    samples: int = 1,
    guiding: Guiding | None = None,
    progress: ProgressCallback | None = None,
) -> Measured:
    """Fill a photo and compare what would be saved as 8 bit with the original.

    The clock runs from the image in memory to the answer in memory; copying to an accelerator and back is part of it,
    further samples are not.

    Args:
        model: Fills one image at a time here.
        photo: (H, W, 3) RGB.
        mask: (H, W), 1 = hole.
        seed: For models that draw at random.
        truth: What the fill is compared with, (H, W, 3); None: the photo itself.
        known: Where the truth is one, (H, W); None: everywhere. Holes elsewhere count as known.
        contaminated: Whether the hole of the photo holds what does not belong there: a blind model finds the hole then,
            and is not given it.
        style: The picture (h, w, 3) in whose style the model paints all of the photo, and then sees all of it; or None.
        before: Of a frame of a film, the frame before, and what has become of it; or None.
        wanted: The measures.
        samples: How many fills a model that draws at random makes for the measures that compare them.
        guiding: What the model is told of the truth; None: nothing.
        progress: Told every step of the fill.

    Raises:
        InpaintError: The model refuses, runs out of memory or answers with values that are not finite.
    """
    # A model that reads what lies in the hole must not find the truth there.
    hidden = style is None and model.capabilities.reads_hole and (truth is None or truth is photo)
    image, hole = as_batch(grayed(photo, mask) if hidden else photo, mask)
    guiding, told = guiding or Guiding(), (model.capabilities, photo if truth is None else truth, mask)
    planes = guiding.given(*told)
    given = {name: _plane(plane) for name, plane in planes.items()}
    started = time.perf_counter()
    finds = contaminated and model.capabilities.blind
    fill = _filled(model, image, None if finds else hole, seed, progress, given)
    seconds = time.perf_counter() - started
    if fill.completed.shape != image.shape:
        raise InpaintError(f"answered with shape {tuple(fill.completed.shape)} for {tuple(image.shape)}")
    if not fill.completed.isfinite().all():
        raise InpaintError("answered with values that are not finite")
    rounded = (fill.completed.double().clamp(0, 1) * 255).round()  # (1, 3, H, W), 0 to 255
    needs = {need for measure in wanted for need in measure.needs}
    exact = _exact(photo if truth is None else truth)
    comparable = torch.ones_like(hole) if known is None else torch.from_numpy(known.copy())[None, None].to(hole)

    def counted(painted: Tensor) -> Tensor:
        return painted if known is None else torch.where(comparable > 0, painted, exact)

    asked = guiding.asked(planes, *told) if needs & {"lines", "colors"} else {}
    several = (
        _samples(model, image, None if finds else hole, seed, samples, given)
        if "samples" in needs and samples > 1
        else None
    )
    compared = Compared(
        completed=counted(rounded / 255),
        image=exact,
        mask=hole * comparable,
        raw=counted(fill.raw.cpu().double()) if "raw" in needs else None,
        samples=None if several is None else counted(several),
        found=_found(model, fill if finds else None, photo, mask, seed) if "found" in needs else None,
        lines=_plane(asked["lines"]) if asked else None,
        colors=_plane(asked["colors"]) if asked else None,
        style=None if style is None else _exact(style),
        before=None if before is None else (_exact(before[0]), _exact(before[1])),
    )
    image_8_bit: Rgb = rounded[0].permute(1, 2, 0).to(torch.uint8).numpy()
    return Measured(image_8_bit, _values(compared, wanted), seconds)


def _values(compared: Compared, wanted: Sequence[ImageMeasure]) -> dict[str, float | None]:
    counted = {measure.name: bool(measure.counts(compared).item()) for measure in wanted}
    values = {name: value.item() for name, value in measured(compared, wanted).items()}
    for name, value in values.items():
        if counted[name] and not math.isfinite(value):
            raise InpaintError(f"answered with what {name} has no finite number for")
    return {name: value if counted[name] else None for name, value in values.items()}


def _plane(plane: NDArray[Any]) -> Tensor:
    """Return a plane (H, W, C) as (1, C, H, W)."""
    return torch.from_numpy(plane.transpose(2, 0, 1).copy())[None]


def _samples(
    model: Inpainter, image: Tensor, hole: Tensor | None, seed: int, count: int, guidance: Mapping[str, Tensor]
) -> Tensor | None:
    """Return several fills (S, 1, 3, H, W), rounded as they would be saved; None of a model that has but one."""
    if not model.capabilities.stochastic:
        return None
    fills = model.fill(image, hole, guidance=guidance or None, seed=[seed], samples=count)
    return torch.stack([(fill.completed.cpu().double().clamp(0, 1) * 255).round() / 255 for fill in fills])


def _found(model: Inpainter, fill: Fill | None, photo: Rgb, mask: HoleMask, seed: int) -> Tensor | None:
    """Return the map (1, 1, H, W) that a blind model found, in this fill or else where the hole is gray.

    None of another model.
    """
    if not model.capabilities.blind:
        return None
    if fill is None:
        damaged, _ = as_batch(grayed(photo, mask), mask)
        fill = model.fill(damaged, None, seed=[seed])[0]
    return fill.aux.get(FOUND, fill.mask).cpu()


def grayed(photo: Rgb, mask: HoleMask) -> Rgb:
    """Return a photo whose hole is gray."""
    return np.where(mask[..., None] == 1, np.uint8(GRAY), photo)


def warm_up(model: Inpainter, photo: Rgb, mask: HoleMask, *, seed: int) -> None:
    """Let a model do what only its first fill does (importing, allocating, choosing kernels), off the clock.

    A network fills the photo itself, because kernels are chosen by shape; a method without training, which may take
    minutes per photo, a small gray image, and one that takes many steps but the first of these.
    """
    if not model.capabilities.trained:
        side = max(WARM_UP_PX, model.capabilities.smallest_px)
        photo = np.full((side, side, 3), 128, np.uint8)
        mask = np.zeros((side, side), np.uint8)
        mask[side // 2, side // 2] = 1
    _filled(model, *as_batch(photo, mask), seed, _stop if model.capabilities.gradual else None)


def _stop(step: Progress) -> None:
    raise StopFill


def _filled(
    model: Inpainter,
    image: Tensor,
    hole: Tensor | None,
    seed: int,
    progress: ProgressCallback | None = None,
    guidance: Mapping[str, Tensor] | None = None,
) -> Fill:
    try:
        fill = model.fill(image, hole, guidance=guidance or None, seed=[seed], progress=progress)[0]
        return replace(fill, completed=fill.completed.cpu())  # waits for the accelerator
    except torch.OutOfMemoryError as error:
        raise InpaintError(f"out of memory: {str(error).splitlines()[0]}") from None


def as_batch(photo: Rgb, mask: HoleMask) -> tuple[Tensor, Tensor]:
    """Return image (1, 3, H, W) in [0, 1] and mask (1, 1, H, W), float32."""
    image = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].contiguous().float() / 255
    return image, torch.from_numpy(mask.copy())[None, None].float()


def _exact(photo: Rgb) -> Tensor:
    """Return a picture as (1, 3, H, W) in [0, 1], float64."""
    return torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].double() / 255
