"""Training of the partial-convolution U-Net: one optimizer, no adversary, two phases (paper section 4.2).

Phase 1 trains everything. Its batch statistics count holes as zeros, so phase 2 freezes the encoder's batch norm and
goes on at a quarter of the learning rate, with a new optimizer; the decoder's batch norm keeps learning.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from inpaint.errors import InputError
from inpaint.losses import Losses
from inpaint.models.feedforward import FeedForward
from inpaint.models.pconv.config import Config
from inpaint.models.pconv.network import Network
from inpaint.training.config import LoopConfig
from inpaint.training.module import Batch, GanModule, Update
from inpaint.types import Inpainter


class Training(GanModule):
    """The U-Net with its losses and its phases."""

    config: Config
    network: Network

    def __init__(self, config: Config, *, losses: Losses, loop: LoopConfig) -> None:
        super().__init__(
            name="pconv",
            config=config,
            network=Network(config, seed=loop.seed),
            discriminators={},
            losses=losses,
            loop=loop,
        )
        self.network.freeze_encoder_norms(config.in_phase_2(0))

    def updates(self) -> list[Update]:
        """One step of all of the network."""
        rate = self.config.phase_2_rate if self.config.in_phase_2(self.iteration) else 1.0
        return [Update("generator", ("generator",), self.generator_losses, rate=rate)]

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Go over to phase 2 where that is due, then run one iteration."""
        if self.iteration == self.config.phase_2_from:
            for optimizer in self.trainer.optimizers:
                optimizer.state.clear()  # as a run of its own would begin
        self.network.freeze_encoder_norms(self.config.in_phase_2(self.iteration))
        super().training_step(batch, batch_idx)

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        """Paint a batch. Raises InputError for pictures too small for the batch statistics of all levels."""
        image, mask = batch["image"], batch["mask"]
        self._check_deepest(image)
        raw = self.network(image, mask)["raw"]
        completed = torch.where(mask > 0.5, raw, image)
        return {"image": image, "mask": mask, "masked": image * (1 - mask), "raw": raw, "completed": completed}

    def _check_deepest(self, image: Tensor) -> None:
        """Statistics need two places at least; a picture has 1 x 1 in the deepest layer if it is small."""
        levels, together = self.config.depth, self.loop.batch_size // self.loop.accumulate
        places = math.prod(math.ceil(side / 2**levels) for side in image.shape[-2:])
        if together * places == 1 and not self.config.in_phase_2(self.iteration):
            raise InputError(
                f"one picture of {image.shape[-2]}x{image.shape[-1]} leaves one place in the last of {levels} levels, "
                f"which has no batch statistics; use batch_size=2 or more, or model.levels={levels - 1}"
            )

    def setup(self, stage: str) -> None:
        """Let several GPUs share the statistics of their batches, which are small."""
        super().setup(stage)
        if self.trainer.world_size > 1 and self.trainer.strategy.root_device.type == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(self.network)  # type: ignore[no-untyped-call]

    def inpainter(self, network: Any) -> Inpainter:
        """Fill with the given network."""
        return FeedForward(network, name="pconv", device=self.device)
