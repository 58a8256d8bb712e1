"""`inpaint benchmark features`: time and memory of a VGG's gradients."""

from __future__ import annotations

from typing import Literal

import click


@click.command("features", short_help="gradients of a VGG on large images: whole, checkpointed, in strips")
@click.option("--network", type=click.Choice(["vgg16", "vgg19"]), default="vgg19")
@click.option("--width", type=click.IntRange(16), default=512, help="Of the image, in pixels.")
@click.option("--height", type=click.IntRange(16), default=512, help="Of the image, in pixels.")
@click.option("--ways", default="whole,checkpointed,strips", metavar="NAME[,NAME]", help="What is measured.")
@click.option("--threads", type=click.IntRange(1), help="Processor threads. Default: all cores.")
@click.option("--rounds", type=click.IntRange(0), default=3, help="0: only the memory.")
def features(
    network: Literal["vgg16", "vgg19"], width: int, height: int, ways: str, threads: int | None, rounds: int
) -> None:
    """Seconds and peak memory of the gradient of a style loss at five layers, with random weights, as Markdown."""
    from inpaint.benchmark.features import Setting, compare, known_ways
    from inpaint.benchmark.timing import torch_threads
    from inpaint.system.environment import cores

    chosen = known_ways(ways)
    with torch_threads(threads or cores()) as used:
        setting = Setting(network=network, height=height, width=width, rounds=rounds, threads=used)
        found = list(compare(chosen, setting))
    click.echo(f"| {network}, {width} x {height}, {used} threads | s | peak GB |\n|---|---|---|")
    for each in found:
        seconds = "" if each.timing is None else f"{each.timing.median_ms / 1000:.2f}"
        click.echo(f"| {each.way} | {seconds} | {each.peak_bytes / 1e9:.1f} |")
