"""`inpaint benchmark style`: an evaluation of style transfer by optimization."""

from __future__ import annotations

from typing import Literal

import click

from inpaint.cli import places
from inpaint.cli.benchmark_networks import json_option, write_json


@click.command("style", short_help="an evaluation of style transfer by optimization")
@click.option("--width", type=click.IntRange(16), default=512, help="Of the content, in pixels.")
@click.option("--height", type=click.IntRange(16), help="Of the content, in pixels.  [default: the width]")
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), default="float32")
@click.option("--against", type=click.Choice(["published", "float32"]), help="Measured in turns with it.")
@click.option("--rounds", type=click.IntRange(0), default=3, help="0: only the memory.")
@click.option("--threads", type=click.IntRange(1), help="Processor threads. Default: torch's own number.")
@click.option("--memory/--no-memory", default=True, help="Measure the peak of memory, too.")
@json_option
def style(
    width: int,
    height: int | None,
    precision: Literal["float32", "bfloat16"],
    against: Literal["published", "float32"] | None,
    rounds: int,
    threads: int | None,
    memory: bool,
    json_path: str | None,
) -> None:
    """Time and peak memory of loss and gradient on the processor, by VGG-19 with random weights, as Markdown.

    Published is the arithmetic of Gatys' own program for PyTorch.
    """
    from dataclasses import asdict

    from inpaint.benchmark.styling import Setting, compare, peak_bytes
    from inpaint.benchmark.tables import measured_table
    from inpaint.benchmark.timing import torch_threads

    setting = Setting(kind=precision, height=height or width, width=width)
    if not rounds:
        with torch_threads(threads):
            click.echo(f"{setting.name}, {setting.width} x {setting.height}: {peak_bytes(setting) / 1e9:.2f} GB")
        return
    settings, found = compare(setting, against, rounds=rounds, threads=threads, memory=memory)
    click.echo(measured_table(found, batch=1), err=json_path == places.DASH)
    written = {name: asdict(each) for name, each in settings.items()}
    write_json(json_path, {"benchmark": "style", "settings": written, **found.figures()})
