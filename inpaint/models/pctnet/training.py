"""Training of PCT-Net: photos with objects in other colors, which are to get back the colors that they had."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inpaint.images.guidance import COMPOSITE
from inpaint.models.feedforward import FeedForward
from inpaint.models.pctnet.config import Config
from inpaint.models.pctnet.network import Network
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.phases import Phase
from inpaint.types import Inpainter


class Training(TrainingModule):
    """PCT-Net with its losses.

    The record holds `composite`, what the network reads; `numbers`, what it predicts for each place of the working
    size; `raw`; and `completed`, which is `raw` in the mask and the photo elsewhere.
    """

    name = "pctnet"
    config: Config
    network: Network
    network_class = Network
    optimizer_names = frozenset({"generator"})
    best_metric = "mse_hole"

    def phases(self) -> list[Phase]:
        """One phase: the network alone."""
        return [Phase(0, self.standard_updates("generator"))]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Harmonize the composites of a batch."""
        image, mask, composite = batch["image"], batch["mask"], batch[COMPOSITE.name]
        predicted = self.network.predict(composite, mask)
        raw = self.network.harmonized(composite, predicted)
        return {
            "image": image,
            "mask": mask,
            COMPOSITE.name: composite,
            "numbers": predicted.numbers,
            "raw": raw,
            "completed": torch.where(mask > 0.5, raw, image),
        }

    def inpainter(self, network: Any) -> Inpainter:
        """Harmonize with the averaged network, for validation and the panel."""
        return FeedForward(network, name=self.name, device=self.device)
