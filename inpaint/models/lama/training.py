"""Training of LaMa (paper section 2.3; details as in the authors' program).

The generator steps first; then the discriminator, on images that the changed generator paints anew from the same
batch. It gets real and generated images in two passes, so that each is normalized by statistics of its own. All losses
read what was painted, not what is pasted into the hole.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn

from inpaint.losses import Losses
from inpaint.models.feedforward import FeedForward
from inpaint.models.lama.config import Config
from inpaint.models.lama.network import Network
from inpaint.training.config import LoopConfig
from inpaint.training.module import Batch, TrainingModule
from inpaint.training.phases import Phase
from inpaint.types import Inpainter

FEWEST = 20  # images at once, below which the authors found that batch norm harms

log = logging.getLogger("inpaint.training")


class Training(TrainingModule):
    """LaMa with its losses and updates."""

    name = "lama"
    config: Config
    network_class = Network
    real_and_fake_together = False
    sync_batch_norm = True

    def __init__(self, config: Config, *, losses: Losses, loop: LoopConfig) -> None:
        super().__init__(config, losses=losses, loop=loop)
        together = loop.batch_size // loop.accumulate
        if together < FEWEST and not config.freeze_norms:
            log.warning(
                "batch norm of %d images at once is poor, the authors advise at least %d: a larger batch_size, or "
                "trained weights (init=FOLDER) with model.freeze_norms=true",
                together,
                FEWEST,
            )

    def phases(self) -> list[Phase]:
        """Generator, then discriminator; the generator's batch norms learn or stay, as configured."""
        updates = tuple(reversed(self.standard_updates("generator")))
        return [Phase(0, updates, frozen=tuple(self._norms()) if self.config.freeze_norms else ())]

    def _norms(self) -> list[str]:
        generator = self.network.get_submodule("generator")
        named = generator.named_modules()
        return [f"generator.{name}" for name, module in named if isinstance(module, nn.modules.batchnorm._BatchNorm)]

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint a batch."""
        image, mask = batch["image"], batch["mask"]
        raw = self.network(image, mask)["raw"]
        completed = torch.where(mask > 0.5, raw, image)
        return {"image": image, "mask": mask, "masked": image * (1 - mask), "raw": raw, "completed": completed}

    def inpainter(self, network: Any) -> Inpainter:
        """Fill with the given network."""
        return FeedForward(network, name=self.name, device=self.device)
