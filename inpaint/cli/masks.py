"""`inpaint masks`: draw a sheet of every kind of mask, or write masks as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress

    from inpaint.masks import Mask

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
MEASURED = 100  # masks behind a mean hole ratio
CELL_PX = 96
ROWS_IN_ONE_BLOCK = 14  # longer sheets are set in two blocks side by side


EXAMPLES = """
\b
Examples:
  inpaint masks --output sheet.png
  inpaint masks --folder masks/ --kind lama_thick_256 --count 100
"""


@click.command("masks", epilog=EXAMPLES)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="The sheet: a picture, .png, .jpg or .webp."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write --count masks of one kind as PNG files (white = hole) into this new folder instead of a sheet.",
)
@click.option(
    "--kind",
    "kinds",
    metavar="NAME[,NAME]",
    multiple=True,
    help="Kind or preset, or folder:PATH for your own mask files; may be repeated. Default: all.",
)
@click.option("--size", type=click.IntRange(8, 8192), default=256, show_default=True, help="Height and width, pixels.")
@click.option("--count", type=click.IntRange(1), default=6, show_default=True, help="Masks of each kind.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed, the same masks.")
def command(output: Path | None, folder: Path | None, kinds: tuple[str, ...], size: int, count: int, seed: int) -> None:
    """Show what the kinds of masks look like, with the mean share of the picture that each removes."""
    from inpaint.errors import InpaintError, UsageError
    from inpaint.masks import parse_mask

    chosen = [name.strip() for text in kinds for name in text.split(",")]
    if (output is None) == (folder is None):
        raise UsageError("give either --output SHEET.png or --folder FOLDER")
    if folder is not None:
        if len(chosen) != 1:
            raise UsageError(f"--folder takes exactly one --kind, got {len(chosen)}")
        _write_folder(folder, parse_mask(chosen[0]), size, count, seed)
    else:
        assert output is not None
        if output.suffix.lower() not in FORMATS:
            raise UsageError(f"--output '{output}' must end in {', '.join(FORMATS)}")
        if not output.parent.is_dir():
            raise InpaintError(f"cannot write '{output}': '{output.parent}' is not a folder")
        _write_sheet(output, {name: parse_mask(name) for name in chosen} or _all_kinds(), size, count, seed)


def _all_kinds() -> dict[str, Mask]:
    """Return every kind and preset, with an example of those that are made of others."""
    from inpaint.masks import names, parse_mask

    masks = {name: parse_mask(name) for name in names()}
    masks["target: deepfill, 40 %"] = parse_mask({"kind": "target", "mask": "deepfill", "ratio": 0.4})
    masks["union: pconv, text"] = parse_mask({"kind": "union", "of": ["pconv", "text"]})
    masks["mixture: brush, box"] = parse_mask(["brush", "box"])
    return masks


def _write_sheet(output: Path, masks: dict[str, Mask], size: int, count: int, seed: int) -> None:
    import numpy as np
    from PIL import Image

    from inpaint.images.sheets import contact_sheet
    from inpaint.masks import hole_ratio
    from inpaint.system.files import atomic_write

    rows, labels = [], []
    with _progress() as progress:
        for name, mask in progress.track(masks.items(), description="drawing masks"):
            # Mask n depends on (seed, n) only, so the sheet shows the first masks that --folder writes.
            drawn = [mask.draw(np.random.default_rng((seed, n)), size, size) for n in range(max(count, MEASURED))]
            mean = float(np.mean([hole_ratio(one) for one in drawn]))
            rows.append([np.repeat(one[..., None] * np.uint8(255), 3, axis=-1) for one in drawn[:count]])
            labels.append(f"{name}\n{100 * mean:.1f} %")
    measured = max(count, MEASURED)
    titles = [f"Masks at {size} x {size}, seed {seed}", f"white: hole; %: its mean share of {measured} masks"]
    if len(rows) > ROWS_IN_ONE_BLOCK:
        half = (len(rows) + 1) // 2
        blocks = [
            contact_sheet(rows[part], labels=labels[part], title=title, cell=CELL_PX)
            for part, title in zip((slice(half), slice(half, None)), titles, strict=True)
        ]
        height = max(block.shape[0] for block in blocks)
        pads = [((0, height - block.shape[0]), (0, 0), (0, 0)) for block in blocks]
        padded = [np.pad(block, pad, constant_values=255) for block, pad in zip(blocks, pads, strict=True)]
        sheet = np.concatenate(padded, axis=1)
    else:
        sheet = contact_sheet(rows, labels=labels, title="\n".join(titles), cell=CELL_PX)
    with atomic_write(output) as temporary:
        Image.fromarray(sheet).save(temporary, format=FORMATS[output.suffix.lower()])
    click.echo(f"{len(rows)} kinds, {count} masks each: {output}")


def _progress() -> Progress:
    """Return a bar for terminals; what goes into a file gets not even its empty line."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def _write_folder(folder: Path, mask: Mask, size: int, count: int, seed: int) -> None:
    import numpy as np
    from PIL import Image

    from inpaint.errors import InpaintError
    from inpaint.system.files import atomic_write

    if folder.is_dir() and any(folder.iterdir()):
        raise InpaintError(f"folder '{folder}' is not empty: name a new one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InpaintError(f"cannot make folder '{folder}': {error.strerror or error}") from error
    with _progress() as progress:
        for n in progress.track(range(count), description="writing masks"):
            drawn = mask.draw(np.random.default_rng((seed, n)), size, size)
            with atomic_write(folder / f"{n:06}.png") as temporary:
                Image.fromarray(drawn * np.uint8(255)).save(temporary, format="PNG")
    click.echo(f"{count} mask{'s' if count > 1 else ''}: {folder}")
