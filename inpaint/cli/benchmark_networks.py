"""`inpaint benchmark forward` and `inpaint benchmark step`: how fast networks paint and learn on this machine."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from inpaint.cli.reporting import write_figures
from inpaint.errors import UsageError

if TYPE_CHECKING:
    from inpaint.benchmark.forward import Timing
    from inpaint.benchmark.step import StepSetting
    from inpaint.config import TrainConfig

Command = TypeVar("Command", bound=Callable[..., Any])
DTYPES = ["float32", "tf32", "bfloat16", "float64"]


def _common(function: Command) -> Command:
    """Add the options that both commands have."""
    path = click.Path(path_type=Path, dir_okay=False)
    for option in (
        click.option("--json", "json_path", type=path, help="Write the figures here."),
        click.option("--profile", is_flag=True, help="Show which operators take which share of the time."),
        click.option("--memory/--no-memory", default=True, show_default=True, help="Measure the peak memory, too."),
        click.option("--rounds", type=click.IntRange(1), default=5, show_default=True),
        click.option("--threads", type=click.IntRange(1), help="Processor threads. Default: torch's own choice."),
        click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, mps or auto."),
        click.option("--compile/--no-compile", "compiled", default=False, show_default=True, help="torch.compile."),
        click.option("--size", type=click.IntRange(8, 8192), default=256, show_default=True, help="Side in pixels."),
        click.option("--model", default="deepfill", show_default=True, metavar="NAME"),
    ):
        function = option(function)
    return function


@click.command("forward", short_help="one pass through a network: time and peak memory")
@_common
@click.option("--part", metavar="NAME", help="Only this part of the network, for models that have such parts.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True)
@click.option("--dtype", type=click.Choice(DTYPES), default="float32", show_default=True)
@click.option(
    "--against",
    type=click.Choice(["reference", "port", "eager", "compiled", *DTYPES]),
    help="Measured in turns with it: the papers' plain arithmetic, that of public ports, or another way of our own.",
)
def forward(
    model: str,
    part: str | None,
    size: int,
    batch: int,
    dtype: str,
    device: str,
    compiled: bool,
    threads: int | None,
    against: str | None,
    memory: bool,
    profile: bool,
    rounds: int,
    json_path: Path | None,
) -> None:
    """Milliseconds of one pass through a network with random weights, and its peak memory."""
    from dataclasses import asdict, replace

    from inpaint.benchmark.forward import PLAIN, Setting, forward_task, load_average, peak_bytes, times_in_turns
    from inpaint.benchmark.profiling import shares
    from inpaint.system import devices

    own = Setting(
        model=model, part=part, compile=compiled, size=size, batch=batch, dtype=dtype, device=device, threads=threads
    )
    settings = {_name("network", dtype, compiled): own}
    if against in PLAIN:
        settings[_name(against, dtype, False)] = replace(own, kind=against, compile=False)
    elif against is not None:
        other = replace(own, compile=against == "compiled") if against in ("eager", "compiled") else None
        other = other or replace(own, dtype=against)
        if other == own:
            raise UsageError(f"--against {against} is what is measured already; give something else")
        settings[_name("network", other.dtype, other.compile)] = other
    with _threads(threads) as used:
        tasks = {name: forward_task(setting) for name, setting in settings.items()}
        load = load_average()
        timings, ratios = times_in_turns(tasks, rounds=rounds)
        where = devices.resolve_device(device)
        found = {name: shares(task, device=where) for name, task in tasks.items()} if profile else {}
    peaks = {name: peak_bytes(setting) if memory else None for name, setting in settings.items()}
    what = f"{model}, {part}" if part else model
    click.echo(f"{what}, {size} x {size} px, batch {batch}, {device}, threads {used}{_load(load)}\n")
    ratio = _show(timings, ratios, peaks, found, batch=batch)
    content: dict[str, object] = {
        "benchmark": "forward",
        "settings": {name: asdict(setting) for name, setting in settings.items()},
        "timings": {name: asdict(timing) for name, timing in timings.items()},
        "peak_bytes": peaks,
        "load_before": load,
        "torch_threads": used,
        **({"shares": found} if found else {}),
        **({"ratio": ratio} if ratio else {}),
    }
    write_figures(json_path, content)


@click.command("step", short_help="one training step, all updates of an iteration")
@_common
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--batch", type=click.IntRange(1), default=4, show_default=True)
@click.option(
    "--precision", type=click.Choice(["32-true", "bf16-mixed", "16-mixed"]), default="32-true", show_default=True
)
@click.option("--channels-last/--no-channels-last", default=False, show_default=True, help="Memory layout.")
@click.option(
    "--against",
    multiple=True,
    metavar="KEY=VALUE",
    help="Measured in turns with it: the same with this changed, e.g. channels_last=true, compile=true, "
    "precision=bf16-mixed, trainer.tf32=false, model.width=32; or `separate`: discriminators judge in two passes.",
)
def step(
    overrides: tuple[str, ...],
    model: str,
    size: int,
    batch: int,
    precision: str,
    channels_last: bool,
    device: str,
    compiled: bool,
    threads: int | None,
    against: tuple[str, ...],
    memory: bool,
    profile: bool,
    rounds: int,
    json_path: Path | None,
) -> None:
    """Milliseconds of one training step, all updates of an iteration, as `inpaint train` runs it.

    KEY=VALUE are options of `inpaint train`.
    """
    from dataclasses import asdict

    from inpaint.benchmark.forward import load_average
    from inpaint.benchmark.step import measure

    given = [
        f"model={model}",
        f"data.size={size}",
        f"batch_size={batch}",
        f"trainer.accelerator={'cuda' if device.startswith('cuda') else device}",
        "trainer.devices=1",
        f"trainer.precision={precision}",
        f"trainer.channels_last={str(channels_last).lower()}",
        f"trainer.compile={str(compiled).lower()}",
        *overrides,
    ]
    settings = {"this": _step_setting(given)}
    if against:
        changed = [_in_full(change) for change in against if change != "separate"]
        settings[", ".join(against)] = _step_setting([*given, *changed], separate="separate" in against)
    with _threads(threads) as used:
        load = load_average()
        measured = measure(settings, rounds=rounds, memory=memory, profile=profile)
    title = f"{model}, {size} x {size} px, batch {batch}, {device}, {precision}"
    layout = f"channels_last {channels_last}, compile {compiled}"
    click.echo(f"{title}, {layout}, threads {used}{_load(load)}\n")
    ratio = _show(measured.timings, measured.ratios, measured.peaks, measured.shares, batch=batch)
    if measured.macs is not None:
        click.echo(f"\n{measured.macs / batch / 1e9:,.1f} GMAC per picture in convolutions and matrix products")
    content: dict[str, object] = {
        "benchmark": "step",
        "settings": {name: asdict(setting) for name, setting in settings.items()},
        "timings": {name: asdict(timing) for name, timing in measured.timings.items()},
        "images_per_s": {name: 1000 * batch / timing.median_ms for name, timing in measured.timings.items()},
        "peak_bytes": measured.peaks,
        "shares": measured.shares,
        "macs_per_picture": None if measured.macs is None else measured.macs / batch,
        "device": device,
        "load_before": load,
        "torch_threads": used,
        **({"ratio": ratio} if ratio else {}),
    }
    write_figures(json_path, content)


def _name(kind: str, dtype: str, compiled: bool) -> str:
    return f"{kind}, {dtype}" + (", compiled" if compiled else "")


def _in_full(change: str) -> str:
    """Let the trainer's keys be given without their group."""
    key, equals, _ = change.partition("=")
    if not equals:
        raise UsageError(f"--against {change}: write KEY=VALUE, or `separate`")
    return f"trainer.{change}" if key in ("channels_last", "compile", "precision", "tf32") else change


def _step_setting(overrides: Sequence[str], *, separate: bool = False) -> StepSetting:
    """Return what the options of a training resolve to."""
    from inpaint import config as configuration
    from inpaint.benchmark.step import StepSetting
    from inpaint.training.plan import check_hardware

    config: TrainConfig = configuration.load(overrides)
    check_hardware(config.loop)
    values = config.model_dump(mode="json")
    architecture = {key: value for key, value in values["model"].items() if key != "name"}
    return StepSetting(
        model=values["model"]["name"],
        architecture=architecture,
        losses=values["losses"],
        loop=config.loop.model_dump(mode="json"),
        size=config.data.size,
        separate=separate,
    )


@contextmanager
def _threads(count: int | None) -> Iterator[int]:
    """Let torch use so many threads meanwhile; yields how many it uses."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def _load(average: float | None) -> str:
    """Return what says how busy the machine was before the measurement, "" where the system does not tell."""
    return "" if average is None else f", load {average:.1f}"


def _show(
    timings: Mapping[str, Timing],
    ratios: Sequence[float],
    peaks: Mapping[str, int | None],
    shares: Mapping[str, Mapping[str, float]],
    *,
    batch: int,
) -> dict[str, float] | None:
    """Print the figures as Markdown; returns the ratio of the second to the first, if there are two."""
    click.echo(
        "| | ms (median) | lowest | highest | processor ms | images/s | peak MB |\n|---|---|---|---|---|---|---|"
    )
    for name, found in timings.items():
        peak = peaks[name]
        times = (found.median_ms, found.lowest_ms, found.highest_ms, found.user_ms, 1000 * batch / found.median_ms)
        shown = "" if peak is None else f"{peak / 1e6:,.0f}"
        click.echo(f"| {name} | {' | '.join(f'{value:,.1f}' for value in times)} | {shown} |")
    if shares:
        groups = dict.fromkeys(group for found_shares in shares.values() for group in found_shares)
        click.echo("\n| share of the time | " + " | ".join(shares) + " |\n|---|" + "---|" * len(shares))
        for group in groups:
            row = " | ".join(f"{found_shares.get(group, 0):.1%}" for found_shares in shares.values())
            click.echo(f"| {group} | {row} |")
    if not ratios:
        return None
    lowest = [found.lowest_ms for found in timings.values()]
    ratio = {"median": statistics.median(ratios), "of_lowest": lowest[1] / lowest[0]}
    click.echo(f"\ntimes as fast: {ratio['median']:.2f} (median of the rounds), {ratio['of_lowest']:.2f} (", nl=False)
    click.echo("lowest to lowest)")
    return ratio
