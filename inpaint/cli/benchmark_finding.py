"""`inpaint benchmark finding`: how well `--find` finds, and how good the fill of that is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from inpaint.cli import places
from inpaint.cli.benchmark_networks import json_option, write_json
from inpaint.errors import UsageError, unknown
from inpaint.finding.table import SENSITIVITY, checked_sensitivity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inpaint.benchmark.finding import Finding

CELL_PX, PER_ROW = 240, 2
"""Of a sheet: side of an image, and photos in a row."""
SHARES = ("precision", "near", "recall", "alarm")
LEVELS = ("damaged", "true", "found")


@click.command("finding", short_help="precision and recall of --find on photos that are damaged first")
@click.option("--data", default="samples", metavar="PLACE", help="Photos: a folder, or samples.")
@click.option(
    "--what",
    default="text,scratches,dust",
    metavar="NAME[,NAME]",
    help="What is drawn, and looked for: text, scratches, dust, date, watermark, object.",
)
@click.option("--count", type=click.IntRange(1), default=20, help="Photos at most, spread over all of them.")
@click.option("--sensitivity", default=f"{SENSITIVITY:g}", metavar="S[,S]", help="One or several, 0 to 1.")
@click.option("--fill", metavar="MODEL", help="Fill what was found, and what was drawn, and compare their PSNR.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, help="Of the damage.")
@click.option("--sheet", metavar="FILE", type=places.IMAGE, help="Write what was drawn, found (red), missed (green).")
@json_option
def finding(
    data: str,
    what: str,
    count: int,
    sensitivity: str,
    fill: str | None,
    seed: int,
    sheet: str | None,
    json_path: str | None,
) -> None:
    """Shares of pixels, the mean over the photos; near: within 3 pixels of damage; alarm: without damage.

    With --fill also PSNR in dB against the photo without damage, of the damaged photo and of its fills by the true and
    the found hole, over the damaged pixels and over the whole photo.
    """
    import numpy as np

    from inpaint.benchmark.damages import DAMAGES
    from inpaint.benchmark.finding import means, measured
    from inpaint.data.opening import open_source
    from inpaint.images.photo import photo_of_array
    from inpaint.registry.loading import load

    names = [name.strip() for name in what.split(",")]
    for name in names:
        if name not in DAMAGES:
            raise UsageError(unknown("damage", name, DAMAGES))
    levels = _levels(sensitivity)
    inpainter = None if fill is None else load(fill)
    source = open_source(data, min_px=64)
    chosen = sorted({int(index) for index in np.linspace(0, len(source) - 1, min(count, len(source)))})
    say = partial(click.echo, err=json_path == places.DASH)
    say(f"{data}, {len(chosen)} photos, seed {seed}{f', filled by {fill}' if fill else ''}\n")
    say(_head(filled=fill is not None))
    figures: list[dict[str, Any]] = []
    shown: list[Mapping[str, Any]] = []
    for name in names:
        for level in levels:
            photos = ((source.name(index), photo_of_array(source.read(index))) for index in chosen)
            found = list(measured(name, photos, sensitivity=level, seed=seed, inpainter=inpainter))
            mean = means([each.score for each in found])
            fills = [each.fill for each in found if each.fill is not None]
            if fills:
                mean |= means(fills)
            say(_row(f"{name}, {level:g}", mean))
            figures.append({"what": name, "sensitivity": level, "mean": mean, "photos": _plain(found)})
            shown += [each.shown for each in found]
    if sheet is not None:
        _write_sheet(shown, sheet)
    write_json(json_path, {"benchmark": "finding", "data": data, "seed": seed, "fill": fill, "rows": figures})


def _head(*, filled: bool) -> str:
    columns = [*SHARES, *(f"{part}, {level}" for part in ("hole", "whole") for level in LEVELS if filled)]
    return f"| what, sensitivity | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}"


def _row(label: str, mean: Mapping[str, float | None]) -> str:
    """Return a line of Markdown: shares with three decimals, then dB with two."""
    shares, levels = list(mean.values())[: len(SHARES)], list(mean.values())[len(SHARES) :]
    cells = ["" if share is None else f"{share:.3f}" for share in shares]
    return f"| {' | '.join([label, *cells, *(f'{level:.2f}' for level in levels)])} |"


def _plain(found: Sequence[Finding]) -> dict[str, Any]:
    from dataclasses import asdict

    return {each.name: {**asdict(each.score), **({} if each.fill is None else asdict(each.fill))} for each in found}


def _write_sheet(shown: Sequence[Mapping[str, Any]], place: str) -> None:
    """Write the images of all photos, some photos in a row."""
    from inpaint.images.photo import photo_of_array
    from inpaint.images.sheets import contact_sheet
    from inpaint.images.writing import write_photo

    rows = [
        [image for images in shown[start : start + PER_ROW] for image in images.values()]
        for start in range(0, len(shown), PER_ROW)
    ]
    headings = [*shown[0]] * min(PER_ROW, len(shown))
    write_photo(photo_of_array(contact_sheet(rows, columns=headings, cell=CELL_PX)), place)


def _levels(given: str) -> list[float]:
    try:
        return [checked_sensitivity(float(text)) for text in given.split(",")]
    except ValueError:
        raise UsageError(f"--sensitivity takes numbers from 0 to 1, got '{given}'") from None
