"""`inpaint masks`: draw a sheet of every kind of mask, or write masks as files."""

from __future__ import annotations

from pathlib import Path

import click

from inpaint.cli import places
from inpaint.errors import InpaintError, UsageError
from inpaint.system.progress import bar

EXAMPLES = """
\b
Examples:
  inpaint masks --output sheet.png
  inpaint masks --folder masks/ --kind lama_thick_256 --count 100
"""


@click.command("masks", epilog=EXAMPLES)
@click.option(
    "--output", type=places.IMAGE, help="The sheet: an image, .png, .jpg, .webp ... -: standard output, as PNG."
)
@click.option(
    "--folder",
    type=places.FOLDER,
    help="Write --count masks of one kind as PNG files (white = hole) into this new folder instead of a sheet.",
)
@click.option(
    "--kind",
    "kinds",
    metavar="NAME[,NAME]",
    multiple=True,
    help="Kind or preset, or folder:PATH for your own mask files; may be repeated. Default: all.",
)
@click.option("--size", type=click.IntRange(8, 8192), default=256, help="Height and width, pixels.")
@click.option("--count", type=click.IntRange(1), default=6, help="Masks of each kind.")
@click.option("--seed", type=click.IntRange(0), default=0, help="The same seed, the same masks.")
def command(output: str | None, folder: str | None, kinds: tuple[str, ...], size: int, count: int, seed: int) -> None:
    """Show what the kinds of masks look like, with the mean share of the image that each removes."""
    from inpaint.images.formats import format_of_name
    from inpaint.images.photo import photo_of_array
    from inpaint.images.writing import write_photo
    from inpaint.masks import parse_mask, split_specs
    from inpaint.masks.sheet import all_masks, check_sheet, mask_sheet, write_masks

    chosen = [name for text in kinds for name in split_specs(text)]
    if (output is None) == (folder is None):
        raise UsageError("give either --output SHEET.png or --folder FOLDER")
    if folder is not None:
        if len(chosen) != 1:
            raise UsageError(f"--folder takes exactly one --kind, got {len(chosen)}")
        mask = parse_mask(chosen[0])
        with bar("masks", count) as drawing:
            write_masks(Path(folder), mask, size=size, count=count, seed=seed, progress=drawing)
        click.echo(f"{count} mask{'s' if count > 1 else ''}: {folder}")
    elif output is not None:
        masks = {name: parse_mask(name) for name in chosen} or all_masks()
        if not Path(output).parent.is_dir():
            raise InpaintError(f"cannot write '{output}': '{Path(output).parent}' is not a folder")
        with places.written(output, ".png") as target:
            check_sheet(list(masks), format_of_name(target), size=size, count=count, seed=seed)
            with bar("kinds", len(masks)) as drawing:
                sheet = mask_sheet(masks, size=size, count=count, seed=seed, progress=drawing)
            write_photo(photo_of_array(sheet), target)
        if output != places.DASH:
            click.echo(f"{len(masks)} kinds, {count} masks each: {output}")
