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
from inpaint.training.measures import Means
from inpaint.training.metering import Metering
from inpaint.training.panels import panel_rows, write_panel
from inpaint.types import Fill, Inpainter

if TYPE_CHECKING:
    from inpaint.training.module import GanModule


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
        measured = self._measure(trainer, inpainter)
        if measured:
            self._report(trainer, measured)
        self._paint_panel(trainer, inpainter)
        self.metering.pause()

    def _measure(self, trainer: Trainer, inpainter: Inpainter | None) -> dict[str, float]:
        """Measure the fills, if there are any, and what the model itself measures."""
        module, metrics, own = self.module, HoleMetrics(), Means()
        if inpainter is None and not module.measures:
            return {}
        for batch in trainer.datamodule.val_dataloader():  # type: ignore[attr-defined]
            planes = _to_device(batch, module.device)
            if inpainter is not None:
                fill = self._fill(inpainter, planes)
                metrics.update(fill.completed, planes["image"], planes["mask"])
            if module.measures:
                own.add(self._own(planes), pictures=len(planes["image"]))

        def summed(state: Tensor) -> Tensor:
            return torch.as_tensor(trainer.strategy.reduce(state, reduce_op="sum"))

        measured = {} if inpainter is None else metrics.compute(summed, device=module.device)
        if module.measures:
            if not own.names:  # this process has no picture of its own and learns the names from a foreign one
                own.add(self._own(self._first(trainer, 1)), pictures=0)
            measured |= own.compute(summed)
        return measured

    def _fill(self, inpainter: Inpainter, planes: dict[str, Tensor]) -> Fill:
        return inpainter.fill(planes["image"], planes["mask"], guidance=self.module.guidance(planes))[0]

    def _own(self, planes: dict[str, Tensor]) -> dict[str, Tensor]:
        with self.module.averaging():
            return self.module.measure(planes, self._record(planes))

    def _record(self, planes: dict[str, Tensor]) -> dict[str, Tensor]:
        return {**self.module.predict(planes), "hole_share": planes["mask"].mean()}

    def _report(self, trainer: Trainer, measured: dict[str, float]) -> None:
        module = self.module
        self.latest = {f"val/{name}": value for name, value in measured.items()}
        for logger in trainer.loggers:
            logger.log_metrics(self.latest, step=module.iteration)
        if module.best_measure in measured:
            value = measured[module.best_measure]
            self.checkpoints.offer_best(trainer, -value if module.best_is_largest else value)

    def _paint_panel(self, trainer: Trainer, inpainter: Inpainter | None) -> None:
        if not trainer.is_global_zero or self.panel == 0:
            return
        planes = self._first(trainer, self.panel)
        if inpainter is not None:
            fill = self._fill(inpainter, planes)
        else:
            with self.module.averaging():
                shown = self.module.preview(planes, self._record(planes))
            if shown is None:
                return
            fill = shown
        rows = panel_rows(planes["image"], planes["mask"], fill)
        write_panel(self.panels / f"{self.module.iteration:08d}.png", rows)
        log_panel(trainer.loggers, iteration=self.module.iteration, rows=rows)

    def _first(self, trainer: Trainer, count: int) -> dict[str, Tensor]:
        """Return the first validation samples, the same for every process."""
        samples = trainer.datamodule.validation  # type: ignore[attr-defined]
        chosen = default_collate([samples[i] for i in range(min(count, len(samples)))])
        return _to_device(chosen, self.module.device)


def _to_device(batch: Mapping[str, Any], device: torch.device) -> dict[str, Tensor]:
    return {name: value.to(device) for name, value in batch.items() if isinstance(value, Tensor)}
