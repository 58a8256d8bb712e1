"""`inpaint audit`: find test photos that are training photos, too."""

from __future__ import annotations

from pathlib import Path

import click

from inpaint.cli import places
from inpaint.system.progress import bar

EXAMPLES = """
\b
Examples:
  inpaint audit --train photos/train --test photos/val --output audit/
  inpaint audit --train shards/ --test photos/val --distance 40 --output audit/
"""


@click.command("audit", epilog=EXAMPLES)
@click.option(
    "--train",
    type=places.SOURCE,
    required=True,
    help="Folder, list file, tar shards, or `samples`. -: a list on standard input.",
)
@click.option("--test", type=places.SOURCE, required=True, help="The photos that are to be new, likewise.")
@click.option(
    "--distance",
    type=click.IntRange(0, 256),
    help="Bits, of 256, in which two photos may differ and count as the same.  [default: 50]",
)
@click.option("--output", required=True, type=places.FOLDER, help="Folder for the list and the sheet.")
def command(*, train: str, test: str, distance: int | None, output: str) -> int:
    """Find test photos that are near-duplicates of training photos: copies, also re-compressed, resized, mirrored or
    slightly cropped.

    Writes duplicates.csv and, where there are pairs, duplicates.png, which shows them side by side. The exit status is
    1 when there are any, 0 when there are none.
    """
    from inpaint.data.likeness import THRESHOLD
    from inpaint.data.opening import check_root, counted
    from inpaint.evaluation.audit import LIST_NAME, SHEET_NAME, audit

    places.check_apart([train, test], [], names="")
    for root in (train, test):
        check_root(root)
    most = THRESHOLD if distance is None else distance
    with bar("photos") as photos:
        found = audit(train, test, output=Path(output), most=most, progress=photos.report)
    pairs = counted(len(found.duplicates), "pair")
    alike = len({each.test for each in found.duplicates})
    click.echo(
        f"{counted(found.test, 'test photo')} against {counted(found.train, 'training photo')}: {pairs} alike"
        + (f", {counted(alike, 'test photo')} in all" if alike else "")
    )
    click.echo(f"wrote {LIST_NAME}{f', {SHEET_NAME}' if found.sheet else ''} to {output}")
    return 1 if found.duplicates else 0
