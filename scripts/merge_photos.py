"""Merge two photos with EdgeConnect: the left from one, the right from the other, the middle painted.

    python scripts/merge_photos.py --model checkpoints/edgeconnect --left a.jpg --right b.jpg --output merged.png

The middle is a hole; the edges in it are those of the left photo up to the seam and those of the right one beyond it,
so that what stands in the middle keeps its shape while its colors follow from both sides. The right photo is brought to
the left one's size by scaling and cutting its middle out.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

import inpaint
from inpaint.errors import InpaintError
from inpaint.images.edges import canny, gray_of

SIGMA_PX = 2.0  # of the edges that EdgeConnect is trained on


@click.command(help=__doc__)
@click.option("--model", required=True, help="Folder of a run or import of EdgeConnect.")
@click.option("--left", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--right", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--output", required=True, type=click.Path(path_type=Path))
@click.option("--middle", type=click.FloatRange(0.05, 0.9), default=0.4, show_default=True, help="Share to be painted.")
@click.option("--device", default="auto", show_default=True)
def command(model: str, left: Path, right: Path, output: Path, middle: float, device: str) -> None:
    """Merge and write."""
    try:
        first = ImageOps.exif_transpose(Image.open(left)).convert("RGB")
        second = ImageOps.fit(ImageOps.exif_transpose(Image.open(right)).convert("RGB"), first.size)
        photo, mask, edges = merged(np.asarray(first), np.asarray(second), middle=middle)
        inpaint.fill(photo, mask, model=model, guidance={"edges": edges}, output=output, device=device)
    except (InpaintError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"wrote {output}")


def merged(
    left: NDArray[np.uint8], right: NDArray[np.uint8], *, middle: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the image with its middle still to be painted (H, W, 3), the hole and its edges (H, W).

    left, right: (H, W, 3). middle: the share of the width that is painted.
    """
    height, width = left.shape[:2]
    seam, half = width // 2, max(round(width * middle / 2), 1)
    photo = np.concatenate((left[:, :seam], right[:, seam:]), axis=1)
    mask = np.zeros((height, width), bool)
    mask[:, seam - half : seam + half] = True
    both = [canny(gray_of(one), SIGMA_PX) for one in (left, right)]
    edges = np.concatenate((both[0][:, :seam], both[1][:, seam:]), axis=1)
    return photo, mask, edges & mask


if __name__ == "__main__":
    command()
