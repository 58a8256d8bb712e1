"""Training of GLCIC in three phases (paper section 3.4, algorithm 1).

First the completion network learns alone, then the discriminator alone, from a completion network that stays as it is;
then both, the discriminator first. The window of a completed image lies around its hole, that of a real one anywhere.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inpaint.losses import Losses, Record
from inpaint.losses.base import DiscriminatorTerm
from inpaint.models.feedforward import FeedForward
from inpaint.models.glcic.config import Config
from inpaint.models.glcic.network import Network, anywhere, windows
from inpaint.training.config import LoopConfig
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.phases import Phase, Update, Values
from inpaint.types import Inpainter


class Training(TrainingModule):
    """GLCIC with its losses, updates and phases."""

    name = "glcic"
    config: Config
    network_class = Network
    real_and_fake_together = False  # a batch norm meets real images by themselves
    sync_batch_norm = True

    def __init__(self, config: Config, *, losses: Losses, loop: LoopConfig) -> None:
        super().__init__(config, losses=losses, loop=loop)
        self._alone = losses.weighted().where(lambda term: not isinstance(term, DiscriminatorTerm))

    def phases(self) -> list[Phase]:
        """The completion network, the discriminator, both; without an adversarial loss the first phase is all."""
        alone = Update("generator", ("generator",), self.completion_losses)
        if not self.discriminators:
            return [Phase(0, (alone,))]
        *discriminator, both = self.standard_updates("generator")
        second = self.config.completion_iterations
        return [
            Phase(0, (alone,)),
            Phase(second, tuple(discriminator), frozen=("generator",)),
            Phase(second + self.config.discriminator_iterations, (*discriminator, both)),
        ]

    def completion_losses(self, record: Record) -> tuple[Tensor, Values]:
        """Return the weighted sum of the losses that need no discriminator, and each unweighted by name."""
        values = self._alone.of_record(record)
        weighted = (self._alone.terms[name].weight * value for name, value in values.items())
        return sum(weighted, torch.zeros((), device=self.device)), values

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint a batch; `elsewhere` is the real images with a plane that says where a window was drawn."""
        image, mask = batch["image"], batch["mask"]
        raw = self.network(image, mask)["raw"]
        side = min(self.config.discriminator.sides[1], *image.shape[-2:])
        size = (image.shape[-2], image.shape[-1])
        window = windows(size, anywhere(size, side, count=len(image), device=image.device), side)
        return {
            "image": image,
            "mask": mask,
            "masked": image * (1 - mask),
            "raw": raw,
            "completed": torch.where(mask > 0.5, raw, image),
            "elsewhere": torch.cat((image, window.to(image.dtype)), dim=1),
        }

    def inpainter(self, network: Any) -> Inpainter:
        """Fill with the given network."""
        return FeedForward(network, name=self.name, device=self.device)
