"""`inpaint export`: write a trained model as a file for other programs."""

from __future__ import annotations

from typing import Any, get_args

import click

from inpaint.cli import model_options, places
from inpaint.errors import UsageError
from inpaint.export.formats import FORMATS
from inpaint.weights.graphs import Interface, Precision

EXAMPLES = """
\b
Examples:
  inpaint export --model checkpoints/my-run --format onnx --output my-run.onnx --verify
  inpaint export --model checkpoints/my-run --format torchscript --output my-run.pt
  inpaint export --model checkpoints/my-run --format origin --output my-run.safetensors
"""
FORMAT_HELP = "; ".join(f"{name}: {each.summary}" for name, each in FORMATS.items())


@click.command("export", epilog=EXAMPLES)
@click.option("--model", required=True, help="Folder of a run or an import, or a weights file.")
@model_options.weights
@click.option("--format", "format_", required=True, type=click.Choice(list(FORMATS)), help=FORMAT_HELP)
@click.option("--output", required=True, metavar="FILE", type=places.PLACE, help="The file to write.")
@click.option("--origin", metavar="NAME", help="Of the format origin: the program, where several could hold the model.")
@click.option("--pipeline", is_flag=True, help="Photos of any size in and out, as bytes; known pixels stay.")
@click.option(
    "--interface",
    type=click.Choice(get_args(Interface)),
    default="inpaint",
    help="Of a pipeline: what its mask means. inpaint: above 127 = hole; migan: 255 = known, as MI-GAN's has it.",
)
@click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    default="float32",
    help="Of weights and arithmetic; images are read and written as ever.",
)
@click.option("--verify", is_flag=True, help="Measure the file against the network, at several sizes and batches.")
@click.option("--verify-only", is_flag=True, help="Measure the file that is there already, and write nothing.")
@model_options.option
def command(
    *,
    model: str,
    weights: str,
    format_: str,
    output: str,
    origin: str | None,
    pipeline: bool,
    interface: str,
    precision: str,
    verify: bool,
    verify_only: bool,
    option: tuple[str, ...],
) -> None:
    """Write a trained model as a file for other programs.

    The file holds the network as it fills, for any batch, height and width, and says of itself what it is, where its
    weights come from and under which license.
    """
    from pathlib import Path

    from inpaint.export import formats

    if not FORMATS[format_].folders:
        output = places.FILE(output)
    wanted: Any = {"weights": weights, "interface": interface, "precision": precision, "origin": origin}
    request = formats.Request(model=model, output=Path(output), pipeline=pipeline, **wanted)
    formats.check(format_, request)
    if (verify or verify_only) and FORMATS[format_].verify is None:
        raise UsageError(f"--verify: files of the format {format_} cannot be measured here; leave it out")
    if (verify or verify_only) and places.passes_on(output):
        raise UsageError(f"--verify reads the file again, which cannot be had from '{output}': name a file")
    if option:
        given = model_options.for_models({model: model}, option, weights={model: request.weights})[model]
        request = formats.Request(**{**vars(request), "options": given})
    if not verify_only:
        with places.written(output, FORMATS[format_].suffix) as path:
            formats.export(format_, formats.Request(**{**vars(request), "output": Path(path)}))
        if output != places.DASH:
            place = Path(output)
            click.echo(f"wrote {output}" + ("" if place.is_dir() else f": {place.stat().st_size / 1e6:.1f} MB"))
    if verify or verify_only:
        measured = formats.verify(format_, request)
        for what, difference in measured.items():
            click.echo(f"{what:<24} largest difference {difference:.1e}")
        click.echo(f"largest difference {max(measured.values()):.1e}")
