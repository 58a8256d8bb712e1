"""A teacher: any fill that a training's losses compare with, such as a larger model of another kind."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from inpaint.losses.distillation import TEACHER
from inpaint.types import Inpainter


class Teacher:
    """Fills the batches of a training, without gradients; it is no part of what is saved.

    load: Returns the fill on a device; called when the first batch comes, again when batches come from another device.
    """

    def __init__(self, load: Callable[[torch.device], Inpainter]) -> None:
        self._load = load
        self._loaded: tuple[torch.device, Inpainter] | None = None

    def entries(self, image: Tensor, mask: Tensor, *, seed: int) -> dict[str, Tensor]:
        """Return what the record holds of the teacher for a batch.

        Args:
            image: (B, 3, H, W) in [0, 1].
            mask: (B, 1, H, W), 1 = hole.
            seed: Of teachers that draw.

        Returns:
            "teacher" (B, 3, H, W), the completed images, and "teacher_NAME" for each intermediate of its fill.
        """
        if self._loaded is None or self._loaded[0] != image.device:
            self._loaded = image.device, self._load(image.device)
        # It computes as it does when it fills, whatever the training's precision; a fill by optimization needs
        # gradients of its own.
        with torch.enable_grad(), torch.autocast(image.device.type, enabled=False):
            (fill,) = self._loaded[1].fill(image.float(), mask.float(), seed=seed)
        made = {TEACHER: fill.completed, **{f"{TEACHER}_{name}": plane for name, plane in fill.aux.items()}}
        return {name: plane.detach() for name, plane in made.items()}
