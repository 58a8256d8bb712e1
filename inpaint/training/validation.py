"""Measuring a run while it trains: the same photos and masks every time, and a fixed panel to look at."""

from __future__ import annotations

import logging

from lightning_fabric.utilities import move_data_to_device
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import default_collate

from inpaint.errors import InpaintError
from inpaint.training.callbacks import IterationCallback, Metering
from inpaint.training.checkpoints import Checkpoints
from inpaint.training.figures import Figures, fill_of
from inpaint.training.loggers import log_panel
from inpaint.training.module import TrainingModule
from inpaint.training.panels import PanelRow, column_rows, panel_rows, thin_out, write_panel
from inpaint.training.selection import Selection, seen_as
from inpaint.types import Fill, Inpainter
from inpaint.weights.runs import RunFolder

log = logging.getLogger("inpaint.training")


class Validation(IterationCallback):
    """Fills the validation photos with the averaged networks every `validation.every` iterations, and at the end."""

    def __init__(
        self,
        module: TrainingModule,
        run: RunFolder,
        checkpoints: Checkpoints,
        metering: Metering,
        selection: Selection,
    ) -> None:
        super().__init__(module)
        self.options = module.loop.validation
        self.panels = run.panels
        self.checkpoints = checkpoints
        self.metering = metering
        self.selection = selection
        self.figures = Figures(module, selection)

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
            found = self._measure(trainer, inpainter)
            self.checkpoints.validating = False
            self._report(trainer, found)
        self._paint_panel(trainer, inpainter)
        self.checkpoints.validating = False
        self.metering.pause()

    def _measure(self, trainer: Trainer, inpainter: Inpainter | None) -> dict[str, float]:
        """Measure the fills of every set, if there are any, and what the model itself measures."""
        self.figures.start(fills=inpainter is not None)
        for among, loader in trainer.datamodule.val_dataloaders().items():  # type: ignore[attr-defined]
            for samples in loader:
                self.figures.add(among, move_data_to_device(samples, self.module.device), inpainter)
        return self.figures.compute(trainer)

    def _report(self, trainer: Trainer, found: dict[str, float]) -> None:
        self.latest = {f"val/{name}": value for name, value in found.items()}
        for logger in trainer.loggers:
            logger.log_metrics(self.latest, step=self.module.iteration)
        if self.selection.best in found:
            self.checkpoints.offer_best(trainer, self.selection.key(found[self.selection.best]))

    def _paint_panel(self, trainer: Trainer, inpainter: Inpainter | None) -> None:
        if not trainer.is_global_zero or self.options.panel == 0:
            return
        batch = self._first(trainer, self.options.panel)
        rows = self._rows(batch, inpainter)
        if not rows:
            return
        try:
            write_panel(self.panels / f"{self.module.iteration:08d}.png", rows)
            thin_out(self.panels, self.options.keep_panels)
        except (InpaintError, OSError) as error:
            log.warning("the panel of iteration %d is left out: %s", self.module.iteration, error)
        log_panel(trainer.loggers, iteration=self.module.iteration, rows=rows)

    def _rows(self, batch: dict[str, Tensor], inpainter: Inpainter | None) -> list[PanelRow]:
        """Return the rows of the panel; none where there is nothing to show."""
        if inpainter is not None:
            fill: Fill | None = fill_of(self.module, inpainter, batch)
        else:
            with self.module.averaging():
                record = self.module.record(batch)
                columns = self.module.panel(batch, record)
                fill = self.module.preview(batch, record) if columns is None else None
            if columns is not None:
                return column_rows(columns, batch["mask"])
        if fill is None:
            return []
        seen = seen_as(self.module)
        before = None if seen is None else {seen: batch[seen]}
        return panel_rows(batch["image"], batch["mask"], fill, before)

    def _first(self, trainer: Trainer, count: int) -> dict[str, Tensor]:
        """Return the first samples of the first validation set, the same for every process."""
        samples = trainer.datamodule.validation  # type: ignore[attr-defined]
        chosen = default_collate([samples[i] for i in range(min(count, len(samples)))])
        moved: dict[str, Tensor] = move_data_to_device(chosen, self.module.device)
        return moved
