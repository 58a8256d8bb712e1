"""One model on one photo: fill, time, round to 8 bit, measure."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inpaint.errors import InpaintError
from inpaint.evaluation.photos import Rgb
from inpaint.masks import HoleMask
from inpaint.metrics import Compared, measured, measures
from inpaint.types import Inpainter, ProgressCallback

WARM_UP_PX = 64


@dataclass(frozen=True)
class Measured:
    """A completed image (H, W, 3) uint8, its metrics by name, and the seconds of the fill."""

    completed: Rgb
    metrics: dict[str, float]
    seconds: float


def fill_and_measure(
    model: Inpainter, photo: Rgb, mask: HoleMask, *, seed: int, progress: ProgressCallback | None = None
) -> Measured:
    """Fill a photo and compare what would be saved as 8 bit with the original.

    The clock runs from the image in memory to the answer in memory; copying to an accelerator and back is part of it.

    Args:
        model: Fills one image at a time here.
        photo: (H, W, 3) RGB.
        mask: (H, W), 1 = hole.
        seed: For models that draw at random.
        progress: Told every step of the fill.

    Raises:
        InpaintError: The model refuses, runs out of memory or answers with values that are not finite.
    """
    image, hole = as_batch(photo, mask)
    started = time.perf_counter()
    completed = _completed(model, image, hole, seed, progress)
    seconds = time.perf_counter() - started
    if completed.shape != image.shape:
        raise InpaintError(f"answered with shape {tuple(completed.shape)} for {tuple(image.shape)}")
    if not completed.isfinite().all():
        raise InpaintError("answered with values that are not finite")
    rounded = (completed.double().clamp(0, 1) * 255).round()  # (1, 3, H, W), 0 to 255
    exact = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].double() / 255
    values = measured(Compared(completed=rounded / 255, image=exact, mask=hole), measures().of_images)
    image_8_bit: Rgb = rounded[0].permute(1, 2, 0).to(torch.uint8).numpy()
    return Measured(image_8_bit, {name: value.item() for name, value in values.items()}, seconds)


def warm_up(model: Inpainter, photo: Rgb, mask: HoleMask, *, seed: int) -> None:
    """Let a model do what only its first fill does (importing, allocating, choosing kernels), off the clock.

    A network fills the photo itself, because kernels are chosen by shape; a method without training, which may take
    minutes per photo, a small gray image.
    """
    if not model.capabilities.trained:
        side = max(WARM_UP_PX, model.capabilities.smallest_px)
        photo = np.full((side, side, 3), 128, np.uint8)
        mask = np.zeros((side, side), np.uint8)
        mask[side // 2, side // 2] = 1
    _completed(model, *as_batch(photo, mask), seed)


def _completed(
    model: Inpainter, image: Tensor, hole: Tensor, seed: int, progress: ProgressCallback | None = None
) -> Tensor:
    try:
        return model.fill(image, hole, seed=[seed], progress=progress)[0].completed.cpu()  # waits for the accelerator
    except torch.OutOfMemoryError as error:
        raise InpaintError(f"out of memory: {str(error).splitlines()[0]}") from None


def as_batch(photo: Rgb, mask: HoleMask) -> tuple[Tensor, Tensor]:
    """Return image (1, 3, H, W) in [0, 1] and mask (1, 1, H, W), float32."""
    image = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].contiguous().float() / 255
    return image, torch.from_numpy(mask.copy())[None, None].float()
