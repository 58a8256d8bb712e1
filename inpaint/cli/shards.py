"""`inpaint shards`: write a folder of photos as tar shards that training reads."""

from __future__ import annotations

from pathlib import Path

import click

from inpaint.cli import places
from inpaint.system.progress import bar

EXAMPLES = """
\b
Examples:
  inpaint shards --input photos/ --output shards/ --count 10000
  inpaint train data.root=shards/
"""


@click.command("shards", epilog=EXAMPLES)
@click.option(
    "--input",
    "root",
    metavar="FOLDER",
    type=places.SOURCE,
    required=True,
    help="Folder of photos (with its subfolders), or a list file, one path a line. -: a list on standard input.",
)
@click.option(
    "--output",
    "folder",
    metavar="FOLDER",
    required=True,
    type=places.FOLDER,
    help="Where shard-000000.tar, ... and an index of each are written.",
)
@click.option(
    "--shard-size-bytes",
    "shard_bytes",
    type=click.IntRange(min=1),
    default=1_000_000_000,
    help="Close a shard before it holds more bytes of photos.",
)
@click.option("--count", "shard_count", type=click.IntRange(min=1), help="Close a shard at this many photos.")
@click.option("--min-px", type=click.IntRange(min=1), default=16, help="Leave out smaller photos.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the order in which they are mixed.")
def command(root: str, folder: str, shard_bytes: int, shard_count: int | None, min_px: int, seed: int) -> None:
    """Write photos as tar shards for training data that does not fit one disk.

    The files go in unchanged, in webdataset's layout, with NAME_edge.* as KEY.edge.* where there is one. Needs the
    extra `shards`: pip install 'pytorch-inpaint[shards]'.
    """
    from inpaint.data.opening import report_skipped
    from inpaint.data.packing import plan_shards

    target = Path(folder)
    packing = plan_shards(root, target, shard_bytes=shard_bytes, shard_count=shard_count, seed=seed, min_px=min_px)
    report_skipped(root, packing.source)
    shards = 0
    with bar("photos", len(packing.order)) as photos:
        photos.show(0)
        for shard in packing.write(target):
            shards += 1
            photos.show(shard.done)
    click.echo(f"{len(packing.order)} photos in {shards} shards: {folder}")
