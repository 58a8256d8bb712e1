"""Training of DeepFillv2: L1 on both stages and the hinge game with SN-PatchGAN (paper section 3.3).

As in the official program the discriminator steps first, then the generator, one step each per iteration; both use the
same painted picture, as the public ports do. The discriminator sees the completed picture, not the raw output.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inpaint.losses import Losses, Record
from inpaint.models.deepfill.config import Config
from inpaint.models.deepfill.network import Network
from inpaint.models.feedforward import FeedForward
from inpaint.training.config import LoopConfig
from inpaint.training.module import Batch, GanModule, Update
from inpaint.types import Inpainter


class Training(GanModule):
    """DeepFillv2 with its losses and updates."""

    config: Config

    def __init__(self, config: Config, *, losses: Losses, loop: LoopConfig) -> None:
        super().__init__(
            name="deepfill",
            config=config,
            network=Network(config, seed=loop.seed),
            discriminators=Network.discriminators(config, seed=loop.seed + 1) if losses.adversarial else {},
            losses=losses,
            loop=loop,
        )

    def updates(self) -> list[Update]:
        """Discriminator, then generator; the generator alone when no adversarial loss is configured."""
        generator = Update("generator", ("generator",), self.generator_losses)
        if not self.losses.adversarial:
            return [generator]
        judge = Update("discriminator", ("discriminator",), self.discriminator_losses, needs_gradient=False)
        return [judge, generator]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint a batch with both stages."""
        image, mask, sketch = batch["image"], batch["mask"], batch.get("sketch")
        painted = self.network(image, mask, sketch=sketch)
        completed = torch.where(mask > 0.5, painted["raw"], image)
        record = {"image": image, "mask": mask, "masked": image * (1 - mask), "completed": completed, **painted}
        return record if sketch is None else {**record, "sketch": sketch}

    def discriminate(self, role: str, picture: Tensor, record: Record) -> Tensor:
        """Score a picture together with its mask, and with the sketch in a guided model."""
        scores: Tensor = self.discriminators[role](picture, record["mask"], record.get("sketch"))
        return scores

    def inpainter(self, network: Any) -> Inpainter:
        """Fill with the given network."""
        return FeedForward(network, name="deepfill", device=self.device)
