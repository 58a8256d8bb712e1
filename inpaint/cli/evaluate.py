"""`inpaint evaluate`: measure several models on the same photographs and the same masks."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inpaint.cli import model_options
from inpaint.errors import InpaintError, UsageError
from inpaint.system.signals import ending_on_sigterm

if TYPE_CHECKING:
    from inpaint.types import ProgressCallback

EXAMPLES = """
\b
Examples:
  inpaint evaluate --model telea --model checkpoints/my-run --data photos/val --masks deepfill --output results/
  inpaint evaluate --model mean --model telea --data samples --masks center,lama_thick_256 --size 128 --output results/
"""


@click.command("evaluate", epilog=EXAMPLES)
@click.option(
    "--model", "models", multiple=True, required=True, help="Name, run folder or weights file; repeat to compare."
)
@click.option("--data", required=True, help="Folder, list file, tar shards, or `samples` for the bundled photographs.")
@click.option("--masks", "masks", multiple=True, required=True, help="Kinds of masks, separated by commas.")
@click.option("--size", type=int, default=None, help="Side of the square cut from each photo. [default: native size]")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides the masks.")
@click.option("--count", type=int, default=None, help="Measure the first N photographs only.")
@click.option(
    "--jobs",
    type=int,
    default=1,
    show_default=True,
    help="Fills at once, of the fills without learning; their seconds get longer.",
)
@model_options.option
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the results."
)
def command(
    *,
    models: Sequence[str],
    data: str,
    masks: Sequence[str],
    size: int | None,
    seed: int,
    count: int | None,
    jobs: int,
    option: Sequence[str],
    device: str,
    output: Path,
) -> int:
    """Measure models on the same photographs and the same seeded masks.

    Writes results.csv (a line per photo, mask and model), summary.json, table.md and sheet.png. The same command goes
    on where an interrupted one stopped, and with a further --model measures that one only. What fails is reported and
    left out; the exit status is then 1. An --option goes to every model that takes it.
    """
    kinds = [kind.strip() for group in masks for kind in group.split(",") if kind.strip()]
    labels = label(models)

    from inpaint.evaluation import evaluate
    from inpaint.masks import parse_mask
    from inpaint.registry.loading import load
    from inpaint.system.devices import resolve_device

    for kind in kinds:
        parse_mask(kind)  # a wrong name is said before models are loaded
    where = resolve_device(device)
    options = model_options.for_models(list(labels.values()), model_options.given(option))
    chosen = dict(zip(labels, options, strict=True))
    loaded = {name: load(spec, device=where, **chosen[name]) for name, spec in labels.items()}
    with ending_on_sigterm(), _progress_bar() as progress:
        result = evaluate(
            loaded,
            data=data,
            masks=kinds,
            output=output,
            size=size,
            seed=seed,
            count=count,
            jobs=jobs,
            device=device_name(str(where)),
            identities={name: identity(spec, chosen[name]) for name, spec in labels.items()},
            command=_command_line(click.get_current_context()),
            progress=progress,
        )
    click.echo(result.table)
    names = "results.csv, summary.json, table.md" + (", sheet.png" if result.sheet else "")
    click.echo(f"wrote {names} to {output}")
    problems = [
        *([f"{len(result.failures)} failed"] if result.failures else []),
        *([f"{result.skipped} file{'s' if result.skipped > 1 else ''} skipped"] if result.skipped else []),
    ]
    if problems:
        click.echo(", ".join(problems) + "; see the warnings above and summary.json", err=True)
    return 1 if problems else 0


def label(specs: Sequence[str]) -> dict[str, str]:
    """Return {label: what was given}: a registered name itself, else the run folder's or file's name.

    Where two would share a label both keep what was given. Raises UsageError when a model is given twice.
    """
    twice = [spec for spec in dict.fromkeys(specs) if specs.count(spec) > 1]
    if twice:
        raise UsageError(f"--model {twice[0]} is given twice")
    short = [_short_name(spec) for spec in specs]
    return {name if short.count(name) == 1 else spec: spec for name, spec in zip(short, specs, strict=True)}


def _short_name(spec: str) -> str:
    from inpaint.registry.table import names
    from inpaint.weights.places import HUB_PREFIX
    from inpaint.weights.runs import WEIGHTS_NAME

    if spec in names() or spec.startswith(HUB_PREFIX):
        return spec.removeprefix(HUB_PREFIX)
    path = Path(spec).resolve()
    if path.name == WEIGHTS_NAME:
        return path.parent.name
    return path.stem if path.is_file() else path.name


def identity(spec: str, options: Mapping[str, object] | None = None) -> str:
    """Return what tells this model from others of the same name.

    That is "sha256:..." of its weights, else what was given; and the options that it was loaded with.
    """
    return " ".join([_origin(spec), *(f"{name}={value}" for name, value in sorted((options or {}).items()))])


def _origin(spec: str) -> str:
    from inpaint.registry.table import names
    from inpaint.weights.runs import WEIGHTS_NAME

    path = Path(spec)
    if path.is_dir():
        path /= WEIGHTS_NAME
    if spec in names() or not path.is_file():
        return spec
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    except OSError as error:
        raise InpaintError(f"cannot read '{path}': {error.strerror or error}") from None


def device_name(device: str) -> str:
    """Return the device with its model, so that seconds of two kinds of GPU never end in one mean."""
    if not device.startswith("cuda"):
        return device
    import torch

    return f"cuda ({torch.cuda.get_device_name(device)})"


def _command_line(context: click.Context) -> str:
    """Return the command that repeats this evaluation: what was given, without defaults and without the output."""
    words = ["inpaint", "evaluate"]
    for option in context.command.params:
        given = context.params[option.name or ""]
        if option.name != "output" and given != option.get_default(context):
            for value in given if isinstance(given, tuple) else (given,):
                words += [option.opts[0], str(value)]
    return shlex.join(words)


@contextmanager
def _progress_bar() -> Iterator[ProgressCallback]:
    """Show fills done and the remaining time on a terminal; say how to go on when interrupted."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    from inpaint.types import Progress as Step

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = total = 0
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task: TaskID | None = None

        def show(step: Step) -> None:
            nonlocal task, done, total
            done, total = step.done, step.total
            if task is None:
                # What an earlier evaluation has left done took no time now: leave it out of the estimate.
                task = bar.add_task("fills", total=step.total, completed=step.done)
                if step.done:
                    click.echo(f"going on: {step.done} of {step.total} fills are done already", err=True)
            else:
                bar.update(task, completed=step.done)

        try:
            yield show
        except (KeyboardInterrupt, SystemExit):
            click.echo(f"{done} of {total} fills done; the same command goes on from there", err=True)
            raise
