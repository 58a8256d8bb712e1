"""`inpaint benchmark forward` and `inpaint benchmark step`: how fast networks paint and learn on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from inpaint.cli import places
from inpaint.errors import UsageError
from inpaint.registry.table import DEFAULT, model_entry

if TYPE_CHECKING:
    from inpaint.benchmark.settings import StepSetting
    from inpaint.benchmark.timing import Measured

Command = TypeVar("Command", bound=Callable[..., Any])


json_option = click.option(
    "--json", "json_path", metavar="FILE", type=places.FILE, help="Write the figures here. -: standard output."
)


def write_json(place: str | None, figures: Mapping[str, Any]) -> None:
    """Write figures where --json says, if it was given."""
    from inpaint.benchmark.tables import write_figures

    if place is not None:
        with places.written(place, ".json") as path:
            write_figures(Path(path), figures)


def _common(function: Command) -> Command:
    """Add the options that both commands have; rounds, memory, profile and threads go to `measure` as they are."""
    for option in (
        json_option,
        click.option("--profile", is_flag=True, help="Show which operators take which share of the time."),
        click.option("--memory/--no-memory", default=True, help="Measure the peak memory, too."),
        click.option("--rounds", type=click.IntRange(1), default=5),
        click.option("--threads", type=click.IntRange(1), help="Processor threads. Default: torch's own choice."),
        click.option("--device", default="cpu", metavar="NAME", type=places.DEVICE, help="cpu, cuda, mps or auto."),
        click.option("--compile/--no-compile", "compiled", default=False, help="torch.compile."),
        click.option("--size", type=click.IntRange(8, 8192), default=256, help="Side in pixels."),
        click.option("--model", default=DEFAULT, metavar="NAME"),
    ):
        function = option(function)
    return function


@click.command("forward", short_help="one pass through a network: time and peak memory")
@_common
@click.option("--part", metavar="NAME", help="Only this part of the network, for models that have such parts.")
@click.option("--batch", type=click.IntRange(1), default=1)
@click.option("--dtype", default="float32", metavar="NAME", help="float32, tf32, bfloat16 or float64.")
@click.option(
    "--against",
    metavar="NAME",
    help="Measured in turns with it: `reference`, the papers' plain arithmetic, `port`, that of public ports, "
    "`eager`, `compiled`, or another dtype.",
)
def forward(
    *,
    against: str | None,
    json_path: str | None,
    rounds: int,
    memory: bool,
    profile: bool,
    threads: int | None,
    compiled: bool,
    **setting: Any,
) -> None:
    """Milliseconds of one pass through a network with random weights, and its peak memory."""
    from inpaint.benchmark.settings import Setting, compared_settings

    model_entry(setting["model"])
    own = Setting(**setting, compile=compiled)
    settings = compared_settings(own, against)

    from inpaint.benchmark.forward import measure  # only now: torch takes seconds

    found = measure(settings, rounds=rounds, memory=memory, profile=profile, threads=threads)
    model = f"{own.model}, {own.part}" if own.part else own.model
    title = f"{model}, {own.size} x {own.size} px, batch {own.batch}, {own.device}"
    _report("forward", title, settings, found, own.batch, json_path)


@click.command("threads", short_help="what more threads bring, quiet and beside a busy process")
@click.option("--model", default=DEFAULT, metavar="NAME")
@click.option("--size", type=click.IntRange(8, 8192), default=256, help="Side in pixels.")
@click.option("--threads", "counts", default="1,2", metavar="N[,N]", help="Numbers of threads.  [default: 1,2]")
@click.option("--rounds", type=click.IntRange(1), default=5)
@click.option("--against", metavar="NAME", help="Measured in turns with it, as for `benchmark forward`.")
@json_option
def threads(model: str, size: int, counts: str, rounds: int, against: str | None, json_path: str | None) -> None:
    """Milliseconds of one pass with few and many threads, on a machine with nothing else to do and beside a process
    that keeps one core busy, all in turns.
    """
    model_entry(model)
    try:
        numbers = sorted({int(count) for count in counts.split(",")})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 1:
        raise UsageError(f"--threads {counts}: write numbers of threads with commas between, e.g. 1,2")

    from dataclasses import asdict

    from inpaint.benchmark.settings import Setting, compared_settings
    from inpaint.benchmark.tables import scaling_table
    from inpaint.system import environment

    settings = compared_settings(Setting(model=model, size=size), against)

    from inpaint.benchmark.scaling import measure_scaling  # only now: torch takes seconds

    scaling = measure_scaling(settings, threads=numbers, rounds=rounds)
    figures: dict[str, Any] = {
        "benchmark": "threads",
        "settings": {name: asdict(setting) for name, setting in settings.items()},
        "scaling": [asdict(each) for each in scaling],
    }
    click.echo(scaling_table({**figures, "hardware": environment.hardware()}), err=json_path == places.DASH)
    write_json(json_path, figures)


@click.command("step", short_help="one training step, all updates of an iteration")
@_common
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--batch", type=click.IntRange(1), default=4)
@click.option("--precision", type=click.Choice(["32-true", "bf16-mixed", "16-mixed"]), default="32-true")
@click.option("--channels-last/--no-channels-last", default=False, help="Memory layout.")
@click.option(
    "--against",
    multiple=True,
    metavar="KEY=VALUE",
    help="Measured in turns with it: the same with this changed, e.g. channels_last=true, compile=true, "
    "precision=bf16-mixed, trainer.tf32=false, model.width=32; or `separate`: discriminators in two passes.",
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
    against: tuple[str, ...],
    json_path: str | None,
    **how: Any,
) -> None:
    """Milliseconds of one training step, all updates of an iteration, as `inpaint train` runs it.

    KEY=VALUE are options of `inpaint train`.
    """
    model_entry(model)
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
    settings = {"this": step_setting(given)}
    if against:
        changed = [_in_full(change) for change in against if change != "separate"]
        settings[", ".join(against)] = step_setting([*given, *changed], separate="separate" in against)

    from inpaint.benchmark.step import measure  # only now: torch takes seconds

    found = measure(settings, **how)
    title = f"{model}, {size} x {size} px, batch {batch}, {device}, {precision}"
    title += f", channels_last {channels_last}, compile {compiled}"
    further = {
        "images_per_s": {name: 1000 * batch / timing.median_ms for name, timing in found.timings.items()},
        "macs_per_picture": None if found.macs is None else found.macs / batch,
        "device": device,
    }
    _report("step", title, settings, found, batch, json_path, further)
    if found.macs is not None:
        gmac = found.macs / batch / 1e9
        click.echo(f"\n{gmac:,.1f} GMAC per image in convolutions and matrix products", err=json_path == places.DASH)


def step_setting(overrides: Sequence[str], *, separate: bool = False) -> StepSetting:
    """Return what the options of a training resolve to."""
    from inpaint import config as configuration
    from inpaint.benchmark.settings import StepSetting

    config = configuration.load(overrides)
    values = config.model_dump(mode="json")
    name = values["model"].pop("name")
    return StepSetting(
        model=name,
        architecture=values["model"],
        losses=values["losses"],
        loop=config.loop.model_dump(mode="json"),
        size=config.data.size,
        separate=separate,
    )


def _in_full(change: str) -> str:
    """Let the trainer's keys be given without their group."""
    key, equals, _ = change.partition("=")
    if not equals:
        raise UsageError(f"--against {change}: write KEY=VALUE, or `separate`")
    return f"trainer.{change}" if key in ("channels_last", "compile", "precision", "tf32") else change


def _report(
    kind: str,
    title: str,
    settings: Mapping[str, Any],
    found: Measured,
    batch: int,
    json_path: str | None,
    further: Mapping[str, object] | None = None,
) -> None:
    """Print the figures as Markdown and, if asked for, write them as JSON."""
    from dataclasses import asdict

    from inpaint.benchmark.tables import measured_table

    say = partial(click.echo, err=json_path == places.DASH)
    load = "" if found.load_before is None else f", load {found.load_before:.1f}"
    say(f"{title}, threads {found.torch_threads}{load}\n\n{measured_table(found, batch=batch)}")
    named = {name: asdict(setting) for name, setting in settings.items()}
    write_json(json_path, {"benchmark": kind, "settings": named, **found.figures(), **(further or {})})
