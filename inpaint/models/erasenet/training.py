"""Training of EraseNet: the discriminator steps first, then the generator, in every iteration.

The authors' program steps the discriminator between the generator's losses and their backward pass, which PyTorch
refuses since 1.5; here the generator's losses are those of the discriminator after its step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inpaint.images.guidance import CONTAMINATED
from inpaint.models.erasenet.config import Config
from inpaint.models.erasenet.network import Network
from inpaint.models.feedforward import FeedForward
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.phases import Phase
from inpaint.types import Inpainter


class Training(TrainingModule):
    """EraseNet with its losses and updates."""

    name = "erasenet"
    config: Config
    network_class = Network
    real_and_fake_together = False
    sync_batch_norm = True
    best_metric = "l1"  # false alarms count, too

    def phases(self) -> list[Phase]:
        """One phase: discriminator, then generator."""
        return [Phase(0, self.standard_updates("generator"))]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint contaminated images at all sizes, and find where they are contaminated."""
        image, mask, contaminated = batch["image"], batch["mask"], batch[CONTAMINATED.name]
        found: dict[str, Tensor] = self.network.generator(contaminated)  # type: ignore[operator]
        completed = torch.where(mask > 0.5, found["raw"], image)
        return {"image": image, "mask": mask, "masked": image * (1 - mask), **found, "completed": completed}

    def inpainter(self, network: Any) -> Inpainter:
        """Fill with the given network."""
        return FeedForward(network, name=self.name, device=self.device)
