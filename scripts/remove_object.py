"""Remove an object from a photo: what lies in a box is painted anew from what surrounds it.

    python scripts/remove_object.py --model checkpoints/edgeconnect --image photo.jpg --box 120,80,260,300 \\
        --output without.png

A box is LEFT,TOP,RIGHT,BOTTOM in pixels; repeat it for several. It must cover the whole object and its shadow: what is
left standing outside pulls new edges into the hole. For other shapes paint a mask and call `inpaint infer`.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

import inpaint
from inpaint.errors import InpaintError, UsageError


@click.command(help=__doc__)
@click.option("--model", required=True, help="What `inpaint infer --model` takes; EdgeConnect continues edges.")
@click.option("--image", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--box", "boxes", required=True, multiple=True, metavar="LEFT,TOP,RIGHT,BOTTOM")
@click.option("--output", required=True, type=click.Path(path_type=Path))
@click.option("--grow", type=click.IntRange(min=0), default=3, show_default=True, help="Pixels around every box.")
@click.option("--device", default="auto", show_default=True)
def command(model: str, image: Path, boxes: tuple[str, ...], output: Path, grow: int, device: str) -> None:
    """Remove and write."""
    try:
        photo = np.asarray(ImageOps.exif_transpose(Image.open(image)).convert("RGB"))
        mask = hole(boxes, *photo.shape[:2])
        inpaint.fill(photo, mask, model=model, dilate=grow, output=output, device=device)
    except (InpaintError, OSError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"wrote {output}")


def hole(boxes: tuple[str, ...], height: int, width: int) -> NDArray[np.bool_]:
    """Return the hole (H, W) that the boxes make; raises UsageError for one that lies outside or is written wrongly."""
    mask = np.zeros((height, width), bool)
    for box in boxes:
        try:
            left, top, right, bottom = (int(part) for part in box.split(","))
        except ValueError:
            raise UsageError(
                f"--box {box}: write four whole numbers LEFT,TOP,RIGHT,BOTTOM, e.g. 120,80,260,300"
            ) from None
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise UsageError(f"--box {box} does not lie within the photo of {width}x{height} pixels")
        mask[top:bottom, left:right] = True
    return mask


if __name__ == "__main__":
    command()
