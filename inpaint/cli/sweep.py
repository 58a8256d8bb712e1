"""`inpaint train -m`: every combination of values as a run of its own, one after the other."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from inpaint.errors import OUT_OF_TIME, ConfigError
from inpaint.options import keyed
from inpaint.system.signals import Forwarding


def run_sweep(overrides: Sequence[str], *, config_dir: str | None, config_name: str) -> int:
    """Check all jobs, then run them; return 0, 1 when one failed, 75 when max_time ended one, 130 or 143 by a signal.

    Each job is a process with its own folder PARENT/NUMBER-VALUES, where PARENT is run.folder or
    checkpoints/sweep-TIME; with run.folder given and resume=auto the same command goes on with an interrupted sweep. A
    job that fails does not keep the others from running.
    """
    jobs = plan_jobs(overrides, config_dir=config_dir, config_name=config_name)
    options = [*(["--config-dir", config_dir] if config_dir else []), "--config-name", config_name]
    failed: list[int] = []
    unfinished: list[int] = []
    with Forwarding() as forwarding:
        for number, job in enumerate(jobs):
            click.echo(f"run {number + 1} of {len(jobs)}: {' '.join(job)}")
            # `python -m inpaint` can be started again from its own arguments, as Lightning does for further devices.
            status = forwarding.run([sys.executable, "-m", "inpaint", "train", *options, *job])
            if forwarding.signal_number is not None:
                return 128 + forwarding.signal_number  # whichever run it hit has saved; the others wait for resume=auto
            if status == OUT_OF_TIME:
                unfinished.append(number + 1)
            elif status != 0:
                click.echo(f"run {number + 1} of {len(jobs)} failed with exit status {status}", err=True)
                failed.append(number + 1)
    if failed:
        click.echo(f"{len(failed)} of {len(jobs)} runs failed, the first is run {failed[0]}", err=True)
        return 1
    if unfinished:
        click.echo(f"{len(unfinished)} of {len(jobs)} runs were ended by max_time; resume=auto goes on", err=True)
        return OUT_OF_TIME
    return 0


def plan_jobs(overrides: Sequence[str], *, config_dir: str | None, config_name: str) -> list[list[str]]:
    """Return each job's overrides, its folder included, after checking every one of them.

    A sweep whose folder has no name gets one, which is made here. Runs that are logged to W&B are a group there, called
    as the sweep's folder, unless they have one. Raises ConfigError before anything runs.
    """
    from inpaint import config as configuration
    from inpaint.training.runs import new_folder

    jobs = configuration.sweep(overrides, config_dir=config_dir, config_name=config_name)
    swept = [position for position in range(len(overrides)) if len({job[position] for job in jobs}) > 1]
    folders_differ = any(overrides[position].lstrip("+").startswith("run.folder=") for position in swept)
    parents, ungrouped = [], []
    for job in jobs:
        config = configuration.load(job, config_dir=config_dir, config_name=config_name)
        config.require_data()
        if config.resume not in (None, "auto"):
            raise ConfigError(f"resume={config.resume}: with -m every run needs its own folder; use resume=auto")
        parents.append(config.run.folder)
        ungrouped.append("wandb" in config.loggers and config.wandb.group is None)
    if folders_differ:
        return jobs
    # One for the whole sweep, and made at once: another sweep that starts now gets another one.
    parent = None if all(parents) else new_folder(Path("checkpoints"), "sweep")
    planned = []
    for number, (job, named) in enumerate(zip(jobs, parents, strict=True)):
        whole = Path(named or parent or "")
        # W&B's own variable for it stands.
        grouped = ungrouped[number] and "WANDB_RUN_GROUP" not in os.environ
        group = [keyed("wandb.group", whole.resolve().name)] if grouped else []
        folder = whole / folder_name(number, [job[position] for position in swept])
        planned.append([*job, *group, keyed("run.folder", str(folder))])
    return planned


def folder_name(number: int, values: Sequence[str]) -> str:
    """Return "3-model.width=32,seed=1" with nothing that a file system minds."""
    text = re.sub(r"[^\w.=,+-]+", "_", ",".join(value.lstrip("+~") for value in values))
    return f"{number}-{text}"[:120] if text else str(number)
