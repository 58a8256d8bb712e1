"""`inpaint import-weights`: turn a public program's checkpoint into a folder that is used like a run."""

from __future__ import annotations

import shlex

import click

from inpaint.cli import places
from inpaint.options import keyed
from inpaint.registry.conversion import ORIGINS, SWITCHES

EXAMPLES = """
\b
Examples:
  inpaint import-weights --origin mmagic --input deepfillv2_256x256_8x2_places_20200619-10d15793.pth \\
      --output checkpoints/deepfill-mmagic
  inpaint import-weights --origin nipponjo --input states_tf_places2.pth --fuse --output checkpoints/deepfill-official
  inpaint infer --model checkpoints/deepfill-mmagic --image photo.jpg --mask mask.png --output filled.png
"""
WARM_UP = 1000  # iterations; a suggestion


@click.command("import-weights", epilog=EXAMPLES)
@click.option("--origin", required=True, type=click.Choice(sorted(ORIGINS)), help="The program that wrote the file.")
@click.option(
    "--input",
    "inputs",
    metavar="[ROLE=]FILE",
    type=places.SOURCE,
    multiple=True,
    required=True,
    help="Its checkpoint; repeat for programs that write one file per network. -: standard input.",
)
@click.option(
    "--output",
    required=True,
    metavar="FOLDER",
    type=places.FOLDER,
    help="Where model.safetensors and config.yaml are written, e.g. checkpoints/NAME.",
)
@click.option("--bgr", is_flag=True, help=f"nipponjo: {SWITCHES['bgr']}, as the official program's was.")
@click.option("--fuse", is_flag=True, help=f"nipponjo, weights in TensorFlow form: {SWITCHES['fuse']}.")
@click.option(
    "--entry", metavar="NAME", help="Which network, where a file holds it several times (model, model_ema, ...)."
)
def command(*, origin: str, inputs: tuple[str, ...], output: str, bgr: bool, fuse: bool, entry: str | None) -> None:
    """Import the weights of a public program.

    The networks compute what that program computes. The file is opened without running code from it, and every entry
    must be known and fit. Its license and its SHA-256 are kept with the weights.
    """
    from inpaint.registry.conversion import import_weights
    from inpaint.registry.table import config_class
    from inpaint.registry.texts import command_to_use

    switches = frozenset(name for name, given in {"bgr": bgr, "fuse": fuse}.items() if given)
    done = import_weights(origin, inputs, output, switches=switches, entry=entry)
    click.echo(f"imported {done.title}: {done.folder}")
    what = "stylize" if done.capabilities.stylizes else "fill"
    click.echo(f"model        {done.model}, {', '.join(done.roles)}; {done.parameters:,} parameters to {what} with")
    click.echo(f"license      {done.license}")
    click.echo(f"sha256       {done.sha256}")
    for note in done.notes:
        click.echo(f"note         {note}")
    click.echo(f"use it: {command_to_use(done.capabilities, str(done.folder))}")
    words = ["inpaint", "train", f"model={done.model}", keyed("init", str(done.folder)), "data.root=PHOTOS"]
    words += ["data.styles=PICTURES"] if done.capabilities.stylizes else []
    tune = shlex.join([*words, *config_class(done.model).LAST_PHASE])
    if not done.lacking:
        click.echo(f"fine-tune it: {tune}")
    else:
        click.echo(f"fine-tune it: {tune} optimizers.generator.start={WARM_UP}")
        click.echo(
            f"    the import has no {' and no '.join(done.lacking)}; a new one learns alone for the first {WARM_UP} "
            "iterations, so that it does not spoil the generator"
        )
