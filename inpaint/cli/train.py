"""`inpaint train`: from YAML and overrides to a run."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click

from inpaint.errors import OUT_OF_TIME, UsageError
from inpaint.options import keyed

if TYPE_CHECKING:
    from inpaint.config import TrainConfig
    from inpaint.config.launch import Launch
    from inpaint.training.fit import FitResult
    from inpaint.training.progress import RunConsole

HELPER_ENDS_S = 30  # after the process that it helps

HELP = """Train a model on your photos.

Options are KEY=VALUE; the keys are those of configs/train.yaml, of the model's YAML and of its architecture. A value is
null, true, false, a number, text, [a,b] or {a: b}; GROUP=NAME chooses a file, ~KEY leaves a key out. One run is one
folder, checkpoints/MODEL-TIME unless run.folder names another.

\b
Examples:
  inpaint train data.root=photos/ data.size=256 batch_size=16 run.folder=checkpoints/my-run resume=auto
  inpaint train size=small data.root=samples run.folder=checkpoints/first
  inpaint train run.folder=checkpoints/my-run resume=auto              go on with a run that was stopped
  inpaint train data.root=photos/ trainer.devices=4 trainer.precision=bf16-mixed logger=[tensorboard,wandb]
  inpaint train data.root=photos/ dry_run=true         check everything, print the plan, write nothing
  inpaint train --cfg job model.width=32               print the configuration with all defaults
  inpaint train -m data.root=photos/ model.width=32,48 seed=0,1        four runs, one after the other
  inpaint train --config-dir mine model=my_deepfill experiment=faces   your own mine/model/..., mine/experiment/...
  inpaint train --config-dir checkpoints/my-run --config-name config   repeat a run

A small model that learns on a CPU: size=small. `inpaint train run.folder=RUN resume=auto` goes on with a run as it was
configured, with further KEY=VALUE on top; in a new folder resume=auto starts. resume=PATH names a run or a checkpoint.
With -m every run is a process of its own and gets a folder inside run.folder (default checkpoints/sweep-TIME).
Ctrl-C and SIGTERM save and stop, as do SIGHUP, SIGUSR1 and SIGUSR2; exit status 128 plus the signal's number.
"""


class TrainCommand(click.Command):
    """Answers what other programs, and other commands here, write as --NAME VALUE in the grammar of this one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; raises UsageError for an option that is a KEY=VALUE here."""
        own = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        wrong = next((place for place, word in enumerate(args) if word[:2] == "--" and _option(word) not in own), None)
        if wrong is None or args[wrong] == "--":
            return super().parse_args(ctx, args)
        name, equals, value = args[wrong].lstrip("-").partition("=")
        following = args[wrong + 1] if wrong + 1 < len(args) else ""
        if not equals:
            value = "VALUE" if not following or following.startswith("-") or "=" in following else following
        from inpaint.config.schema import key_of

        key = key_of(name)
        written = f"{key}={value}" if re.fullmatch(r"[\d.e+-]+|null|true|false", value) else keyed(key, value)
        raise UsageError(f"{_option(args[wrong])}: options are KEY=VALUE here, write {shlex.quote(written)}")


def _option(word: str) -> str:
    return word.partition("=")[0]


@click.command(cls=TrainCommand, help=HELP, short_help="train a model on your photos")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("-m", "--multirun", is_flag=True, help="Run every combination of KEY=A,B values.")
@click.option("--cfg", type=click.Choice(["job"]), help="Print the configuration and stop.")
@click.option("--config-dir", metavar="DIR", help="Folder of your own YAML, searched before ours.")
@click.option("--config-name", metavar="NAME", default="train", help="Primary YAML file, without .yaml.")
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
        from omegaconf import OmegaConf

        click.echo(OmegaConf.to_yaml(OmegaConf.create(config.model_dump(mode="json"))), nl=False)
        return 0
    config.require_data()
    if config.dry_run:
        from inpaint.config.launch import prepare

        click.echo("\n".join(prepare(config).summary()))
        click.echo("dry run: configuration and data are fine, nothing was written")
        return 0
    return train(config)


def train(config: TrainConfig) -> int:
    """Train as configured, saying how far it is.

    Args:
        config: the whole configuration.

    Returns:
        The exit status: 0; 75 when max_time was over; 128 plus the signal that ended the training early.

    Raises:
        InpaintError: something is wrong, said before anything is written where possible.
    """
    from inpaint.config.launch import prepare
    from inpaint.system.signals import ending_on_sigterm, ending_with_parent
    from inpaint.training.progress import RunConsole
    from inpaint.training.runs import first_process

    # A helper has nothing to save, and may be waiting for the first process when that is gone.
    ending_with_parent(at_the_latest_s=None if first_process() else HELPER_ENDS_S)
    console = RunConsole()
    with ending_on_sigterm():  # until there is something to save
        launch = prepare(config)
        launch.open()
        if first_process():
            _announce(console, launch)
        result, closing = launch.fit(console)
        if first_process():
            _report(console, launch, result)
            for line in closing:
                console.say(line)
    if result.interrupted_by is not None:
        return 128 + result.interrupted_by
    return OUT_OF_TIME if result.out_of_time else 0


def _announce(console: RunConsole, launch: Launch) -> None:
    from inpaint.training.plan import hardware_lines

    config = launch.config
    start = f", resuming at {launch.data.start_iteration}" if launch.claimed.checkpoint else ""
    console.say(f"run folder   {launch.claimed.run.path}")
    console.say(
        f"model        {config.model['name']}, {config.max_iterations} iterations of {config.batch_size}{start}"
    )
    console.say(f"data         {config.data.root}, {config.data.size} px")
    for line in hardware_lines(config.loop):
        console.say(f"hardware     {line}")


def _report(console: RunConsole, launch: Launch, result: FitResult) -> None:
    from inpaint.registry.texts import command_to_use
    from inpaint.training.runs import resume_command

    run = launch.claimed.run
    if result.interrupted_by is not None or result.out_of_time:
        why = f"after max_time={launch.config.max_time}, " if result.out_of_time else ""
        console.say(f"stopped {why}at iteration {result.iteration}, everything saved; go on: {resume_command(run)}")
        return
    if result.out_of_patience:
        console.say(_out_of_patience(launch, result))
    elif launch.finished and not result.validation:
        console.say(f"finished already with {result.iteration} iterations: nothing was trained, nothing changed")
    else:
        measured = "".join(f"  {name} {value:.4f}" for name, value in result.validation.items())
        console.say(f"finished {result.iteration} iterations{measured}")
    if launch.missing_to_fill is None:
        can = launch.config.architecture().capabilities()
        console.say(f"use it: {command_to_use(can, str(run.path))}")
    else:
        console.say(f"it cannot fill yet: {launch.missing_to_fill}")
    longer = f"max_iterations={2 * result.iteration}"
    if result.out_of_patience:
        longer = f"validation.patience={2 * (launch.config.validation.patience or 1)}"
    console.say(f"train on: {resume_command(run, longer)}")


def _out_of_patience(launch: Launch, result: FitResult) -> str:
    config, selection = launch.config, launch.selection
    already, nothing = ("", "") if result.validation else (" already", " nothing was trained, nothing changed;")
    best = "" if result.best is None else f", the best is {result.best[0]:.4f} of iteration {result.best[1]}"
    return (
        f"finished{already} at iteration {result.iteration} of {config.max_iterations}:{nothing} val/{selection.best} "
        f"has not become better in {config.validation.patience} validations (validation.patience){best}"
    )
