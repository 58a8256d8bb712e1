"""The log line of a run: means of every value, speed, and the share of time spent waiting for data."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning import LightningModule, Trainer

from inpaint.training.callback import IterationCallback

if TYPE_CHECKING:
    from inpaint.training.module import GanModule


class Metering(IterationCallback):
    """Logs the means of every value, the speed and the share of time spent waiting for data.

    Values are averaged over the iterations since the last line and over all devices, under the number of completed
    iterations. `latest` holds the last line for whoever shows it.
    """

    def __init__(self, module: GanModule, every: int) -> None:
        super().__init__(module)
        self.every = every
        self.latest: dict[str, float] = {}
        self._line_started = time.perf_counter()
        self._ended = self._line_started
        self._waited_s = 0.0
        self._iterations = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; the first batch counts as waiting."""
        self._line_started = self._ended = time.perf_counter()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Note how long the data kept the device waiting."""
        self._waited_s += time.perf_counter() - self._ended

    def after_iteration(self, trainer: Trainer) -> None:
        """Log when a line is due."""
        self._iterations += 1
        if self.due(self.every):
            self._log(trainer, self.module)
        self._ended = time.perf_counter()

    def pause(self) -> None:
        """Leave out of the speed what has passed since the last iteration (validation, saving)."""
        now = time.perf_counter()
        self._line_started += now - self._ended
        self._ended = now

    def _log(self, trainer: Trainer, module: GanModule) -> None:
        module.check_finite()
        means = module.meter.means()
        values = torch.tensor([])
        if means:  # none when no network is trained yet
            values = torch.stack([value.to(module.device, torch.float32) for value in means.values()])
        reduced = trainer.strategy.reduce(values.to(module.device), reduce_op="mean")
        passed_s = time.perf_counter() - self._line_started
        self.latest = dict(zip(means, torch.as_tensor(reduced).tolist(), strict=True)) | {
            "speed/images_per_s": self._iterations * module.loop.batch_size / max(passed_s, 1e-9),
            "speed/data_wait": min(1.0, self._waited_s / max(passed_s, 1e-9)),
        }
        for logger in trainer.loggers:
            logger.log_metrics(self.latest, step=module.iteration)
        self._line_started = time.perf_counter()
        self._waited_s, self._iterations = 0.0, 0
