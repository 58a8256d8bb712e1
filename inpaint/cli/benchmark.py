"""`inpaint benchmark`: how fast the parts are on this machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import inpaint.arguments as arguments
from inpaint.cli import places
from inpaint.cli.benchmark_blending import blend
from inpaint.cli.benchmark_features import features
from inpaint.cli.benchmark_finding import finding
from inpaint.cli.benchmark_networks import forward, json_option, step, threads, write_json
from inpaint.cli.benchmark_styling import style

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inpaint.benchmark.timing import Work

MARKER = "speed"
EXAMPLES = """
\b
Examples:
  inpaint benchmark forward --model pconv --size 512 --threads 2 --against reference --json pconv.json
  inpaint benchmark step --size 128 --batch 2 --channels-last --against precision=bf16-mixed --profile
  inpaint benchmark threads --model deepfill --threads 1,2 --against port
  inpaint benchmark restore --preset vase,library
  inpaint benchmark strategies --model telea --model deepfill --width 16 --memory 3GB
  inpaint benchmark data --data photos/ --size 256
  inpaint benchmark finding --data photos/ --what text,dust --fill biharmonic --sheet found.png
  inpaint benchmark features --network vgg19 --width 1000 --height 1000 --ways whole,strips
  inpaint benchmark style --width 512 --threads 2 --against published
  inpaint benchmark masks --kind deepfill,text
  inpaint benchmark poisson --megapixels 0.3,1 --rounds 3
  inpaint benchmark table *.json
"""


@click.group("benchmark", epilog=EXAMPLES)
def command() -> None:
    """Measure speed on this machine, everything in turns within one run."""


command.add_command(forward)
command.add_command(step)
command.add_command(threads)
command.add_command(finding)
command.add_command(blend)
command.add_command(features)
command.add_command(style)
rounds_option = click.option("--rounds", type=click.IntRange(1), default=5)


@command.command("table", short_help="Markdown tables of the JSON that the others wrote")
@click.argument("files", nargs=-1, required=True, type=places.SOURCE)
@click.option(
    "--into",
    type=places.FILE,
    metavar="FILE",
    help=f"Put the tables between <!-- {MARKER} --> and <!-- end of {MARKER} --> of this file instead.",
)
def table(files: tuple[str, ...], into: str | None) -> None:
    """Markdown tables of the JSON files that the other commands wrote."""
    from inpaint.benchmark.tables import read_figures, replaced, tables
    from inpaint.system.files import write_text

    page = None if into in (None, places.DASH) else places.read_text(into)
    text = tables([read_figures(Path(path)) for path in files])
    if into is None or page is None:
        click.echo(text, nl=False)
    else:
        write_text(into, replaced(page, MARKER, text))


@command.command("restore", short_help="one iteration of Deep Image Prior, against the published arithmetic")
@click.option("--preset", "presets", metavar="NAME[,NAME]", help="Only these presets. Default: all.")
@click.option("--size", type=click.IntRange(16, 4096), default=256, help="Side in pixels.")
@click.option("--device", default="cpu", metavar="NAME", type=places.DEVICE, help="cpu, cuda, cuda:1 or auto.")
@click.option("--threads", type=click.IntRange(1), help="Processor threads. Default: torch's own choice.")
@rounds_option
@click.option("--quality", is_flag=True, help="Compare hole PSNR instead of time: one photo per seed, both ways.")
@click.option("--data", default="samples", metavar="PLACE", help="Photos for --quality.")
@click.option("--masks", "mask", default="text", metavar="KIND", help="Holes for --quality.")
@click.option("--iterations", type=click.IntRange(1), default=300, help="For --quality.")
@click.option("--seeds", type=click.IntRange(1), default=3, help="For --quality.")
@click.option("--width", type=click.IntRange(4, 512), help="Channels at most, for --quality. Default: the preset's.")
@json_option
def restore(
    presets: str | None,
    size: int,
    device: str,
    threads: int | None,
    rounds: int,
    quality: bool,
    json_path: str | None,
    **compared: Any,
) -> None:
    """Milliseconds of one iteration of every preset, here and in the published arithmetic, in turns."""
    from dataclasses import asdict

    from inpaint.dip.presets import PRESETS, preset

    names = list(PRESETS) if presets is None else _listed(presets)
    for name in names:
        preset(name)

    from inpaint.benchmark.restoring import compare_quality, compare_speed, speed_table  # only now: torch takes seconds
    from inpaint.benchmark.timing import torch_threads
    from inpaint.system.devices import resolve_device
    from inpaint.system.environment import cpu_name

    say = partial(click.echo, err=json_path == places.DASH)
    where = resolve_device(device)
    with torch_threads(threads) as used:
        place = f"{cpu_name()}, {used} threads" if where.type == "cpu" else str(where)
        if not quality:
            found = {name: compare_speed(name, size=size, rounds=rounds, device=where) for name in names}
            say(f"{size} x {size} px, {place}, one iteration\n\n{speed_table(found)}")
            figures: dict[str, object] = {name: asdict(each) for name, each in found.items()}
        else:
            figures = {}
            say(
                f"{compared['data']}, {compared['mask']}, {size} x {size} px, {compared['iterations']} iterations, "
                f"{compared['seeds']} seeds: hole PSNR (dB)\n"
            )
            say("| preset | this | published | difference |\n|---|---:|---:|---:|")
            for name in names:
                each = compare_quality(name, size=size, device=where, **compared)
                means = (sum(values) / len(values) for values in (each.fast, each.published))
                say(f"| `{name}` | {' | '.join(f'{m:.2f}' for m in means)} | {each.difference:+.2f} |")
                figures[name] = asdict(each)
    about = {"device": str(where), "torch_threads": used, "size": size, "quality": quality}
    write_json(json_path, {"benchmark": "restore", **about, "presets": figures})


@command.command("poisson", short_help="Poisson blending, against OpenCV and SciPy")
@click.option("--megapixels", default="0.3,1,4,16", metavar="N[,N]", help="Sizes of the images.")
@click.option("--share", type=click.FloatRange(0.01, 0.95), default=0.5, help="Of the frame, what is blended.")
@click.option("--threads", type=click.IntRange(1), help="Processor threads. Default: all cores.")
@click.option("--direct", default=0.3, metavar="MP", help="SciPy's direct solve up to this size; it grows steeply.")
@click.option("--limit", default=600.0, metavar="S", help="Stop SciPy's conjugate gradients after so many seconds.")
@click.option("--memory/--no-memory", default=True, help="Measure the peak memory, too.")
@click.option("--error/--no-error", default=True, help="Measure the error against a tight solve in float64, too.")
@rounds_option
@json_option
def poisson(megapixels: str, threads: int | None, rounds: int, json_path: str | None, **compared: Any) -> None:
    """Seconds of blending two images: `inpaint.classical.poisson`, cv2.seamlessClone and SciPy, in turns."""
    from dataclasses import asdict

    from inpaint.benchmark.poisson import Comparison, compare
    from inpaint.benchmark.tables import tables
    from inpaint.system.environment import cores, cpu_name, load_average

    sizes = [arguments.number("--megapixels", _number(text), least=0.001) for text in _listed(megapixels)]
    used, load = threads or cores(), load_average()
    setting = Comparison(rounds=rounds, threads=used, **compared)
    found = [asdict(each) for each in compare(sizes, setting)]
    figures = {"benchmark": "poisson", "share": setting.share, "torch_threads": used, "load_before": load}
    figures["sizes"] = found
    about = {"cpu": cpu_name(), "accelerators": []}
    click.echo(tables([{**figures, "hardware": about}]), nl=False, err=json_path == places.DASH)
    write_json(json_path, figures)


@command.command("strategies", short_help="strategies and seams: cost on a large photo, quality on small ones")
@click.option("--model", "models", multiple=True, required=True, help="Name, run or weights file; repeat for several.")
@click.option("--width", type=click.IntRange(4), help="Of networks with initial weights, for names of models.")
@click.option("--strategy", "strategies", default="auto,resize,crop,tile,original", metavar="NAME[,NAME]")
@click.option("--megapixels", default=24.0, metavar="MP", help="Of the photo, 3 : 2, with ten holes.")
@click.option(
    "--largest", type=click.IntRange(30), default=900, help="Largest of the holes, pixels; the smallest has 30."
)
@click.option("--memory", metavar="SIZE", help="What filling may take, as 3GB.")
@click.option("--quality", is_flag=True, help="Compare hole PSNR and seam on photos instead of time and memory.")
@click.option("--data", default="samples", metavar="PLACE", help="Photos for --quality.")
@click.option("--masks", "mask", default="center", metavar="KIND", help="Holes for --quality.")
@click.option("--size", default="128,256", metavar="N[,N]", help="Sides of the photos for --quality.")
@click.option("--count", type=click.IntRange(1), default=100, help="Photos for --quality.")
@click.option("--limits", default="", metavar="N[,N]", help="Limits of `resize` for --quality.")
@click.option(
    "--seam", "seams", default="auto,feather,color,poisson,multiband", metavar="NAME[,NAME]", help="For --quality."
)
@json_option
def strategies(**given: Any) -> None:
    """Seconds of processor time and peak memory of every strategy on a large photo with ten holes.

    With --quality: hole PSNR and seam on photos of other sizes than the network was trained on, for each strategy
    (`refine` is one here, too), and for each seam with the first two of them.
    """
    from dataclasses import asdict

    from inpaint.benchmark import strategies as measuring

    names = _listed(given["strategies"])
    say = partial(click.echo, err=given["json_path"] == places.DASH)
    figures: dict[str, Any] = {}
    if given["quality"]:
        limits = [int(_number(text)) for text in _listed(given["limits"])] if given["limits"] else []
        ways = measuring.ways_of(names, _listed(given["seams"]) if given["seams"] else [], limits)
        for model in given["models"]:
            fill = measuring.inpainter_of(model, given["width"])
            for text in _listed(given["size"]):
                asked = {name: given[name] for name in ("data", "mask", "count")}
                found = measuring.qualities(fill, ways, size=int(_number(text)), **asked)
                head = f"{model}, {given['mask']}, {text} px, {len(found[0].psnr)} photos"
                say(f"{head}\n\n{measuring.quality_table(found)}\n")
                figures[f"{model} {text}"] = [asdict(each) for each in found]
    else:
        height = round((given["megapixels"] * 1e6 / 1.5) ** 0.5)
        memory = {} if given["memory"] is None else {"memory": given["memory"]}
        setting = {"width": given["width"], "height_px": height, "width_px": height * 3 // 2}
        setting["largest_px"] = given["largest"]
        costs = {
            (model, name): measuring.cost({**setting, "model": model, "options": {"strategy": name, **memory}})
            for model in given["models"]
            for name in names
        }
        say(measuring.cost_table(costs))
        figures = {f"{model} {name}": asdict(each) for (model, name), each in costs.items()}
    write_json(given["json_path"], {"benchmark": "strategies", "figures": figures})


@command.command("masks", short_help="masks per second on one core, for every kind")
@click.option(
    "--size", type=click.IntRange(8, 8192), help="Side in pixels; default: what a preset is made for, or 256."
)
@click.option("--kind", "kinds", metavar="NAME[,NAME]", help="Only these kinds. Default: all.")
@rounds_option
@json_option
def masks(size: int | None, kinds: str | None, rounds: int, json_path: str | None) -> None:
    """Masks per second on one core, for every kind."""
    from inpaint.benchmark.rates import mask_sides, mask_tasks

    sides = mask_sides(size, None if kinds is None else _listed(kinds))
    sizes = {name: f"{side} px" for name, side in sides.items()}
    _rates("masks", mask_tasks(sides), sizes, rounds=rounds, turn_s=0.2, json_path=json_path)


@command.command("data", short_help="training samples per second on one core")
@click.option(
    "--data", required=True, metavar="PLACE", type=places.SOURCE, help="Folder, list file, tar shards, or `samples`."
)
@click.option("--size", type=click.IntRange(8, 8192), default=256, help="Side of the crop, pixels.")
@click.option("--masks", default="deepfill", metavar="KIND[,KIND]", help="Measured in turns.")
@click.option("--crop", type=click.Choice(["random", "resize"]), default="random")
@rounds_option
@json_option
def data(data: str, size: int, masks: str, crop: str, rounds: int, json_path: str | None) -> None:
    """Training samples per second on one core: decode, crop, flip, mask."""
    from inpaint.data.config import DataConfig
    from inpaint.data.opening import check_root
    from inpaint.options import validated

    check_root(data)
    plain = {"root": data, "size": size, "crop": crop}
    configs = {kind: validated(DataConfig, {**plain, "masks": kind}, key="data") for kind in _listed(masks)}

    from inpaint.benchmark.rates import data_task  # only now: it brings Lightning

    tasks = {kind: data_task(config) for kind, config in configs.items()}
    _rates("data", tasks, dict.fromkeys(tasks, f"{size} px"), rounds=rounds, turn_s=2.0, json_path=json_path)


def _rates(
    kind: str,
    tasks: Mapping[str, Work],
    sizes: Mapping[str, str],
    *,
    rounds: int,
    turn_s: float,
    json_path: str | None,
) -> None:
    """Measure how often per second each task runs, print a Markdown table and, if asked for, write JSON."""
    from dataclasses import asdict

    from inpaint.benchmark.tables import rates_table
    from inpaint.benchmark.timing import take_turns
    from inpaint.system.environment import cpu_name

    rates = take_turns(tasks, rounds=rounds, turn_s=turn_s).rates()
    unit = {"data": "samples/s", "masks": "masks/s"}[kind]
    table = f"{cpu_name()}, one core\n\n{rates_table(rates, sizes, unit=unit)}"
    click.echo(table, err=json_path == places.DASH)
    measured = {name: {"size": sizes[name], **asdict(rate)} for name, rate in rates.items()}
    write_json(json_path, {"benchmark": kind, "unit": unit, "rates": measured})


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]
