"""`inpaint evaluate`: measure several models on the same photos and the same masks."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from inpaint.cli import model_options, photo_options, places
from inpaint.system.progress import bar
from inpaint.system.signals import ending_on_sigterm
from inpaint.types import Progress

EXAMPLES = """
\b
Examples:
  inpaint evaluate --model patch --model checkpoints/my-run --data photos/val --masks deepfill --output results/
  inpaint evaluate --model mean --model biharmonic --data samples --masks center,lama_thick_256 --output results/
"""


@click.command("evaluate", epilog=EXAMPLES)
@click.option(
    "--model", "models", multiple=True, required=True, help="Name, run folder or weights file; repeat to compare."
)
@click.option(
    "--data",
    type=places.SOURCE,
    required=True,
    help="Folder, list file, tar shards, or `samples` for the bundled photos. -: a list on standard input.",
)
@click.option("--masks", "masks", multiple=True, required=True, help="Kinds of masks, separated by commas.")
@click.option(
    "--size", type=click.IntRange(8, 8192), help="Side of the square cut from each photo. [default: native size]"
)
@photo_options.seed
@click.option("--count", type=click.IntRange(1), help="Measure the first N photos only.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    help="Fills at once, of the fills without learning; their seconds get longer.",
)
@model_options.option
@photo_options.device
@click.option("--output", required=True, type=places.FOLDER, help="Folder for the results.")
def command(
    *,
    models: Sequence[str],
    data: str,
    masks: Sequence[str],
    option: Sequence[str],
    device: str,
    output: str,
    **settings: Any,
) -> int:
    """Measure models on the same photos and the same seeded masks.

    Writes results.csv (a line per photo, mask and model), summary.json, table.md and sheet.png. The same command goes
    on where an interrupted one stopped, and with a further --model measures that one only. What fails is reported and
    left out; the exit status is then 1. An --option goes to every model that takes it.
    """
    from inpaint.data.opening import check_root
    from inpaint.evaluation.settings import identity, label_models, parsed_masks
    from inpaint.masks import split_specs
    from inpaint.registry.loading import described, load

    kinds = [kind for group in masks for kind in split_specs(group)]
    labels = label_models(models)
    chosen = model_options.for_models(labels, option)
    for name, spec in labels.items():
        described(spec, **chosen[name])
    parsed_masks(kinds)
    check_root(data)

    from inpaint.evaluation.run import evaluate  # only now: torch takes seconds
    from inpaint.system.devices import device_name, resolve_device

    where = resolve_device(device)
    loaded = {name: load(spec, device=where, **chosen[name]) for name, spec in labels.items()}
    with ending_on_sigterm(), bar("fills") as fills:

        def report(step: Progress) -> None:
            if fills.total is None and step.done:
                click.echo(f"going on: {step.done} of {step.total} fills are done already", err=True)
            fills.report(step)

        try:
            result = evaluate(
                loaded,
                data=data,
                masks=kinds,
                output=Path(output),
                **settings,
                device=device_name(where),
                identities={name: identity(spec, chosen[name]) for name, spec in labels.items()},
                command=_command_line(click.get_current_context()),
                progress=report,
                inner=fills.inner if fills.shown else None,
            )
        except (KeyboardInterrupt, SystemExit):
            click.echo(f"{fills.done} of {fills.total or 0} fills done; the same command goes on from there", err=True)
            raise
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


def _command_line(context: click.Context) -> str:
    """Return the command that repeats this evaluation: what was given, without defaults and without the output."""
    words = ["inpaint", "evaluate"]
    for option in context.command.params:
        given = context.params[option.name or ""]
        if option.name != "output" and given not in (None, option.get_default(context)):
            for value in given if isinstance(given, tuple) else (given,):
                words += [option.opts[0], str(value)]
    return shlex.join(words)
