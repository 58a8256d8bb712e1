"""Training of the partial-convolution U-Net: one optimizer, no discriminator, two phases (paper section 4.2).

Phase 1 trains everything. Its batch statistics count holes as zeros, so phase 2 freezes the encoder's batch norm and
goes on at a quarter of the learning rate, with a new optimizer; the decoder's batch norm keeps learning.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from inpaint.errors import InputError
from inpaint.models.feedforward import FeedForward
from inpaint.models.pconv.config import Config
from inpaint.models.pconv.network import Network
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.phases import Phase
from inpaint.types import Inpainter


class Training(TrainingModule):
    """The U-Net with its losses and its phases."""

    name = "pconv"
    config: Config
    network_class = Network
    sync_batch_norm = True  # batches of one GPU are small

    def phases(self) -> list[Phase]:
        """Everything; then all but the encoder's batch norms, as configured."""
        config = self.config
        slower = self.standard_updates("generator", rate=config.phase_2_rate)
        norms = tuple(f"generator.encoder.{level}.norm" for level in range(1, config.depth))
        if config.phase == 2:
            return [Phase(0, slower, frozen=norms)]
        first = Phase(0, self.standard_updates("generator"))
        if config.phase_2_from is None:
            return [first]
        return [first, Phase(config.phase_2_from, slower, frozen=norms, fresh_optimizers=True)]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint a batch. Raises InputError for images too small for the batch statistics of all levels."""
        image, mask = batch["image"], batch["mask"]
        self._check_deepest(image)
        raw = self.network(image, mask)["raw"]
        completed = torch.where(mask > 0.5, raw, image)
        return {"image": image, "mask": mask, "masked": image * (1 - mask), "raw": raw, "completed": completed}

    def _check_deepest(self, image: Tensor) -> None:
        """Statistics need two places at least; an image has 1 x 1 in the deepest layer if it is small."""
        levels, together = self.config.depth, self.loop.batch_size // self.loop.accumulate
        places = math.prod(math.ceil(side / 2**levels) for side in image.shape[-2:])
        if together * places == 1 and not self.config.in_phase_2(self.iteration):
            raise InputError(
                f"one image of {image.shape[-2]}x{image.shape[-1]} leaves one place in the last of {levels} levels, "
                f"which has no batch statistics; use batch_size=2 or more, or model.levels={levels - 1}"
            )

    def inpainter(self, network: Any) -> Inpainter:
        """Fill with the given network."""
        return FeedForward(network, name=self.name, device=self.device)
