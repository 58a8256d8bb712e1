"""Training of AOT-GAN (paper section 3.3; details as in the authors' program).

L1, style and perceptual loss read what was painted everywhere, the discriminator what is pasted into the hole. All
gradients of an iteration are computed before any network moves, as in that program; but the discriminator learns from
its own loss alone, where the program lets it step by the generator's adversarial gradient as well.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inpaint.models.aotgan.config import Config
from inpaint.models.aotgan.network import Network
from inpaint.models.feedforward import FeedForward
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.phases import Phase
from inpaint.types import Inpainter


class Training(TrainingModule):
    """AOT-GAN with its losses and updates."""

    name = "aotgan"
    config: Config
    network_class = Network

    def phases(self) -> list[Phase]:
        """Discriminator and generator, both by gradients of the same state."""
        return [Phase(0, self.standard_updates("generator"), simultaneous=True)]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint a batch."""
        image, mask = batch["image"], batch["mask"]
        raw = self.network(image, mask)["raw"]
        completed = torch.where(mask > 0.5, raw, image)
        return {"image": image, "mask": mask, "masked": image * (1 - mask), "raw": raw, "completed": completed}

    def inpainter(self, network: Any) -> Inpainter:
        """Fill with the given network."""
        return FeedForward(network, name=self.name, device=self.device)
