"""`inpaint export`: write a trained model as a file for other programs."""

from __future__ import annotations

import math
import shlex
from dataclasses import replace
from typing import Any, get_args

import click

from inpaint.cli import model_options, places
from inpaint.errors import UsageError, WeightsError
from inpaint.export.formats import FORMATS, Request
from inpaint.weights.graphs import Interface, Precision

EXAMPLES = """
\b
Examples:
  inpaint export --model checkpoints/my-run --format onnx --output my-run.onnx --verify
  inpaint export --model checkpoints/my-run --format torchscript --output my-run.pt
  inpaint export --model checkpoints/my-run --format origin --output my-run.safetensors
  inpaint export --model checkpoints/my-run --web my-page
"""
FORMAT_HELP = "; ".join(f"{name}: {each.summary}" for name, each in FORMATS.items())


@click.command("export", epilog=EXAMPLES)
@click.option(
    "--model",
    required=True,
    shell_complete=places.complete_model,
    help="Folder of a run or an import, weights file, or name of public weights.",
)
@model_options.weights
@click.option("--format", "format_", type=click.Choice(list(FORMATS)), help=FORMAT_HELP)
@click.option("--output", metavar="FILE", type=places.PLACE, help="The file to write.")
@click.option("--origin", metavar="NAME", help="Of the format origin: the program, where several could hold the model.")
@click.option(
    "--web",
    metavar="FOLDER",
    type=places.FOLDER,
    help="Write a page instead, which fills photos in the browser and needs no server of its own.",
)
@click.option(
    "--runtime",
    metavar="PLACE",
    help="Of --web: an unpacked onnxruntime-web, a folder with its files, or its tarball; otherwise npm fetches it.",
)
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
@click.option("--verify", is_flag=True, help="Measure the file against the network in float64, at several sizes.")
@click.option("--verify-only", is_flag=True, help="Measure the file that is there already, and write nothing.")
@model_options.option
def command(
    *,
    model: str,
    weights: str,
    format_: str | None,
    output: str | None,
    origin: str | None,
    web: str | None,
    runtime: str | None,
    pipeline: bool,
    interface: str,
    precision: str,
    verify: bool,
    verify_only: bool,
    option: tuple[str, ...],
) -> None:
    """Write a trained model as a file for other programs.

    The file holds the network as it fills, for any batch, height and width, and says of itself what it is, where its
    weights come from and under which license. With --web it is a folder instead, a page that any static server serves.
    """
    from pathlib import Path

    from inpaint.export import formats

    wanted: Any = {"weights": weights, "interface": interface, "precision": precision, "origin": origin}
    if web is not None:
        given_too = {"--format": format_, "--output": output, "--origin": origin, "--pipeline": pipeline}
        given_too["--verify"] = verify or verify_only
        if others := [name for name, value in given_too.items() if value] + ["--interface"] * (interface != "inpaint"):
            raise UsageError(f"--web writes a folder with a graph of its own: leave out {', '.join(others)}")
        _write_page(web, formats.Request(model=model, output=Path(web), **wanted), option, runtime)
        return
    if runtime is not None:
        raise UsageError("--runtime is what a page is made with: add --web FOLDER")
    if format_ is None or output is None:
        raise UsageError(f"give --format ({', '.join(FORMATS)}) and --output FILE, or --web FOLDER for a page")
    if not FORMATS[format_].folders:
        output = places.FILE(output)
    request = formats.Request(model=model, output=Path(output), pipeline=pipeline, **wanted)
    formats.check(format_, request)
    if (verify or verify_only) and FORMATS[format_].verify is None:
        raise UsageError(f"--verify: files of the format {format_} cannot be measured here; leave it out")
    if (verify or verify_only) and places.passes_on(output):
        raise UsageError(f"--verify reads the file again, which cannot be had from '{output}': name a file")
    request = _with_options(request, option)
    if not verify_only:
        with places.written(output, FORMATS[format_].suffix) as path:
            formats.export(format_, replace(request, output=Path(path)))
        if output != places.DASH:
            place = Path(output)
            click.echo(f"wrote {output}" + ("" if place.is_dir() else f": {place.stat().st_size / 1e6:.1f} MB"))
    if verify or verify_only:
        measured = formats.verify(format_, request)
        click.echo("compared with the network computed in float64; 1 is the whole range of an image")
        for what, difference in measured.items():
            click.echo(f"{what:<24} largest difference {difference:.1e}")
        if lost := [what for what, difference in measured.items() if not math.isfinite(difference)]:
            raise WeightsError(
                f"{output} paints values that are not finite ({', '.join(lost)}): float16 holds numbers up to 65,504; "
                "take float32 or int8"
            )
        click.echo(f"largest difference {max(measured.values()):.1e}")


def _write_page(folder: str, request: Request, option: tuple[str, ...], runtime: str | None) -> None:
    from inpaint.export.web import check_page, export_page

    check_page(folder)
    page = export_page(folder, _with_options(request, option), runtime=runtime)
    click.echo(
        f"wrote {folder}: {page.bytes / 1e6:.1f} MB, of which {page.loaded_bytes / 1e6:.1f} MB are loaded to fill; "
        f"python -m http.server --directory {shlex.quote(folder)} serves it"
    )


def _with_options(request: Request, option: tuple[str, ...]) -> Request:
    """Return a request with the texts of --option."""
    if not option:
        return request
    models = {request.model: request.model}
    given = model_options.for_models(models, option, weights={request.model: request.weights})[request.model]
    return replace(request, options=given)
