"""`inpaint benchmark`: how fast the parts are on this machine."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from inpaint.evaluation.speed import Rate


@click.group("benchmark", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Measure speed on this machine, everything in turns within one run.

    Examples: inpaint benchmark masks; inpaint benchmark data --data photos/ --size 256;
    inpaint benchmark forward --size 512 --threads 2 --against reference
    """


@command.command("masks")
@click.option(
    "--size", type=click.IntRange(8, 8192), help="Side in pixels; default: what a preset is made for, or 256."
)
@click.option("--kind", "kinds", metavar="NAME[,NAME]", help="Only these kinds. Default: all.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures here.")
def masks(size: int | None, kinds: str | None, rounds: int, json_path: Path | None) -> None:
    """Masks per second on one core, for every kind."""
    from inpaint.errors import ConfigError, unknown
    from inpaint.evaluation.speed import mask_sides, mask_tasks, rates_in_turns

    sides = mask_sides(size)
    if kinds is not None:
        chosen = [name.strip() for name in kinds.split(",")]
        for name in chosen:
            if name not in sides:
                raise ConfigError(unknown("mask", name, sides))
        sides = {name: sides[name] for name in chosen}
    rates = rates_in_turns(mask_tasks(sides), rounds=rounds)
    _report(rates, {name: f"{side} px" for name, side in sides.items()}, unit="masks/s", json_path=json_path)


@command.command("data")
@click.option("--data", required=True, metavar="PLACE", help="Folder, list file, tar shards, or `samples`.")
@click.option("--size", type=click.IntRange(8, 8192), default=256, show_default=True, help="Side of the crop, pixels.")
@click.option("--masks", default="deepfill", show_default=True, metavar="KIND[,KIND]", help="Measured in turns.")
@click.option("--crop", type=click.Choice(["random", "resize"]), default="random", show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures here.")
def data(data: str, size: int, masks: str, crop: str, rounds: int, json_path: Path | None) -> None:
    """Training samples per second on one core: decode, crop, flip, mask."""
    from inpaint.data.config import DataConfig
    from inpaint.evaluation.speed import data_task, rates_in_turns
    from inpaint.options import validated

    kinds = [name.strip() for name in masks.split(",")]
    plain = {"root": data, "size": size, "crop": crop}
    tasks = {kind: data_task(validated(DataConfig, {**plain, "masks": kind}, key="data")) for kind in kinds}
    rates = rates_in_turns(tasks, rounds=rounds, round_s=2.0)
    _report(rates, dict.fromkeys(kinds, f"{size} px"), unit="samples/s", json_path=json_path)


@command.command("forward")
@click.option("--model", default="deepfill", show_default=True, metavar="NAME")
@click.option("--size", type=click.IntRange(8, 8192), default=256, show_default=True, help="Side in pixels.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True)
@click.option("--dtype", type=click.Choice(["float32", "bfloat16", "float64"]), default="float32", show_default=True)
@click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, cuda:1, mps or auto.")
@click.option("--threads", type=click.IntRange(1), help="Processor threads. Default: torch's own choice.")
@click.option(
    "--against",
    type=click.Choice(["reference", "float32", "bfloat16", "float64"]),
    help="Measured in turns with it: the papers' plain arithmetic in the same dtype, or another dtype.",
)
@click.option("--memory/--no-memory", default=True, show_default=True, help="Measure the peak memory of each, too.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures here.")
def forward(
    model: str,
    size: int,
    batch: int,
    dtype: str,
    device: str,
    threads: int | None,
    against: str | None,
    memory: bool,
    rounds: int,
    json_path: Path | None,
) -> None:
    """Milliseconds of one pass through a network with random weights, and its peak memory."""
    from dataclasses import asdict, replace

    import torch

    from inpaint.errors import UsageError
    from inpaint.evaluation.forward import Setting, forward_task, load_average, peak_bytes, times_in_turns

    own = Setting(model=model, size=size, batch=batch, dtype=dtype, device=device, threads=threads)
    settings = {f"network, {dtype}": own}
    if against == "reference":
        settings[f"reference, {dtype}"] = replace(own, kind="reference")
    elif against == dtype:
        raise UsageError(f"--against {against} is what is measured already; give another dtype or `reference`")
    elif against is not None:
        settings[f"network, {against}"] = replace(own, dtype=against)
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        tasks = {name: forward_task(setting) for name, setting in settings.items()}
        load = load_average()
        timings, ratios = times_in_turns(tasks, rounds=rounds)
        used = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
    peaks = {name: peak_bytes(setting) if memory else None for name, setting in settings.items()}
    title = f"{model}, {size} x {size} px, batch {batch}, {device}, threads {used}, load {load}"
    head = "| | ms (median) | lowest | highest | processor ms | peak MB |\n|---|---|---|---|---|---|"
    click.echo(f"{title}\n\n{head}")
    for name, found in timings.items():
        peak = peaks[name]
        shown = "" if peak is None else f"{peak / 1e6:,.0f}"
        times = (found.median_ms, found.lowest_ms, found.highest_ms, found.user_ms)
        click.echo(f"| {name} | {' | '.join(f'{value:,.1f}' for value in times)} | {shown} |")
    content: dict[str, object] = {
        "settings": {name: asdict(setting) for name, setting in settings.items()},
        "timings": {name: asdict(found) for name, found in timings.items()},
        "peak_bytes": peaks,
        "load_before": load,
        "torch_threads": used,
    }
    if ratios:
        lowest = [found.lowest_ms for found in timings.values()]
        content["ratio"] = {"median": statistics.median(ratios), "of_lowest": lowest[1] / lowest[0]}
        click.echo(f"\ntimes as fast: {statistics.median(ratios):.2f} (median of the rounds), ", nl=False)
        click.echo(f"{lowest[1] / lowest[0]:.2f} (lowest to lowest)")
    _write(json_path, content)


def _report(rates: Mapping[str, Rate], notes: Mapping[str, str], *, unit: str, json_path: Path | None) -> None:
    """Print a Markdown table and, if asked for, write JSON with the hardware."""
    from dataclasses import asdict

    from inpaint.environment import cpu_name

    click.echo(f"{cpu_name()}, one core\n")
    click.echo(f"| | size | {unit} (median) | lowest | highest |\n|---|---|---|---|---|")
    for name, rate in rates.items():
        click.echo(f"| {name} | {notes[name]} | {rate.median:,.0f} | {rate.lowest:,.0f} | {rate.highest:,.0f} |")
    measured = {name: {"size": notes[name], **asdict(rate)} for name, rate in rates.items()}
    _write(json_path, {"unit": unit, "rates": measured})


def _write(json_path: Path | None, content: Mapping[str, object]) -> None:
    """Write figures as JSON, if asked for, with what they depend on: hardware, versions, commit."""
    import json

    from inpaint.environment import hardware, versions
    from inpaint.evaluation.speed import commit
    from inpaint.files import atomic_write

    if json_path is None:
        return
    about = {"hardware": hardware(), "versions": versions(), "commit": commit()}
    with atomic_write(json_path) as temporary:
        temporary.write_text(json.dumps({**content, **about}, indent=2) + "\n")
