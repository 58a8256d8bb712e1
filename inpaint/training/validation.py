"""Measuring a run while it trains: the same photos and masks every time, and a fixed panel to look at."""

from __future__ import annotations

import logging

import torch
from lightning_fabric.utilities import move_data_to_device
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import default_collate

from inpaint.errors import InpaintError
from inpaint.metrics import Compared, RunningMeans, measured, measures
from inpaint.training.callbacks import IterationCallback, Metering, summed
from inpaint.training.checkpoints import Checkpoints
from inpaint.training.loggers import log_panel
from inpaint.training.module import TrainingModule
from inpaint.training.panels import panel_rows, thin_out, write_panel
from inpaint.types import Fill, Inpainter
from inpaint.weights.runs import RunFolder

log = logging.getLogger("inpaint.training")


class Validation(IterationCallback):
    """Fills the validation photos with the averaged networks every `validation.every` iterations, and at the end."""

    def __init__(self, module: TrainingModule, run: RunFolder, checkpoints: Checkpoints, metering: Metering) -> None:
        super().__init__(module)
        self.options = module.loop.validation
        self.panels = run.panels
        self.checkpoints = checkpoints
        self.metering = metering

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validate at once where an error has broken off the validation of the iteration that the run goes on from."""
        if self.checkpoints.validating:
            self._validate(trainer)
            self.checkpoints.save(trainer)

    def after_iteration(self, trainer: Trainer) -> None:
        """Validate when it is due."""
        if self.due(self.options.every):
            self._validate(trainer)

    def _validate(self, trainer: Trainer) -> None:
        self.checkpoints.validating = True
        inpainter = self.module.inpainter(self.module.averaged_network())
        if inpainter is not None or self.module.metrics:
            measured = self._measure(trainer, inpainter)
            self.checkpoints.validating = False
            self._report(trainer, measured)
        self._paint_panel(trainer, inpainter)
        self.checkpoints.validating = False
        self.metering.pause()

    def _measure(self, trainer: Trainer, inpainter: Inpainter | None) -> dict[str, float]:
        """Measure the fills, if there are any, and what the model itself measures."""
        module, means = self.module, RunningMeans()
        wanted = measures().of_images if inpainter is not None else ()
        for name in (*(measure.name for measure in wanted), *module.metrics):
            means.add(name, torch.zeros((), device=module.device), 0)  # where a process has no image of its own
        for samples in trainer.datamodule.val_dataloader():  # type: ignore[attr-defined]
            batch = move_data_to_device(samples, module.device)
            if inpainter is not None:
                completed = self._fill(inpainter, batch).completed
                compared = Compared(completed=completed, image=batch["image"], mask=batch["mask"])
                for measure, values in zip(wanted, measured(compared, wanted).values(), strict=True):
                    means.add(measure.name, values, measure.counts(compared))
            if module.metrics:
                with module.averaging():
                    own = module.measure(batch, module.record(batch))
                for name in module.metrics:
                    each = 1 if own[name].ndim else len(batch["image"])
                    means.add(name, own[name], ~own[name].isnan() * each)
        return means.compute(lambda sums: summed(trainer, sums))

    def _fill(self, inpainter: Inpainter, batch: dict[str, Tensor]) -> Fill:
        return inpainter.fill(batch["image"], batch["mask"], guidance=self.module.guidance(batch))[0]

    def _report(self, trainer: Trainer, measured: dict[str, float]) -> None:
        module = self.module
        self.latest = {f"val/{name}": value for name, value in measured.items()}
        for logger in trainer.loggers:
            logger.log_metrics(self.latest, step=module.iteration)
        if module.best_metric in measured:
            value = measured[module.best_metric]
            self.checkpoints.offer_best(trainer, -value if module.best_mode == "max" else value)

    def _paint_panel(self, trainer: Trainer, inpainter: Inpainter | None) -> None:
        if not trainer.is_global_zero or self.options.panel == 0:
            return
        batch = self._first(trainer, self.options.panel)
        if inpainter is not None:
            fill = self._fill(inpainter, batch)
        else:
            with self.module.averaging():
                shown = self.module.preview(batch, self.module.record(batch))
            if shown is None:
                return
            fill = shown
        rows = panel_rows(batch["image"], batch["mask"], fill)
        try:
            write_panel(self.panels / f"{self.module.iteration:08d}.png", rows)
            thin_out(self.panels, self.options.keep_panels)
        except (InpaintError, OSError) as error:
            log.warning("the panel of iteration %d is left out: %s", self.module.iteration, error)
        log_panel(trainer.loggers, iteration=self.module.iteration, rows=rows)

    def _first(self, trainer: Trainer, count: int) -> dict[str, Tensor]:
        """Return the first validation samples, the same for every process."""
        samples = trainer.datamodule.validation  # type: ignore[attr-defined]
        chosen = default_collate([samples[i] for i in range(min(count, len(samples)))])
        moved: dict[str, Tensor] = move_data_to_device(chosen, self.module.device)
        return moved
