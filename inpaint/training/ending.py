"""What ends a training before its last iteration: the state is saved first, and the user is told how to go on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from pytorch_lightning import Callback, LightningModule, Trainer

from inpaint.errors import DivergedError, InpaintError, LostRunError, RunError
from inpaint.options import keyed
from inpaint.system.environment import is_out_of_memory
from inpaint.training.checkpoints import Checkpoints
from inpaint.training.module import TrainingModule
from inpaint.training.runs import resume_command, train_command

log = logging.getLogger("inpaint.training")

SMALLER_RATE = 0.1  # of the learning rate that a training has diverged with


class SaveOnError(Callback):
    """Saves the state when an error ends the training, whatever error it is.

    Not when a user's second Ctrl-C ends it at once, when the state itself is what is wrong, or when the folder belongs
    to another process by now.
    """

    def __init__(self, module: TrainingModule, checkpoints: Checkpoints) -> None:
        self.module = module
        self.checkpoints = checkpoints
        self.note = ""  # what was saved and how to go on, for the message of the error
        self._first = 0  # the iteration that this process began with

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note where the training begins."""
        self._first = self.module.iteration

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save what has been learned since the last checkpoint."""
        lost = isinstance(exception, KeyboardInterrupt | LostRunError)
        if lost or not trainer.is_global_zero or self.module.iteration == self._first:
            return
        if isinstance(exception, DivergedError):
            self.note = self._way_back()
            return
        try:
            self.checkpoints.save(trainer)
        # It must not hide the first error: a full disk, a device that answers nothing any more.
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            self.note = f"iteration {self.module.iteration} could not be saved: {reason}"
        else:
            halfway = " (in the middle of an iteration: not to the bit)" if self.module.within_iteration else ""
            self.note = f"saved at iteration {self.module.iteration}{halfway}, go on with: {self._command()}"

    def _command(self, *changes: str) -> str:
        return resume_command(self.checkpoints.files, *changes)

    def _way_back(self) -> str:
        """Return how to go on from a state of before, and not from one that leads to the same again."""
        run, saved = self.checkpoints.files, self.checkpoints.saved_iteration
        rates = [
            f"optimizers.{name}.lr={settings.lr * SMALLER_RATE:.4g}"
            for name, settings in self.module.loop.optimizers.items()
        ]
        if saved is not None and saved > self._first:
            return f"go back to iteration {saved} with a smaller rate: {self._command(*rates)}"
        if run.best.exists() and run.last.exists():
            best = keyed("resume", str(run.best))
            return f"go back to the best state with a smaller rate: {train_command(run, best, *rates)}"
        if run.last.exists():
            return f"go back to what was saved last with a smaller rate: {self._command(*rates)}"
        return f"nothing was saved yet; start again with a smaller rate: {self._command(*rates)}"


@contextmanager
def explained(ending: SaveOnError) -> Iterator[None]:
    """Let the error that ends a training say what was saved, in its own line.

    Raises:
        RunError: Instead of the library's error where memory ran out.
    """
    try:
        yield
    except InpaintError as error:
        if ending.note:
            error.args = (f"{error}; {ending.note}",)
        raise
    except Exception as error:
        note = f"; {ending.note}" if ending.note else ""
        if is_out_of_memory(error):
            raise RunError(
                f"memory ran out in iteration {ending.module.iteration}: a smaller batch_size, accumulate=2 (the same "
                f"batch in two parts), a smaller data.size or trainer.precision=bf16-mixed need less{note}"
            ) from error
        if note:
            log.warning("an error ends the training%s", note)
        raise
