"""Training of DeepFillv2: L1 on both stages and the hinge loss with SN-PatchGAN (paper section 3.3).

As in the official program the discriminator steps first, then the generator, one step each per iteration; both use the
same painted image, as the public ports do. The discriminator gets the completed image, not the raw output.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inpaint.models.deepfill.network import Network
from inpaint.models.feedforward import FeedForward
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.phases import Phase
from inpaint.types import Inpainter


class Training(TrainingModule):
    """DeepFillv2 with its losses and updates."""

    name = "deepfill"
    network_class = Network

    def phases(self) -> list[Phase]:
        """Discriminator, then generator."""
        return [Phase(0, self.standard_updates("generator"))]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint a batch with both stages."""
        image, mask, sketch = batch["image"], batch["mask"], batch.get("sketch")
        painted = self.network(image, mask, sketch=sketch)
        completed = torch.where(mask > 0.5, painted["raw"], image)
        record = {"image": image, "mask": mask, "masked": image * (1 - mask), "completed": completed, **painted}
        return record if sketch is None else {**record, "sketch": sketch}

    def inpainter(self, network: Any) -> Inpainter:
        """Fill with the given network."""
        return FeedForward(network, name=self.name, device=self.device)
