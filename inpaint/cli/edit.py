"""`inpaint edit`: texture, light and color of one photo, in the gradient domain."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inpaint.cli import photo_options, places

if TYPE_CHECKING:
    from inpaint.pipeline.holes import Marks

EXAMPLES = """
\b
Examples:
  inpaint edit --task relight --image photo.jpg --mask mask.png --output even.jpg
  inpaint edit --task recolor --image photo.jpg --object 120,80,140,220 --output red.png --option red=1.8
  inpaint edit --task tile --image bark.png --output tile.png
"""
TASKS = ["flatten", "relight", "recolor", "gray-around", "tile"]  # those of pipeline.editing, without NumPy


@click.command(short_help="texture, light and color of one photo, in the gradient domain", epilog=EXAMPLES)
@click.option(
    "--task",
    type=click.Choice(TASKS),
    required=True,
    help="flatten: texture goes, edges stay. relight: highlights and shadows become even. recolor: another color. "
    "gray-around: gray but for what is marked. tile: opposite borders become equal.",
)
@click.option("--image", type=places.SOURCE, required=True, help="The photo. -: standard input.")
@click.option(
    "--mask",
    "masks",
    type=places.SOURCE,
    multiple=True,
    help="White = where. Several are united, and so is all else that says where.  [default: the whole photo]",
)
@photo_options.marks
@click.option(
    "--output",
    type=places.IMAGE,
    required=True,
    help="File, written in the format of its name. -: standard output, in the format of the photo.",
)
@click.option(
    "--option",
    "option",
    metavar="NAME=VALUE",
    multiple=True,
    help="flatten: sigma. relight: alpha, beta. recolor: red, green, blue. Repeat for several.",
)
@photo_options.masked("part to edit")
@photo_options.quality
@photo_options.first_page
@photo_options.max_pixels
def command(
    task: str,
    image: str,
    masks: tuple[str, ...],
    marks: Marks | None,
    save_mask: str | None,
    preview: str | None,
    output: str,
    option: tuple[str, ...],
    invert_mask: bool,
    label: str | None,
    dilate: int,
    quality: int | None,
    first_page: bool,
    max_pixels: int,
) -> int:
    """Edit one photo by Poisson's equation (Perez et al. 2003): what is wanted are differences between neighbors.

    Outside of the mask the photo stays as it is, but for gray-around and tile.
    """
    from inpaint.pipeline.editing import TASKS as KNOWN
    from inpaint.pipeline.editing import edit_photo, task_of
    from inpaint.registry.texts import for_options

    places.check_apart([image, *masks], [output, save_mask, preview], names="--output, --save-mask and --preview")
    photo_options.check_beside(save_mask, preview)
    places.check_exists(image, *masks)
    chosen = for_options(f"the task {task}", KNOWN[task].options, option)
    masked = bool(masks) or marks is not None
    task_of(task, masked=masked, options=chosen)

    from inpaint.images.hole_files import write_mask, write_preview
    from inpaint.images.reading import read_photo
    from inpaint.images.writing import write_photo
    from inpaint.pipeline.holes import Marks as NoMarks
    from inpaint.pipeline.sources import marked

    with ExitStack() as files:
        suffix = places.suffix_of(image) if places.passes_on(output) else ""
        place = files.enter_context(places.written(output, suffix))
        photo, mask = read_photo(image, max_pixels=max_pixels, first_page=first_page), None
        if masked:
            photo, mask = marked(
                photo,
                list(masks),
                (marks or NoMarks()).at_work(None, "auto"),
                invert=invert_mask,
                label=label,
                dilate_px=dilate,
                max_pixels=max_pixels,
            )
            if save_mask is not None:
                write_mask(mask, save_mask)
            if preview is not None:
                write_preview(photo, mask, preview)
        edited = edit_photo(photo, task, mask, **chosen)
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        write_photo(edited, place, quality=quality)
    click.echo(f"wrote {output}", err=output == places.DASH)
    return 0
