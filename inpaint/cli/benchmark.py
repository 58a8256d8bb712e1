"""`inpaint benchmark`: how fast the parts are on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inpaint.cli.benchmark_networks import forward, step
from inpaint.cli.benchmark_restore import restore
from inpaint.cli.benchmark_table import table
from inpaint.cli.reporting import write_figures

if TYPE_CHECKING:
    from inpaint.benchmark.rates import Rate


EXAMPLES = """
\b
Examples:
  inpaint benchmark forward --model pconv --size 512 --threads 2 --against reference --json pconv.json
  inpaint benchmark step --size 128 --batch 2 --channels-last --against precision=bf16-mixed --profile
  inpaint benchmark restore --preset vase,library
  inpaint benchmark data --data photos/ --size 256
  inpaint benchmark masks --kind deepfill,text
  inpaint benchmark table *.json
"""


@click.group(
    "benchmark", epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
def command() -> None:
    """Measure speed on this machine, everything in turns within one run."""


for part in (forward, step, table, restore):
    command.add_command(part)


@command.command("masks", short_help="masks per second on one core, for every kind")
@click.option(
    "--size", type=click.IntRange(8, 8192), help="Side in pixels; default: what a preset is made for, or 256."
)
@click.option("--kind", "kinds", metavar="NAME[,NAME]", help="Only these kinds. Default: all.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures here.")
def masks(size: int | None, kinds: str | None, rounds: int, json_path: Path | None) -> None:
    """Masks per second on one core, for every kind."""
    from inpaint.benchmark.rates import mask_sides, mask_tasks, rates_in_turns
    from inpaint.errors import ConfigError, unknown

    sides = mask_sides(size)
    if kinds is not None:
        chosen = [name.strip() for name in kinds.split(",")]
        for name in chosen:
            if name not in sides:
                raise ConfigError(unknown("mask", name, sides))
        sides = {name: sides[name] for name in chosen}
    rates = rates_in_turns(mask_tasks(sides), rounds=rounds)
    _report("masks", rates, {name: f"{side} px" for name, side in sides.items()}, unit="masks/s", json_path=json_path)


@command.command("data", short_help="training samples per second on one core")
@click.option("--data", required=True, metavar="PLACE", help="Folder, list file, tar shards, or `samples`.")
@click.option("--size", type=click.IntRange(8, 8192), default=256, show_default=True, help="Side of the crop, pixels.")
@click.option("--masks", default="deepfill", show_default=True, metavar="KIND[,KIND]", help="Measured in turns.")
@click.option("--crop", type=click.Choice(["random", "resize"]), default="random", show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures here.")
def data(data: str, size: int, masks: str, crop: str, rounds: int, json_path: Path | None) -> None:
    """Training samples per second on one core: decode, crop, flip, mask."""
    from inpaint.benchmark.rates import data_task, rates_in_turns
    from inpaint.data.config import DataConfig
    from inpaint.options import validated

    kinds = [name.strip() for name in masks.split(",")]
    plain = {"root": data, "size": size, "crop": crop}
    tasks = {kind: data_task(validated(DataConfig, {**plain, "masks": kind}, key="data")) for kind in kinds}
    rates = rates_in_turns(tasks, rounds=rounds, round_s=2.0)
    _report("data", rates, dict.fromkeys(kinds, f"{size} px"), unit="samples/s", json_path=json_path)


def _report(
    kind: str, rates: Mapping[str, Rate], notes: Mapping[str, str], *, unit: str, json_path: Path | None
) -> None:
    """Print a Markdown table and, if asked for, write JSON with the hardware."""
    from dataclasses import asdict

    from inpaint.system.environment import cpu_name

    click.echo(f"{cpu_name()}, one core\n")
    click.echo(f"| | size | {unit} (median) | lowest | highest |\n|---|---|---|---|---|")
    for name, rate in rates.items():
        click.echo(f"| {name} | {notes[name]} | {rate.median:,.0f} | {rate.lowest:,.0f} | {rate.highest:,.0f} |")
    measured = {name: {"size": notes[name], **asdict(rate)} for name, rate in rates.items()}
    write_figures(json_path, {"benchmark": kind, "unit": unit, "rates": measured})
