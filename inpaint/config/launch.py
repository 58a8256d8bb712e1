"""From a configuration to a trained run: what `inpaint train` does, for a notebook as well."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch

from inpaint import __version__
from inpaint.config.schema import TrainConfig, translated
from inpaint.data.module import InpaintData
from inpaint.data.scan import scan
from inpaint.losses import parse_losses
from inpaint.models.base import InpaintNetwork
from inpaint.registry.initial import load_initial
from inpaint.registry.table import training_class
from inpaint.training import loggers, plan
from inpaint.training.checkpoints import resumed_iteration
from inpaint.training.fit import FitResult, fit
from inpaint.training.module import TrainingModule
from inpaint.training.progress import RunConsole, TrainingProgress
from inpaint.training.runs import FOLDER_VARIABLE, OpenedRun, first_process, open_run


@dataclass(frozen=True)
class Launch:
    """A training that is ready to begin: networks initialized, data at the iteration that it starts from."""

    config: TrainConfig
    opened: OpenedRun
    module: TrainingModule
    data: InpaintData

    @property
    def missing_to_fill(self) -> str | None:
        """What the trained network still lacks to fill photos, None where it lacks nothing."""
        return cast(InpaintNetwork, self.module.network).missing_to_fill()  # as of every model of the table

    def open(self) -> None:
        """Take the run's folder, find the photos and, for a run that starts, write its configuration.

        In the first process only. From here on the folder belongs to this process, until `fit` ends.

        Raises:
            InpaintError: no photo can be used, the folder belongs to another process, or it cannot be written.
        """
        if not first_process():
            return
        self.opened.hold(takeover=self.config.run.takeover)
        try:
            # Photos that cannot be used are said before anything is written; the other processes find headers cached.
            self.data.prepare_data()
            self.data.setup()
            if self.opened.checkpoint is None:
                self._record()
        except BaseException:
            self.opened.release()
            raise

    def fit(self, console: RunConsole | None = None) -> tuple[FitResult, list[str]]:
        """Train to the end, or to the signal that ends it, after `open`.

        Args:
            console: where iterations, losses and the remaining time are shown; None for standard output.

        Returns:
            How the training ended, and what its trackers have to say, such as how to upload what they recorded.

        Raises:
            RunError: the checkpoint cannot be gone on from, or a loss is not finite.
        """
        module, config = self.module, self.config
        made = loggers.build(
            config.logger,
            run=self.opened.run,
            config=config.resolved(),
            wandb=config.wandb,
            start_iteration=self.data.start_iteration,
            best={f"val/{module.best_metric}": module.best_mode},
        )
        try:
            with _folder_for_other_processes(str(self.opened.run.path)):
                result = fit(
                    module,
                    self.data,
                    run=self.opened.run,
                    loggers=made,
                    resume=self.opened.checkpoint,
                    # Only fit tells whether the checkpoint can be gone on from; until then the folder stays as it is.
                    on_resumed=self._record,
                    before_saving=self.opened.check_held,
                    callbacks=[TrainingProgress(module, console=console)],
                )
        finally:
            self.opened.release()
        return result, loggers.closing_lines(made)

    def summary(self) -> list[str]:
        """Return what the training would do, one subject a line; reads the photos and writes nothing."""
        config, module = self.config, self.module
        report = scan(config.data)
        share = config.per_device(plan.device_count(config.loop)[1] * config.trainer.num_nodes)
        counts = ", ".join(f"{role} {count:,}" for role, count in plan.parameters(module).items())
        needed = plan.memory_bytes(module, size_px=config.data.size, samples=share // config.accumulate)
        resumes = self.opened.checkpoint is not None
        start = f"resume at iteration {self.data.start_iteration}" if resumes else "start at iteration 0"
        samples = config.max_iterations * config.batch_size
        return [
            f"run folder   {self.opened.run.path}, {start}",
            *report.lines(),
            *(f"             {skipped.name}: {skipped.problem}" for skipped in report.skipped[:10]),
            f"model        {config.model['name']}: {counts} parameters",
            f"losses       {', '.join(name for name, term in config.losses.items() if term is not None)}",
            f"iterations   {config.max_iterations:,} of {config.batch_size} samples, "
            f"{samples / report.train:,.1f} passes over the data",
            f"batch        {share} samples per device"
            + (f" in {config.accumulate} parts" if config.accumulate > 1 else ""),
            *(f"hardware     {line}" for line in plan.hardware_lines(config.loop)),
            f"memory       about {needed / plan.GB:.1f} GB per device",
        ]

    def _record(self) -> None:
        """Make the run folder where there is none, and write config.yaml."""
        folder = self.opened.run.path
        head = (
            f"inpaint {__version__}: {' '.join(sys.argv[1:])}\n"
            f"Repeat this run: inpaint train --config-dir {folder} --config-name config run.folder=FOLDER"
        )
        self.opened.run.create(self.config.resolved(), head=head)


def prepare(config: TrainConfig) -> Launch:
    """Build the module and the data of a training and check all that can be checked before it.

    Writes nothing, but for a folder that has no name: other runs must not get the same one.

    Args:
        config: as `inpaint.config.load` returns it; data.root must be given.

    Returns:
        The training. `open` and `fit` run it, `summary` tells what it would do.

    Raises:
        ConfigError: the hardware, the model, its losses and the sizes do not go together.
        RunError: the folder is taken, or what it holds cannot be resumed.
        WeightsError: what `init` names is of another model.
    """
    config.require_data()
    loop = config.loop
    plan.check_launcher(loop)
    plan.check_hardware(loop)
    opened = open_run(
        config.run.folder,
        config.resolved(),
        resume=config.resume,
        translate=translated,
        reserve=not config.dry_run,
    )
    try:
        return _prepared(config, opened)
    except BaseException:
        opened.release()
        raise


def _prepared(config: TrainConfig, opened: OpenedRun) -> Launch:
    """Build and check what runs in a folder."""
    loop = config.loop
    if first_process() and not config.run.takeover:
        opened.check_free()
    if loop.trainer.threads is not None:
        torch.set_num_threads(loop.trainer.threads)
    config.per_device(plan.device_count(loop)[1] * loop.trainer.num_nodes)
    plan.check_compiler(loop)
    losses = parse_losses(config.losses)
    module: TrainingModule = training_class(config.model["name"])(config.architecture(), losses=losses, loop=loop)
    if opened.checkpoint is None:
        load_initial(module, {} if config.init is None else config.init)
    data = InpaintData(
        config.data,
        batch_size=config.batch_size,
        max_iterations=config.max_iterations,
        seed=config.seed,
        val_batch_size=config.validation.batch_size,
        planes=module.planes,
    )
    data.start_iteration = resumed_iteration(opened.checkpoint)
    if first_process():
        plan.dry_run_step(module, size_px=config.data.size)
    return Launch(config, opened, module, data)


@contextmanager
def _folder_for_other_processes(path: str) -> Iterator[None]:
    """Tell the processes that Lightning starts for further devices where the run lives."""
    before: Any = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = path
    try:
        yield
    finally:
        if before is None:
            del os.environ[FOLDER_VARIABLE]
        else:
            os.environ[FOLDER_VARIABLE] = before
