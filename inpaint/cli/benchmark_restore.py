"""`inpaint benchmark restore`: Deep Image Prior's arithmetic here against the published one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from inpaint.cli.reporting import write_figures


@click.command("restore", short_help="one iteration of Deep Image Prior, against the published arithmetic")
@click.option("--preset", "presets", metavar="NAME[,NAME]", help="Only these presets. Default: all.")
@click.option("--size", type=click.IntRange(16, 4096), default=256, show_default=True, help="Side in pixels.")
@click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, cuda:1 or auto.")
@click.option("--threads", type=click.IntRange(1), help="Processor threads. Default: torch's own choice.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--quality", is_flag=True, help="Compare hole PSNR instead of time: one photograph per seed, both ways.")
@click.option("--data", default="samples", show_default=True, metavar="PLACE", help="Photographs for --quality.")
@click.option("--masks", "mask", default="text", show_default=True, metavar="KIND", help="Holes for --quality.")
@click.option("--iterations", type=click.IntRange(1), default=300, show_default=True, help="For --quality.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="For --quality.")
@click.option("--width", type=click.IntRange(4, 512), help="Channels at most, for --quality. Default: the preset's.")
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures here.")
def restore(
    presets: str | None,
    size: int,
    device: str,
    threads: int | None,
    rounds: int,
    quality: bool,
    data: str,
    mask: str,
    iterations: int,
    seeds: int,
    width: int | None,
    json_path: Path | None,
) -> None:
    """Milliseconds of one iteration of every preset, here and in the published arithmetic, in turns."""
    import torch

    from inpaint.benchmark.restoring import compare_quality, compare_speed, speed_table
    from inpaint.dip.presets import PRESETS, preset
    from inpaint.system.devices import resolve_device
    from inpaint.system.environment import cpu_name

    names = list(PRESETS) if presets is None else [name.strip() for name in presets.split(",")]
    for name in names:
        preset(name)
    where, before = resolve_device(device), torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        place = f"{cpu_name()}, {torch.get_num_threads()} threads" if where.type == "cpu" else str(where)
        if not quality:
            found = {name: compare_speed(name, size=size, rounds=rounds, device=where) for name in names}
            click.echo(f"{size} x {size} px, {place}, one iteration\n\n{speed_table(found)}")
            figures: dict[str, object] = {name: asdict(each) for name, each in found.items()}
        else:
            figures = {}
            click.echo(f"{data}, {mask}, {size} x {size} px, {iterations} iterations, {seeds} seeds: hole PSNR (dB)\n")
            click.echo("| preset | this | published | difference |\n|---|---:|---:|---:|")
            for name in names:
                each = compare_quality(
                    name,
                    data=data,
                    mask=mask,
                    size=size,
                    iterations=iterations,
                    seeds=seeds,
                    width=width,
                    device=where,
                )
                means = (sum(values) / len(values) for values in (each.fast, each.published))
                click.echo(f"| `{name}` | {' | '.join(f'{m:.2f}' for m in means)} | {each.difference:+.2f} |")
                figures[name] = asdict(each)
    finally:
        torch.set_num_threads(before)
    write_figures(json_path, {"size": size, "quality": quality, "presets": figures})
