"""What happens between two iterations: the base of it and the log line of a run."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import Any, TypeVar

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from inpaint.training.module import TrainingModule

ValueT = TypeVar("ValueT")


class IterationCallback(Callback):
    """Acts after iterations of one module, which it knows from the start.

    Attributes:
        latest: The newest figures of a callback that measures, by name, for whoever shows them.
    """

    def __init__(self, module: TrainingModule) -> None:
        self.module = module
        self.latest: dict[str, float] = {}

    @abstractmethod
    def after_iteration(self, trainer: Trainer) -> None:
        """Act, or find that nothing is due."""

    def due(self, every: int) -> bool:
        """Return whether the number of completed iterations is a multiple of `every`, or the last."""
        done = self.module.iteration
        return done % every == 0 or done == self.module.loop.max_iterations

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Hand over to `after_iteration`."""
        self.after_iteration(trainer)


class Metering(IterationCallback):
    """Logs the means of every value, the speed and the share of time spent waiting for data.

    Values are averaged over the iterations since the last line and over all devices, under the number of completed
    iterations.
    """

    def __init__(self, module: TrainingModule) -> None:
        super().__init__(module)
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
        if self.due(self.module.loop.log_every):
            self._log(trainer)
        self._ended = time.perf_counter()

    def pause(self) -> None:
        """Leave out of the speed what has passed since the last iteration (validation, saving)."""
        now = time.perf_counter()
        self._line_started += now - self._ended
        self._ended = now

    def _log(self, trainer: Trainer) -> None:
        module = self.module
        module.check_finite()
        means = module.logged.compute(lambda sums: summed(trainer, sums))
        module.logged.clear()
        passed_s = time.perf_counter() - self._line_started
        # As float32, which the values are.
        self.latest = dict(zip(means, torch.tensor(list(means.values())).tolist(), strict=True)) | {
            "speed/images_per_s": self._iterations * module.loop.batch_size / max(passed_s, 1e-9),
            "speed/data_wait": min(1.0, self._waited_s / max(passed_s, 1e-9)),
        }
        for logger in trainer.loggers:
            logger.log_metrics(self.latest, step=module.iteration)
        self._line_started = time.perf_counter()
        self._waited_s, self._iterations = 0.0, 0


def summed(trainer: Trainer, tensor: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes; every process must call it."""
    return torch.as_tensor(trainer.strategy.reduce(tensor, reduce_op="sum"))


def gathered(trainer: Trainer, value: ValueT) -> list[ValueT]:
    """Return the values of all processes, in their order; every process must call it."""
    if trainer.world_size == 1:
        return [value]
    found: list[ValueT | None] = [None] * trainer.world_size
    torch.distributed.all_gather_object(found, value)
    return [each for each in found if each is not None]
