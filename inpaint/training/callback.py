"""The base of everything that happens between two iterations."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from pytorch_lightning import Callback, LightningModule, Trainer

if TYPE_CHECKING:
    from inpaint.training.module import GanModule


class IterationCallback(Callback):
    """Acts after iterations of one module, which it knows from the start."""

    def __init__(self, module: GanModule) -> None:
        self.module = module

    @abstractmethod
    def after_iteration(self, trainer: Trainer) -> None:
        """Act, or see that nothing is due."""

    def due(self, every: int) -> bool:
        """Say whether the number of completed iterations is a multiple of `every`, or the last."""
        done = self.module.iteration
        return done % every == 0 or done == self.module.loop.max_iterations

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Hand over to `after_iteration`."""
        self.after_iteration(trainer)
