"""Training of MI-GAN (paper section 3; details as in the authors' program).

The generator steps first; then the discriminator, on images that the changed generator paints anew from the same batch,
real and generated ones apart, since it compares the images of a batch with each other. Every sixteenth time its penalty
is a step of its own. The teacher is any fill.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inpaint.models.feedforward import FeedForward
from inpaint.models.migan.config import Config
from inpaint.models.migan.network import Network
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.phases import Phase
from inpaint.types import Inpainter


class Training(TrainingModule):
    """MI-GAN with its losses and updates."""

    name = "migan"
    config: Config
    network_class = Network
    real_and_fake_together = False

    def phases(self) -> list[Phase]:
        """Generator, then discriminator."""
        *discriminator, generator = self.standard_updates("generator")
        return [Phase(0, (generator, *discriminator))]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint a batch, with what `Network.stages` returns."""
        image, mask = batch["image"], batch["mask"]
        network: Network = self.network  # type: ignore[assignment]
        painted = network.stages(image, mask)
        completed = torch.where(mask > 0.5, painted["raw"], image)
        return {"image": image, "mask": mask, "masked": image * (1 - mask), **painted, "completed": completed}

    def inpainter(self, network: Any) -> Inpainter:
        """Fill with the given network."""
        return FeedForward(network, name=self.name, device=self.device)
