"""Measuring a run while it trains: the same photographs and masks every time, and a fixed panel to look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning import Trainer
from torch import Tensor
from torch.utils.data import default_collate

from inpaint.metrics import HoleMetrics
from inpaint.training.callback import IterationCallback
from inpaint.training.checkpoints import Checkpoints
from inpaint.training.loggers import log_panel
from inpaint.training.metering import Metering
from inpaint.training.panels import panel_rows, write_panel
from inpaint.types import Fill, Guidance, Inpainter

if TYPE_CHECKING:
    from inpaint.training.gan import GanModule

BEST = "l1_hole"


class Validation(IterationCallback):
    """Fills the validation photographs with the averaged networks every `every` iterations, and at the end."""

    def __init__(
        self, module: GanModule, *, every: int, panel: int, panels: Path, checkpoints: Checkpoints, metering: Metering
    ) -> None:
        super().__init__(module)
        self.every = every
        self.panel = panel
        self.panels = panels
        self.checkpoints = checkpoints
        self.metering = metering
        self.latest: dict[str, float] = {}

    def after_iteration(self, trainer: Trainer) -> None:
        """Validate when it is due."""
        if not self.due(self.every):
            return
        inpainter = self.module.inpainter(self.module.averaged_network())
        if inpainter is not None:
            self._measure(trainer, inpainter)
            self._paint_panel(trainer, inpainter)
        self.metering.pause()

    def _measure(self, trainer: Trainer, inpainter: Inpainter) -> None:
        module, metrics = self.module, HoleMetrics()
        for batch in trainer.datamodule.val_dataloader():  # type: ignore[attr-defined]
            planes = _to_device(batch, module.device)
            fill = _fill(inpainter, planes)
            metrics.update(fill.completed, planes["image"], planes["mask"])
        measured = metrics.compute(
            lambda state: torch.as_tensor(trainer.strategy.reduce(state, reduce_op="sum")), device=module.device
        )
        self.latest = {f"val/{name}": value for name, value in measured.items()}
        for logger in trainer.loggers:
            logger.log_metrics(self.latest, step=module.iteration)
        self.checkpoints.offer_best(trainer, measured[BEST])

    def _paint_panel(self, trainer: Trainer, inpainter: Inpainter) -> None:
        if not trainer.is_global_zero or self.panel == 0:
            return
        samples = trainer.datamodule.validation  # type: ignore[attr-defined]
        chosen = default_collate([samples[i] for i in range(min(self.panel, len(samples)))])
        planes = _to_device(chosen, self.module.device)
        rows = panel_rows(planes["image"], planes["mask"], _fill(inpainter, planes))
        write_panel(self.panels / f"{self.module.iteration:08d}.png", rows)
        log_panel(trainer.loggers, iteration=self.module.iteration, rows=rows)


def _to_device(batch: Mapping[str, Any], device: torch.device) -> dict[str, Tensor]:
    return {name: value.to(device) for name, value in batch.items() if isinstance(value, Tensor)}


def _fill(inpainter: Inpainter, planes: Mapping[str, Tensor]) -> Fill:
    guidance = Guidance(sketch=planes["sketch"]) if "sketch" in planes else None
    return inpainter.fill(planes["image"], planes["mask"], guidance=guidance)[0]
