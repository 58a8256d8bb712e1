"""`inpaint train`: from YAML and overrides to a run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from inpaint.errors import UsageError

if TYPE_CHECKING:
    from inpaint.config import TrainConfig
    from inpaint.training.fit import FitResult
    from inpaint.training.progress import RunConsole
    from inpaint.training.runs import OpenedRun

HELP = """Train a model on your photographs.

Options are KEY=VALUE in Hydra's grammar; the keys are those of configs/train.yaml, of the model's YAML and of its
architecture. One run is one folder, checkpoints/MODEL-TIME unless run.folder names another.

\b
Examples:
  inpaint train data.root=photos/ data.size=256 batch_size=16 run.folder=checkpoints/my-run resume=auto
  inpaint train data.root=samples data.size=64 model.width=16 batch_size=8 max_iterations=2000
  inpaint train data.root=photos/ trainer.devices=4 trainer.precision=bf16-mixed logger=[tensorboard,wandb]
  inpaint train data.root=photos/ dry_run=true         check everything, print the plan, write nothing
  inpaint train --cfg job model.width=32               print the configuration with all defaults
  inpaint train -m data.root=photos/ model.width=32,48 seed=0,1        four runs, one after the other
  inpaint train --config-dir mine model=my_deepfill experiment=faces   your own mine/model/..., mine/experiment/...
  inpaint train --config-dir checkpoints/my-run --config-name config   repeat a run

resume=auto goes on with the run in run.folder, or starts it; resume=PATH names a run folder or a checkpoint.
With -m every run is a process of its own and gets a folder inside run.folder (default checkpoints/sweep-TIME).
Ctrl-C and SIGTERM save and stop; exit status 130 and 143.
"""


@click.command(help=HELP, short_help="train a model on your photographs")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("-m", "--multirun", is_flag=True, help="Run every combination of KEY=A,B values.")
@click.option("--cfg", type=click.Choice(["job"]), help="Print the configuration and stop.")
@click.option("--config-dir", metavar="DIR", help="Folder of your own YAML, searched before ours.")
@click.option(
    "--config-name", metavar="NAME", default="train", show_default=True, help="Primary YAML file, without .yaml."
)
def command(
    overrides: tuple[str, ...], *, multirun: bool, cfg: str | None, config_dir: str | None, config_name: str
) -> int:
    """Run the verb; the help text is HELP."""
    from inpaint import config as configuration

    if multirun:
        if cfg:
            raise UsageError("--cfg prints one configuration; leave out -m")
        from inpaint.cli.sweep import run_sweep

        return run_sweep(list(overrides), config_dir=config_dir, config_name=config_name)
    config = configuration.load(overrides, config_dir=config_dir, config_name=config_name)
    if cfg:
        click.echo(_yaml(config), nl=False)
        return 0
    config.require_data()
    if config.dry_run:
        return _print_plan(config)
    return train(config)


def train(config: TrainConfig) -> int:
    """Train as configured and return the exit status: 0, or 128 plus the signal that ended it early.

    Raises InpaintError subclasses for everything that is wrong, before anything is written where possible.
    """
    from inpaint.training.plan import dry_run_step
    from inpaint.training.progress import RunConsole
    from inpaint.training.runs import FOLDER_VARIABLE, first_process, open_run

    console = RunConsole()
    resolved = config.resolved()
    opened = open_run(config.run.folder, resolved, resume=config.resume)
    module, data = _build(config, opened)
    if first_process():
        dry_run_step(module, size_px=config.data.size)
        # Photographs that cannot be used are said before the folder exists; the other processes find headers cached.
        data.prepare_data()
        data.setup()
        if opened.checkpoint is None:
            _record(opened, resolved)
        _announce(console, config, opened, data)
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(opened.run.path)
    try:
        result, closing = _fit(console, config, opened, module, data, resolved)
    finally:
        if before is None:
            del os.environ[FOLDER_VARIABLE]
        else:
            os.environ[FOLDER_VARIABLE] = before
    if first_process():
        _report(console, result, opened, closing, missing=module.network.missing_to_fill())
    return 0 if result.interrupted_by is None else 128 + result.interrupted_by


def _record(opened: OpenedRun, resolved: dict[str, Any]) -> None:
    """Make the run folder where there is none, and write config.yaml."""
    opened.run.create(resolved, head=_head(opened.run.path))


def _build(config: TrainConfig, opened: OpenedRun) -> tuple[Any, Any]:
    """Return the training module, its networks initialized, and the data, at the iteration of the checkpoint."""
    import torch

    from inpaint.data.module import InpaintData
    from inpaint.losses import parse_losses
    from inpaint.registry.initial import load_initial
    from inpaint.registry.table import training_class
    from inpaint.training.checkpoints import resumed_iteration
    from inpaint.training.plan import check_hardware, device_count

    loop = config.loop
    check_hardware(loop)
    if loop.trainer.threads is not None:
        torch.set_num_threads(loop.trainer.threads)
    config.per_device(device_count(loop)[1] * loop.trainer.num_nodes)
    losses = parse_losses(config.losses)
    module = training_class(config.model["name"])(config.architecture(), losses=losses, loop=loop)
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
    return module, data


def _fit(
    console: RunConsole, config: TrainConfig, opened: OpenedRun, module: Any, data: Any, resolved: dict[str, Any]
) -> tuple[FitResult, list[str]]:
    from inpaint.training import loggers
    from inpaint.training.callbacks import Recording
    from inpaint.training.fit import fit
    from inpaint.training.progress import TrainingProgress

    made = loggers.build(
        config.logger,
        run=opened.run,
        config=resolved,
        wandb=config.wandb,
        start_iteration=data.start_iteration,
        best={f"val/{module.best_metric}": module.best_mode},
    )
    callbacks: list[Any] = [TrainingProgress(module, console=console)]
    if opened.checkpoint is not None:
        # Only fit tells whether the checkpoint can be gone on from; until then the folder stays as it is.
        callbacks.append(Recording(lambda: _record(opened, resolved)))
    result = fit(
        module,
        data,
        loop=config.loop,
        run=opened.run,
        loggers=made,
        resume=opened.checkpoint,
        callbacks=callbacks,
    )
    return result, loggers.closing_lines(made)


def _announce(console: RunConsole, config: TrainConfig, opened: OpenedRun, data: Any) -> None:
    from inpaint.training.plan import hardware_lines

    start = f", resuming at {data.start_iteration}" if opened.checkpoint else ""
    console.say(f"run folder   {opened.run.path}")
    console.say(
        f"model        {config.model['name']}, {config.max_iterations} iterations of {config.batch_size}{start}"
    )
    console.say(f"data         {config.data.root}, {config.data.size} px")
    for line in hardware_lines(config.loop):
        console.say(f"hardware     {line}")


def _report(
    console: RunConsole, result: FitResult, opened: OpenedRun, closing: list[str], *, missing: str | None
) -> None:
    run = opened.run
    if result.interrupted_by is not None:
        console.say(
            f"stopped at iteration {result.iteration}, everything saved; go on with run.folder={run.path} resume=auto"
        )
    else:
        measured = "".join(f"  {name} {value:.4f}" for name, value in result.validation.items())
        console.say(f"finished {result.iteration} iterations{measured}")
        if missing is None:
            console.say(f"use it: inpaint infer --model {run.path} --image PHOTO --mask MASK --output RESULT.png")
        else:
            console.say(f"it cannot fill yet: {missing}")
    for line in closing:
        console.say(line)


def _print_plan(config: TrainConfig) -> int:
    """Check data and configuration as a training would, and print what it would do."""
    from inpaint.data.scan import scan
    from inpaint.training import plan
    from inpaint.training.runs import open_run

    opened = open_run(config.run.folder, config.resolved(), resume=config.resume)
    module, data = _build(config, opened)
    plan.dry_run_step(module, size_px=config.data.size)
    report = scan(config.data)
    devices = plan.device_count(config.loop)[1] * config.trainer.num_nodes
    share = config.per_device(devices)
    counts = plan.parameters(module)
    needed = plan.memory_bytes(module, size_px=config.data.size, samples=share // config.accumulate)
    start = f"resume at iteration {data.start_iteration}" if opened.checkpoint else "start at iteration 0"
    lines = [
        f"run folder   {opened.run.path}, {start}",
        *report.lines(),
        *(f"             {skipped.name}: {skipped.problem}" for skipped in report.skipped[:10]),
        f"model        {config.model['name']}: "
        + ", ".join(f"{role} {count:,}" for role, count in counts.items())
        + " parameters",
        f"losses       {', '.join(name for name, term in config.losses.items() if term is not None)}",
        f"iterations   {config.max_iterations:,} of {config.batch_size} samples, "
        f"{config.max_iterations * config.batch_size / report.train:,.1f} passes over the data",
        f"batch        {share} samples per device"
        + (f" in {config.accumulate} parts" if config.accumulate > 1 else ""),
        *(f"hardware     {line}" for line in plan.hardware_lines(config.loop)),
        f"memory       about {needed / plan.GB:.1f} GB per device",
        "dry run: configuration and data are fine, nothing was written",
    ]
    click.echo("\n".join(lines))
    return 0


def _yaml(config: TrainConfig) -> str:
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(config.model_dump(mode="json")))


def _head(folder: object) -> str:
    from importlib.metadata import version

    return (
        f"inpaint {version('inpaint')}: {' '.join(sys.argv[1:])}\n"
        f"Repeat this run: inpaint train --config-dir {folder} --config-name config run.folder=FOLDER"
    )
