"""What ends a training before its last iteration: the state is saved first, and the user is told how to go on."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from pytorch_lightning import Callback, LightningModule, Trainer

from inpaint.errors import DivergedError, InpaintError, LostRunError, RunError
from inpaint.options import keyed
from inpaint.system.environment import is_out_of_memory
from inpaint.system.files import write_text
from inpaint.training.checkpoints import Checkpoints
from inpaint.training.config import OptimizerConfig
from inpaint.training.module import TrainingModule
from inpaint.training.runs import resume_command, train_command
from inpaint.weights.runs import RunFolder

SMALLER = 0.1  # of the learning rate that a training has diverged with
USUAL = {"adam": 1e-4, "adamw": 1e-4, "sgd": 1e-2, "adadelta": 1.0}


class SaveOnError(Callback):
    """Saves the state when an error ends the training, whatever error it is.

    Not when a user's second Ctrl-C ends it at once, when the state itself is what is wrong, or when the folder belongs
    to another process by now.

    Args:
        module: What is trained.
        checkpoints: Save it.
        unrecorded: Returns the KEY=VALUE that the run's configuration does not hold yet.
    """

    def __init__(
        self, module: TrainingModule, checkpoints: Checkpoints, unrecorded: Callable[[], Sequence[str]] = list
    ) -> None:
        self.module = module
        self.unrecorded = unrecorded
        self.checkpoints = checkpoints
        self.note = ""  # what was saved and how to go on, for the message of the error
        self._first: int | None = None  # the iteration that the training began with, None before

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note where the training begins."""
        self._first = self.module.iteration

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save what has been learned since the last checkpoint."""
        if isinstance(exception, KeyboardInterrupt | LostRunError) or not trainer.is_global_zero:
            return
        if isinstance(exception, DivergedError):
            self.note = self._way_back(exception.iteration)
            return
        if self._first in (None, self.module.iteration):
            return  # nothing was learned
        try:
            self.checkpoints.save(trainer)
        # It must not hide the first error: a full disk, a device that answers nothing any more.
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            self.note = f"iteration {self.module.iteration} could not be saved: {reason}"
        else:
            halfway = " (in the middle of an iteration: not to the bit)" if self.module.within_iteration else ""
            command = resume_command(self.checkpoints.files)
            self.note = f"saved at iteration {self.module.iteration}{halfway}, go on with: {command}"

    def _way_back(self, diverged: int) -> str:
        """Return how to go on from a state that has proved to be good: one from which an iteration succeeded."""
        run, loop = self.checkpoints.files, self.module.loop
        lower = {f"optimizers.{name}.lr": _smaller(settings) for name, settings in loop.optimizers.items()}
        others = [option for option in self.unrecorded() if option.partition("=")[0] not in lower]
        options = [*others, *(f"{key}={rate}" for key, rate in lower.items())]
        saved, best = self.checkpoints.saved_iteration, self.checkpoints.best
        if run.newest is None:
            return f"nothing was saved yet; start again with a smaller rate: {resume_command(run, *options)}"
        if saved is not None and saved < diverged:
            return f"go back to iteration {saved} with a smaller rate: {resume_command(run, *options)}"
        if run.best.exists() and best and best[0][1] < diverged:
            place = keyed("resume", str(run.best))
            return f"go back to the best state with a smaller rate: {train_command(run, place, *options)}"
        anew = train_command(_free(run), *options, config=run)
        return f"what was saved leads to it: start again with a smaller rate: {anew}"


def _smaller(settings: OptimizerConfig) -> str:
    """Return a learning rate that is smaller than the one that diverged, and one that is usual."""
    return f"{min(settings.lr * SMALLER, USUAL[settings.kind]):.4g}"


def _free(run: RunFolder) -> RunFolder:
    """Return a folder beside a run for another attempt."""
    if not run.path.name:
        return RunFolder(run.path / "again")
    paths = (run.path.with_name(f"{run.path.name}-{number}") for number in count(2))
    return RunFolder(next(path for path in paths if not path.exists()))


@contextmanager
def explained(ending: SaveOnError) -> Iterator[None]:
    """Let the error that ends a training say what was saved, in its own line.

    Raises:
        RunError: Instead of an error that is not ours, whose traceback is written into the run's folder.
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
        kept = _keep_traceback(error, ending.checkpoints.files)
        raise RunError(f"an error ended the training: {_reason(error)}{kept}{note}") from error


def _reason(error: Exception) -> str:
    """Return in one line what an error says, the last line of what torch hands on from a data worker."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines and lines[0].startswith("Caught "):
        return lines[-1]
    return f"{type(error).__name__}: {' '.join(lines)[:300]}" if lines else type(error).__name__


def _keep_traceback(error: Exception, run: RunFolder) -> str:
    """Write where an error came from into a run's folder, and return where that can be read."""
    try:
        write_text(run.traceback, "".join(traceback.format_exception(error)))
    except (OSError, InpaintError):
        return ""
    return f" (where: {run.traceback})"
