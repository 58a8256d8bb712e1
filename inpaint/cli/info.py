"""`inpaint info`: what is installed and what it runs on, on one screen."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from inpaint.system.environment import Hardware

GIB = 2**30


@click.command("info")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def command(*, as_json: bool) -> None:
    """Show versions, devices and optional features. Nothing is asked of the network."""
    from inpaint.registry import table as registry
    from inpaint.registry.zoo import public_weights
    from inpaint.system import devices, environment

    versions, hardware, features = environment.versions(), environment.hardware(), environment.features()
    device = str(devices.resolve_device("auto"))
    if as_json:
        report = {
            "versions": versions,
            "hardware": hardware,
            "default_device": device,
            "features": {name: hint is None for name, hint in features.items()},
            "models": list(registry.models()),
            "fills": list(registry.FILLS),
            "public_weights": list(public_weights()),
        }
        click.echo(json.dumps(report, indent=2))
        return
    sections = {
        "versions": versions,
        "hardware": _hardware_lines(hardware, device),
        "optional": {name: "yes" if hint is None else f"no ({hint})" for name, hint in features.items()},
        "models": {
            "to train": ", ".join(registry.models()),
            "ready": ", ".join(registry.FILLS),
            "public weights": ", ".join(public_weights()),
        },
    }
    click.echo("\n\n".join(_section(title, lines) for title, lines in sections.items()))


def _section(title: str, lines: dict[str, str]) -> str:
    width = max(len(name) for name in lines)
    indent = " " * (width + 4)
    told = (
        textwrap.fill(f"  {name:<{width}}  {value}", 120, subsequent_indent=indent) for name, value in lines.items()
    )
    return "\n".join([title, *told])


def _hardware_lines(hardware: Hardware, device: str) -> dict[str, str]:
    memory = hardware["memory_bytes"]
    lines = {
        "system": hardware["system"],
        "cpu": f"{hardware['cpu']}, {hardware['cores']} cores, torch uses {hardware['torch_threads']} threads",
        "memory": f"{memory / GIB:.1f} GiB" if memory else "unknown",
    }
    if not hardware["accelerators"]:
        lines["gpu"] = f"none that torch sees (built for CUDA {hardware['cuda']})" if hardware["cuda"] else "none"
    for gpu in hardware["accelerators"]:
        lines[gpu["device"]] = f"{gpu['name']}, {gpu['memory_bytes'] / GIB:.1f} GiB"
    if hardware["mps"]:
        lines["mps"] = "Apple GPU"
    return lines | {"--device auto": device}
