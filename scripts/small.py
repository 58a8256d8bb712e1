"""Train the small model, measure it, export it and fill a photo with the file: the whole way, in ten minutes.

    python scripts/small.py
    python scripts/small.py --data photos/ --held-out other/ trainer.precision=bf16-mixed
    python scripts/small.py --data photos/ --held-out other/ --full teacher=lama-places

The first line takes some ten minutes on two CPU cores and downloads nothing. It learns from nine of the bundled photos
and is measured on the three others: enough to see every step work, far too little to fill well. The second is what
docs/results.md measures, 45 minutes on one core; the third is the recipe itself, for a GPU. KEY=VALUE goes to the
training. Every command is printed as it is run, so that each can be repeated by itself; the whole goes on where it was
interrupted.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import click

from inpaint.cli.main import run
from inpaint.data.sources import sample_files

ROOT = Path(__file__).resolve().parents[1]
PHOTO, MASK = (ROOT / "docs" / "examples" / name for name in ("photo.jpg", "mask.png"))
HELD_OUT = ("coffee", "rocket", "china")  # of the bundled photos
ITERATIONS = 700  # of the small scale, some minutes
QUICK = ("validation.every=500", "trainer.accelerator=cpu", "data.workers=1")
OTHERS = ("telea", "biharmonic", "patch")


@click.command(context_settings={"help_option_names": ["-h", "--help"]}, help=__doc__)
@click.option("--data", type=click.Path(), help="Photos to learn from: a folder or a list file.")
@click.option("--held-out", type=click.Path(), help="Photos to measure on; needed with --data.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("small"), help="Folder for everything.")
@click.option("--full", is_flag=True, help="Train as configs/model/small.yaml says, for a GPU.")
@click.argument("settings", nargs=-1)
def main(*, data: str | None, held_out: str | None, output: Path, full: bool, settings: tuple[str, ...]) -> None:
    """Go the whole way; leave with the status of the first command that fails."""
    if (data is None) != (held_out is None):
        raise click.UsageError("--data and --held-out go together: a model is measured on photos it has not seen")
    output.mkdir(parents=True, exist_ok=True)
    if data is None or held_out is None:
        data, held_out = bundled(output)
        settings = (*QUICK, f"max_iterations={ITERATIONS}", *settings)
    scale = () if full else ("size=small",)
    model, file, results = output / "run", output / "small.onnx", output / "results"
    side = 256 if full else 64
    protocols = ",".join(f"{kind}_{side}" for kind in ("deepfill", "lama_thick"))
    photo = ("--image", PHOTO, "--mask", MASK, "--output", output / "filled.png")
    compared = (part for name in (model, *OTHERS) for part in ("--model", name))
    steps = (
        ("train", "model=small", *scale, f"data.root={data}", f"run.folder={model}", "resume=auto", *settings),
        ("evaluate", *compared, "--data", held_out, "--protocol", protocols, "--output", results),
        ("export", "--model", model, "--format", "onnx", "--pipeline", "--output", file, "--verify"),
        ("infer", "--model", file, *photo),
    )
    for step in steps:
        words = [str(word) for word in step]
        print(f"\n$ inpaint {shlex.join(words)}", flush=True)
        if status := run(words):
            sys.exit(status)


def bundled(folder: Path) -> tuple[str, str]:
    """Write two lists of the bundled photos, to learn from and to measure on, and return their paths."""
    held_out, seen = folder / "held-out.txt", folder / "photos.txt"
    files = sample_files()
    for place, wanted in ((held_out, True), (seen, False)):
        place.write_text("".join(f"{file}\n" for file in files if (file.stem in HELD_OUT) == wanted))
    return str(seen), str(held_out)


if __name__ == "__main__":
    main()
