"""`inpaint plot`: the curves of training runs as an image."""

from __future__ import annotations

from collections.abc import Sequence

import click

from inpaint.cli import places
from inpaint.errors import UsageError

EXAMPLES = """
\b
Examples:
  inpaint plot checkpoints/my-run
  inpaint plot checkpoints/one checkpoints/other --keys 'val/*,train/loss_g' --smooth 0.9 --output curves.png
"""


@click.command("plot", epilog=EXAMPLES)
@click.argument("runs", metavar="RUN...", nargs=-1)
@click.option(
    "--keys",
    multiple=True,
    metavar="KEY[,KEY]",
    help="Columns of metrics.csv, or patterns such as 'val/*'. Default: validation, losses, learning rates, speed.",
)
@click.option(
    "--smooth",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="Weight of the past in a moving average of losses and speed; 0.9 averages over some ten values.",
)
@click.option("--output", type=places.FILE, default="curves.png", help="The PNG. -: standard output.")
def command(runs: Sequence[str], keys: Sequence[str], smooth: float, output: str) -> None:
    """Draw the curves of training runs: a panel for each number of metrics.csv, a line for each RUN.

    RUN is a run folder, its metrics.csv, or a folder of run folders, such as that of a sweep. It may be in training
    just now.
    """
    if not runs:
        raise UsageError("nothing to plot: name at least one run, such as checkpoints/my-run")
    if not places.passes_on(output) and not output.lower().endswith(".png"):
        raise UsageError(f"the output '{output}' must end in .png")
    from inpaint.evaluation.curves import plot

    wanted = [key.strip() for group in keys for key in group.split(",") if key.strip()]
    with places.written(output, ".png") as target:
        names = plot(runs, target, keys=wanted, smooth=smooth)
    if output != places.DASH:
        click.echo(f"{len(names)} panel{'s' if len(names) > 1 else ''}: {output}")
