"""Where a run's numbers go: metrics.csv always, TensorBoard and W&B on request.

Everything is keyed by `iteration`. A broken or unreachable tracker costs a warning, never the run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from inpaint.errors import ConfigError, unknown
from inpaint.options import flat, show
from inpaint.system.extras import import_optional
from inpaint.training.config import Best, WandbConfig
from inpaint.training.csvlog import CsvLogger
from inpaint.training.wandblog import WandbTracker
from inpaint.weights.runs import RunFolder

__all__ = ["NAMES", "CsvLogger", "Tolerant", "WandbTracker", "build", "closing_lines", "log_panel"]

NAMES = ("csv", "tensorboard", "wandb")
COLUMNS = ("masked", "contaminated", "composite", "found", "coarse", "completed", "original")

log = logging.getLogger("inpaint.training")


def build(
    names: str | Iterable[str] | None,
    *,
    run: RunFolder,
    config: Mapping[str, Any],
    wandb: WandbConfig | None = None,
    start_iteration: int = 0,
    best: Mapping[str, Best] | None = None,
    exact: bool = True,
    stale: Collection[str] = (),
) -> list[Logger]:
    """Return the loggers of a run, CSV first. Nothing is written before the first number.

    names: csv, tensorboard, wandb, one or several. config: the resolved configuration, for trackers that compare runs.
    start_iteration: from which the run goes on; later entries of an interrupted run are dropped where that is possible.
    best: figures that have a best value, for summaries: {val/FIGURE: min or max}.
    exact, stale: as of `WandbTracker`.
    Raises ConfigError for an unknown name, MissingDependencyError for TensorBoard without its package.
    """
    wanted = [names] if isinstance(names, str) else list(names or ())
    for name in wanted:
        if name not in NAMES:
            raise ConfigError(f"logger: {unknown('logger', name, NAMES)}")
    made: list[Logger] = [CsvLogger(run.metrics, start_iteration=start_iteration)]
    if "tensorboard" in wanted:
        made.append(_tensorboard(run, config, start_iteration, best or {}))
    if "wandb" in wanted:
        options = wandb or WandbConfig()
        made.append(
            WandbTracker(
                run,
                config=config,
                options=options,
                start_iteration=start_iteration,
                best=best,
                exact=exact,
                stale=stale,
            )
        )
    return made


class Tolerant(Logger):
    """Hands everything on to a logger; what fails costs one warning, never the run, and is tried again next time.

    Args:
        inner: The logger.
    """

    def __init__(self, inner: Logger) -> None:
        super().__init__()
        self.inner = inner
        self._failed = False

    @property
    def name(self) -> str | None:
        """Name of the logger."""
        return self.inner.name

    @property
    def version(self) -> int | str | None:
        """Its version."""
        return self.inner.version

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Hand on numbers of one iteration (`step`)."""
        self.trying(lambda: self.inner.log_metrics(dict(metrics), step))

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Hand on options."""
        self.trying(lambda: self.inner.log_hyperparams(*args, **kwargs))

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Tell the logger that the state of the training is on the disk."""
        self.trying(lambda: self.inner.after_save_checkpoint(checkpoint_callback))

    def save(self) -> None:
        """Let the logger write what it holds."""
        self.trying(self.inner.save)

    def finalize(self, status: str) -> None:
        """Close the logger."""
        self.trying(lambda: self.inner.finalize(status))

    def trying(self, action: Callable[[], object]) -> None:
        """Do something with the logger, or warn."""
        try:
            action()
        # Anything may come out of a logger, its files and its threads; none of it is worth days of training.
        except Exception as error:
            if not self._failed:
                reason = " ".join(str(error).split())[:300] or type(error).__name__
                log.warning("logger %s failed, the training goes on: %s", self.name, reason)
            self._failed = True
        else:
            self._failed = False


def log_panel(loggers: Iterable[Logger], *, iteration: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Send the fixed panel to the trackers that show images.

    rows: one mapping per photo with images masked, coarse, completed, original (H, W, 3) uint8, coarse possibly
    None, and mask (H, W) uint8, 1 = hole. The sheet in the run's panels folder is written elsewhere.
    """
    for logger in loggers:
        if isinstance(logger, Tolerant):
            logger.trying(partial(log_panel, [logger.inner], iteration=iteration, rows=rows))
        elif isinstance(logger, WandbTracker):
            logger.log_panel(iteration=iteration, rows=rows)
        elif isinstance(logger, TensorBoardLogger):
            for number, row in enumerate(rows):
                strip = np.concatenate([row[name] for name in COLUMNS if row.get(name) is not None], axis=1)
                logger.experiment.add_image(f"panel/{number}", strip, iteration, dataformats="HWC")


def closing_lines(loggers: Iterable[Logger]) -> list[str]:
    """Return what a user should be told when the run has ended, such as how to upload what was recorded offline."""
    return [line for logger in loggers if isinstance(logger, WandbTracker) for line in logger.closing_lines()]


class TensorBoard(TensorBoardLogger):
    """TensorBoard whose HPARAMS page compares runs: every option, and the figures that are chosen by.

    config: the resolved configuration. figures: names of what the page shows beside it, logged with the other numbers.
    """

    def __init__(
        self, folder: Path, *, config: Mapping[str, Any], figures: Iterable[str], purge_step: int | None
    ) -> None:
        super().__init__(folder, name="", version="tensorboard", default_hp_metric=False, purge_step=purge_step)
        self._options = {name: v if isinstance(v, bool | int | float | str) else show(v) for name, v in config.items()}
        self._figures = tuple(figures)
        self._told = False

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers; before the first of them, the options."""
        if not self._told:
            from torch.utils.tensorboard.summary import hparams

            self._told = True
            known = hparams(self._options, dict.fromkeys(self._figures, 0.0))  # type: ignore[no-untyped-call]  # names alone
            for summary in known:
                self.experiment.file_writer.add_summary(summary)
        super().log_metrics(metrics, step)


def _tensorboard(
    run: RunFolder, config: Mapping[str, Any], start_iteration: int, best: Mapping[str, Best]
) -> TensorBoardLogger:
    import_optional("tensorboard", purpose="logger=tensorboard")
    purge_step = start_iteration + 1 if start_iteration else None
    return TensorBoard(run.path, config=flat(config), figures=best, purge_step=purge_step)
