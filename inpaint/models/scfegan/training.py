"""Training of SC-FEGAN: the discriminator steps first, then the generator, in every iteration.

The authors' training code is not public; which terms and weights are the paper's says configs/model/scfegan.yaml.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inpaint.models.sampling import Sampling
from inpaint.models.scfegan.network import Network
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.phases import Phase
from inpaint.types import Inpainter


class Training(TrainingModule):
    """SC-FEGAN with its losses and updates."""

    name = "scfegan"
    network_class = Network

    def phases(self) -> list[Phase]:
        """Discriminator, then generator."""
        return [Phase(0, self.standard_updates("generator"))]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint a batch along its sketch and colors, with noise that is drawn anew."""
        image, mask, sketch, color = (batch[name] for name in ("image", "mask", "sketch", "color"))
        raw = self.network(image, mask, sketch=sketch, color=color, noise=torch.randn_like(mask))["raw"]
        completed = torch.where(mask > 0.5, raw, image)
        record = {"image": image, "mask": mask, "masked": image * (1 - mask), "raw": raw, "completed": completed}
        return {**record, "sketch": sketch, "color": color}

    def inpainter(self, network: Any) -> Inpainter:
        """Fill with the given network, one drawn fill for each image."""
        return Sampling(network, name=self.name, device=self.device)
