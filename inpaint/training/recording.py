"""When a run's configuration reaches the disk."""

from __future__ import annotations

from collections.abc import Callable

from pytorch_lightning import Callback, LightningModule, Trainer


class Recording(Callback):
    """Calls `write` in the first process when the training is about to begin.

    By then the checkpoint that a run goes on from has been read and accepted: a resume that is refused leaves the
    folder as it was.
    """

    def __init__(self, write: Callable[[], None]) -> None:
        self.write = write

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write."""
        if trainer.is_global_zero:
            self.write()
