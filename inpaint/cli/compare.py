"""`inpaint compare`: trainings and evaluations beside each other, and whether their differences are real."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from inpaint.cli import places
from inpaint.errors import UsageError

EXAMPLES = """
\b
Examples:
  inpaint compare checkpoints/one checkpoints/other
  inpaint compare checkpoints/sweep --keys 'val/*,train/loss_g'
  inpaint compare results/mine results/theirs --baseline telea --output results/both
"""


@click.command("compare", epilog=EXAMPLES)
@click.argument("runs", metavar="RUN...", nargs=-1)
@click.option(
    "--baseline", metavar="MODEL", help="Compare every model with this one. [default: the best of each column]"
)
@click.option(
    "--keys", multiple=True, metavar="KEY[,KEY]", help="Columns of metrics.csv, or patterns. [default: val/*]"
)
@click.option("--output", type=places.FOLDER, help="Folder for summary.csv, summary.json, table.md and index.html.")
@click.option("--wandb", "project", metavar="PROJECT", help="Record the evaluations as runs of this project of W&B.")
def command(
    runs: Sequence[str], baseline: str | None, keys: Sequence[str], output: str | None, project: str | None
) -> int:
    """Compare trainings with trainings, and evaluations of the same photos and masks with each other.

    RUN is a run folder, a folder that `inpaint evaluate` has written, or one that holds such: a sweep's runs, a run's
    evaluations. Trainings show their best and last figures and the keys in which their configurations differ.
    Evaluations with the same manifest come into one table, with the differences that are shown; what was measured on
    other photos or masks never does, and the first difference is said.
    """
    if not runs:
        raise UsageError("nothing to compare: name runs, such as checkpoints/my-run, or folders of `inpaint evaluate`")
    from inpaint.config.schema import translated
    from inpaint.evaluation.comparing import compare

    wanted = [key.strip() for group in keys for key in group.split(",") if key.strip()]
    found = compare(runs, against=baseline, translate=translated)
    if project and not found.outcomes:
        raise UsageError("--wandb records evaluations, and there are none among these; trainings record themselves")
    click.echo(found.text(wanted), nl=False)
    line = shlex.join(["inpaint", *sys.argv[1:]])
    if output:
        names = found.write(Path(output), wanted, command=line)
        click.echo(f"wrote {', '.join(names)} to {output}")
    if project:
        from inpaint.evaluation.upload import upload

        for made in found.outcomes:
            for said in upload(made, project=project, folder=Path(output or "."), command=line):
                click.echo(said)
    return 0
