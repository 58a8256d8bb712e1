"""Running a training: Lightning brings devices, precision and distribution; this file says what happens when."""

from __future__ import annotations

import logging
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from pytorch_lightning.callbacks import LambdaCallback
from pytorch_lightning.loggers import Logger

from inpaint.system.signals import StopRequest, handlers_restored
from inpaint.training.callbacks import IterationCallback, Metering, summed
from inpaint.training.checkpoints import Checkpoints
from inpaint.training.config import LoopConfig
from inpaint.training.ending import SaveOnError, explained
from inpaint.training.loggers import Tolerant, WandbTracker
from inpaint.training.module import TrainingModule
from inpaint.training.plan import device_count, in_slurm_step
from inpaint.training.selection import Selection
from inpaint.training.validation import Validation
from inpaint.weights.runs import RunFolder

AGREE_EVERY = 10  # iterations after which several processes tell each other of signals


@dataclass(frozen=True)
class FitResult:
    """How a training ended: completed iterations, the last metrics, and what cut it short, if anything.

    interrupted_by is a signal; out_of_time tells that `max_time` was over, out_of_patience that `validation.patience`
    was: then best is the value that was not surpassed, and its iteration.
    """

    iteration: int
    validation: dict[str, float]
    interrupted_by: int | None
    out_of_time: bool = False
    out_of_patience: bool = False
    best: tuple[float, int] | None = None


def fit(
    module: TrainingModule,
    data: LightningDataModule,
    *,
    run: RunFolder,
    loggers: Sequence[Logger],
    resume: Path | None = None,
    comparable: bool = True,
    before_saving: Callable[[], None] = lambda: None,
    unrecorded: Callable[[], Sequence[str]] = list,
    data_state: Mapping[str, Any] | None = None,
    selection: Selection | None = None,
    callbacks: Sequence[Callback] = (),
) -> FitResult:
    """Train until max_iterations, or until a signal, max_time or patience asks to end, which saves and ends cleanly.

    Errors save, too.

    Args:
        module: What is trained.
        data: Its batches; must start at the iteration of `resume`.
        run: Where checkpoints, weights and panels are written.
        loggers: Get every number by iteration. One that fails costs a warning.
        resume: A checkpoint to continue from.
        comparable: Whether it was validated on what will be validated on; if not, its best value does not count.
        before_saving: Called in the first process before the state is written; may raise to prevent that.
        unrecorded: Returns the KEY=VALUE of this start that the run's configuration does not hold yet, for commands.
        data_state: What is saved with the state of the training, in plain containers: which photos it has seen.
        selection: What validation measures and what is best; None for what the module's options ask for, on a single
            validation set.
        callbacks: Further ones, called after those that measure and save.

    Raises:
        RunError: The checkpoint is of another architecture, a loss is not finite, or memory ran out.
        InpaintError: Data or folder cannot be used any more. What was learned before is saved.
    """
    loop = module.loop
    metering = Metering(module)
    selection = selection or Selection.of(module)
    checkpoints = Checkpoints(module, run, metering, before_saving, data=data_state, best_by=selection.best)
    validation = Validation(module, run, checkpoints, metering, selection)
    interruption = Interruption(module, checkpoints)
    limit = TimeLimit(module, checkpoints)
    patience = Patience(module, checkpoints)
    ending = SaveOnError(module, checkpoints, unrecorded)

    def restore(trainer: Trainer, _: LightningModule) -> None:
        # Only now has Lightning placed networks and optimizers on their devices.
        if resume is not None:
            checkpoints.restore(trainer, resume, comparable=comparable)
        for logger in loggers:
            if isinstance(logger, WandbTracker):
                logger.start()

    resuming = LambdaCallback(on_fit_start=restore)
    with quiet_lightning(), float32_precision(loop), handlers_restored(), explained(ending):
        trainer = Trainer(
            accelerator=loop.trainer.accelerator,
            devices=loop.trainer.devices,
            num_nodes=loop.trainer.num_nodes,
            strategy=_strategy(loop),
            precision=loop.trainer.precision,
            deterministic=loop.trainer.deterministic,
            benchmark=not loop.trainer.deterministic,  # crops have one size, so searching for the best kernels pays
            max_epochs=1,
            logger=[Tolerant(logger) for logger in loggers],
            callbacks=[resuming, metering, validation, checkpoints, *callbacks, patience, interruption, limit, ending],
            use_distributed_sampler=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            limit_val_batches=0,
            plugins=_plugins(),
        )
        try:
            trainer.fit(module, datamodule=data)
        except SystemExit as end:
            # Lightning turns a Ctrl-C that our handlers do not catch into a bare exit.
            if isinstance(end.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise
    # A child process that reports the signal would be taken for a crash by those who started it, and a signal in the
    # last iteration cuts nothing short.
    cut_short = trainer.is_global_zero and module.iteration < loop.max_iterations and not patience.over
    interrupted_by = interruption.request.number if cut_short else None
    return FitResult(
        module.iteration,
        validation.latest,
        interrupted_by,
        out_of_time=limit.over,
        out_of_patience=patience.over,
        best=(selection.key(checkpoints.best[0][0]), checkpoints.best[0][1]) if checkpoints.best else None,
    )


class Interruption(IterationCallback):
    """Signals that ask to end do so after the current iteration, with everything saved; see `StopRequest`."""

    def __init__(self, module: TrainingModule, checkpoints: Checkpoints) -> None:
        super().__init__(module)
        self.checkpoints = checkpoints
        self.request = StopRequest()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over the signals; Lightning's own handlers would not save."""
        self.request.listen()

    def after_iteration(self, trainer: Trainer) -> None:
        """Save and stop if a signal came, on all processes together."""
        if trainer.world_size > 1:
            if self.module.iteration % AGREE_EVERY:
                return
            seen = torch.tensor(float(self.request.number or 0), device=self.module.device)
            torch.distributed.all_reduce(seen, op=torch.distributed.ReduceOp.MAX)
            self.request.number = signal.Signals(int(seen)) if seen else None
        if self.request.number is None:
            return
        try:
            self.checkpoints.save(trainer)
        finally:
            # Whoever ends first must not be taken for the end of all while the first process is still writing.
            trainer.strategy.barrier()
        trainer.should_stop = True


class TimeLimit(IterationCallback):
    """Ends the training when `max_time` is over, with everything saved, on all processes together.

    The time is that of this start, from the first iteration on.

    Attributes:
        over: Whether it ended the training.
    """

    def __init__(
        self, module: TrainingModule, checkpoints: Checkpoints, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(module)
        self.checkpoints = checkpoints
        self.over = False
        self._clock = clock
        self._started_s = clock()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._started_s = self._clock()

    def after_iteration(self, trainer: Trainer) -> None:
        """Save and stop if the time is over and something is left to do."""
        limit_s = self.module.loop.max_time_s
        if limit_s is None or self.module.iteration >= self.module.loop.max_iterations:
            return
        over = self._clock() - self._started_s >= limit_s
        if trainer.world_size > 1:
            if self.module.iteration % AGREE_EVERY:
                return
            over = bool(summed(trainer, torch.tensor(float(over), device=self.module.device)))
        if not over or trainer.should_stop:
            return
        self.over = True
        self.checkpoints.save(trainer)
        trainer.strategy.barrier()
        trainer.should_stop = True


class Patience(IterationCallback):
    """Ends the training after `validation.patience` validations without a better best, with everything saved.

    Attributes:
        over: Whether it ended the training, or did so before the run was to go on.
    """

    def __init__(self, module: TrainingModule, checkpoints: Checkpoints) -> None:
        super().__init__(module)
        self.checkpoints = checkpoints
        self.over = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Train no further where the run that goes on has ended so."""
        self._end_if_over(trainer)

    def after_iteration(self, trainer: Trainer) -> None:
        """Save and stop if it is over and something is left to do."""
        if self.due(self.module.loop.validation.every):
            self._end_if_over(trainer)

    def _end_if_over(self, trainer: Trainer) -> None:
        patience, module = self.module.loop.validation.patience, self.module
        if patience is None or module.iteration >= module.loop.max_iterations or trainer.should_stop:
            return
        # The first process decides: it alone knows whether the best could be written.
        self.over = bool(trainer.strategy.broadcast(self.checkpoints.waited >= patience, src=0))
        if self.over:
            self.checkpoints.save(trainer)
            trainer.strategy.barrier()
            trainer.should_stop = True


def _strategy(loop: LoopConfig) -> str:
    """Adversarial steps leave networks idle, which plain DDP does not survive."""
    several = loop.trainer.strategy == "ddp" or device_count(loop)[1] * loop.trainer.num_nodes > 1
    return "ddp_find_unused_parameters_true" if several else "auto"


def _plugins() -> list[Any]:
    """Under srun, keep Lightning from requeueing with checkpoints of its own: `resume=auto` continues a job.

    In a batch script without srun it must not take SLURM's variables for those of further processes.
    """
    if not SLURMEnvironment.detect() or TorchElasticEnvironment.detect():
        return []
    return [SLURMEnvironment(auto_requeue=False) if in_slurm_step() else LightningEnvironment()]


@contextmanager
def float32_precision(loop: LoopConfig) -> Iterator[None]:
    """Allow TensorFloat-32 during the training if asked for."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if loop.trainer.tf32 else "highest")
    cudnn_before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = loop.trainer.tf32
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.backends.cudnn.allow_tf32 = cudnn_before


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's hints about things that this package handles itself off the screen."""
    talkers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch")]
    levels = [talker.level for talker in talkers]
    for talker in talkers:
        talker.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\.")
            warnings.filterwarnings("ignore", message=r".*(does not have many workers|GPU available but not used).*")
            yield
    finally:
        for talker, level in zip(talkers, levels, strict=True):
            talker.setLevel(level)
