"""How far a training is: a bar on a terminal, plain lines in a log file."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping

from pytorch_lightning import LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from inpaint.system.progress import Pace, duration
from inpaint.training.callbacks import IterationCallback
from inpaint.training.module import TrainingModule

LINE_EVERY_S = 10.0  # least time between two lines of a log file


class RunConsole(Console):
    """What a training prints on. When nobody reads any more (`inpaint train ... | head`) it prints no more."""

    def say(self, line: str) -> None:
        """Print one line as it stands, as far as the encoding of the output has its characters."""
        printable = line.encode(self.encoding, errors="backslashreplace").decode(self.encoding)
        with self.tolerant():
            self.print(printable, soft_wrap=True, highlight=False, markup=False, emoji=False)

    @contextlib.contextmanager
    def tolerant(self) -> Iterator[None]:
        """Let what cannot be printed in the block cost the output, never hours of training."""
        try:
            yield
        except UnicodeError:  # a bar in an encoding without its characters
            pass
        except OSError:  # a terminal that is gone, a full disk below a log file
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Print nothing from now on; rich would end the program."""
        self.quiet = True
        with contextlib.suppress(OSError):  # what is no real file has no descriptor
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                # What is buffered still would fail once more when the program ends.
                os.dup2(nowhere, self.file.fileno())
            finally:
                os.close(nowhere)


class TrainingProgress(IterationCallback):
    """Shows iteration, loss, images per second and remaining time, in the first process only.

    Put it behind the callbacks that measure: their `latest` figures are what it shows.

    Args:
        module: What is trained.
        console: Where it is shown; None for standard output.
        metric: Which val/NAME is shown; None for what the model is chosen by.
        clock: Tells the time in seconds.
    """

    def __init__(
        self,
        module: TrainingModule,
        *,
        console: RunConsole | None = None,
        metric: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(module)
        self.metric = module.best_metric if metric is None else metric
        self.console = console or RunConsole()
        self.total = module.loop.max_iterations
        self._clock = clock
        self._pace = Pace(clock)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._line_at = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock, and the bar where there is a terminal."""
        self._pace.mark(self.module.iteration)
        self._line_at = self._clock()
        if trainer.is_global_zero and self.console.is_terminal:
            self._bar = Progress(BarColumn(), TextColumn("{task.description}"), console=self.console)
            self._task = self._bar.add_task("", total=self.total, completed=self.module.iteration)
            self._bar.start()

    def after_iteration(self, trainer: Trainer) -> None:
        """Move on the bar, or print a line when one is due."""
        if not trainer.is_global_zero:
            return
        done = self.module.iteration
        self._pace.mark(done)
        if self._bar is not None:
            with self.console.tolerant():
                self._bar.update(self._task, completed=done, description=self._text(trainer))
            return
        # A log file gets few lines, and the first early.
        due = self._clock() - self._line_at >= LINE_EVERY_S
        if due or done == self.total:
            self._line_at = self._clock()
            self.console.say(self._text(trainer))

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave the terminal as it was, however the training ended."""
        if self._bar is not None:
            with self.console.tolerant():
                self._bar.stop()
            self._bar = None

    def _text(self, trainer: Trainer) -> str:
        figures: dict[str, float] = {}
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            figures |= callback.latest if isinstance(callback, IterationCallback) else {}
        return progress_text(
            self.module.iteration,
            self.total,
            images_per_s=(self._pace.per_s() or 0.0) * self.module.loop.batch_size,
            remaining_s=self._pace.remaining_s(self.total),
            figures=figures,
            metric=self.metric,
        )


def progress_text(
    done: int,
    total: int,
    *,
    images_per_s: float,
    remaining_s: float | None,
    figures: Mapping[str, float],
    metric: str = "l1_hole",
) -> str:
    """Return the line that shows how far a training is.

    Args:
        done: Iterations that are complete.
        total: All iterations.
        images_per_s: Speed.
        remaining_s: Seconds that are left; None while that is not known.
        figures: What was measured last, by name.
        metric: Which val/NAME of it is shown.

    Returns:
        "iteration 120/1000  loss 0.1234  val L1 0.0567  34.5 images/s  0:12:34 left"
    """
    label = "val L1" if metric == "l1_hole" else f"val {metric}"
    names = {"train/loss_g": "loss", f"val/{metric}": label}
    shown = [f"{label} {figures[name]:.4f}" for name, label in names.items() if name in figures]
    rest = f"{duration(remaining_s)} left" if remaining_s is not None else "estimating"
    return "  ".join([f"iteration {done}/{total}", *shown, f"{images_per_s:.1f} images/s", rest])
