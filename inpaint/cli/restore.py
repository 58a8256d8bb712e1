"""`inpaint restore`: repair one photo with nothing but the photo itself."""

from __future__ import annotations

import json
import logging
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from inpaint.errors import InputError, MaskError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from inpaint.dip.restoring import Restored, Step
    from inpaint.images.photo import Photo

EXAMPLES = """
\b
Examples:
  inpaint restore --task inpaint --image photo.jpg --mask mask.png --output filled.png
  inpaint restore --task denoise --image noisy.png --output clean.png --budget 5m
  inpaint restore --task super-resolve --scale 4 --image small.png --output large.png
  inpaint restore --task restore --image dotted.png --mask missing.png --output whole.png
  inpaint restore --task flash --image dark.jpg --flash lit.jpg --output better.png
"""
TASKS = ["inpaint", "restore", "denoise", "super-resolve", "flash"]  # those of optimize.presets, without torch
FEW_ITERATIONS = 100  # with fewer there are colors at best, for every task


@click.command(
    short_help="repair one photo with nothing but the photo itself",
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--task", type=click.Choice(TASKS), required=True, help="restore: scattered missing pixels. denoise: also JPEG."
)
@click.option("--image", required=True, help="The photo; for the task flash the one without.")
@click.option("--mask", default=None, help="White = missing. For inpaint and restore.")
@click.option("--flash", default=None, help="The same scene with flash.")
@click.option("--output", required=True, help="File, written in the format of its name.")
@click.option("--invert-mask", is_flag=True, help="Black = missing.")
@click.option("--dilate", type=click.IntRange(min=0), default=0, show_default=True, help="Grow the hole, pixels.")
@click.option("--scale", type=click.Choice(["2", "4", "8"]), default="4", show_default=True, help="Of super-resolve.")
@click.option(
    "--budget",
    default="auto",
    show_default=True,
    metavar="TIME",
    help="60s, 5m, 1h: size, width and iterations follow from it. none: the preset's whole course. "
    "auto: 60s on a CPU, none on an accelerator or with --iterations or --exact.",
)
@click.option("--preset", default=None, metavar="NAME", help="Default: chosen by task, size and hole.")
@click.option("--iterations", type=click.IntRange(min=1), default=None, help="At most. Default: the preset's.")
@click.option("--width", type=click.IntRange(4, 512), default=None, help="Channels at most. Default: the preset's.")
@click.option("--exact", is_flag=True, help="The published arithmetic and course: slower, no crop, no early stop.")
@click.option("--network", type=click.Choice(["skip", "decoder"]), default="skip", show_default=True)
@click.option("--tv", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Weight of total variation.")
@click.option("--runs", type=click.IntRange(1, 100), default=1, show_default=True, help="Average so many results.")
@click.option(
    "--stop",
    type=click.Choice(["auto", "variance", "window", "hold-out", "never"]),
    default="auto",
    show_default=True,
    help="When to stop early.",
)
@click.option("--lobes", type=click.Choice(["2", "3"]), default="2", show_default=True, help="Of the Lanczos kernel.")
@click.option("--uncertainty", default=None, metavar="FILE", help="Sample by Langevin dynamics; write the deviation.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--preview-every", type=click.IntRange(min=1), default=None, help="Write the output every so often.")
@click.option("--trace", default=None, metavar="FILE.json", help="Write the course of the run.")
@click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="Of JPEG and WebP.")
@click.option("--max-pixels", type=click.IntRange(min=1), default=100_000_000, show_default=True, help="Of the result.")
def command(
    task: str,
    image: str,
    mask: str | None,
    flash: str | None,
    output: str,
    invert_mask: bool,
    dilate: int,
    scale: str,
    budget: str,
    preset: str | None,
    iterations: int | None,
    width: int | None,
    exact: bool,
    network: str,
    tv: float,
    runs: int,
    stop: str,
    lobes: str,
    uncertainty: str | None,
    device: str,
    seed: int,
    preview_every: int | None,
    trace: str | None,
    quality: int,
    max_pixels: int,
) -> int:
    """Repair one photo by Deep Image Prior: a network is fitted to this photo alone, nothing was trained before.

    Known pixels of inpaint and restore stay as they are, exactly in PNG, TIFF, BMP and lossless WebP. Ctrl-C and
    SIGTERM write what there is, and the status is 130 or 143; a second Ctrl-C ends at once.
    """
    _check_request(task, mask=mask, flash=flash)
    files = [path for path in (image, mask, flash) if path is not None]
    _check_outputs(files, output, [path for path in (trace, uncertainty) if path is not None])
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        photo, hole, lit = _read(task, image, mask, flash, invert=invert_mask, dilate=dilate, max_pixels=max_pixels)
        factor = int(scale) if task == "super-resolve" else 1
        if photo.width * photo.height * factor * factor > max_pixels:
            raise InputError(
                f"{image}: the result would have {photo.width * factor} x {photo.height * factor} pixels, "
                f"more than the limit of {max_pixels:,}"
            )
        options = {
            "preset": preset,
            "network": network,
            "iterations": iterations,
            "width": width,
            "factor": int(scale),
            "lobes": int(lobes),
            "exact": exact,
            "tv": tv,
            "langevin": uncertainty is not None,
            "runs": runs,
            "stop": stop,
        }
        job = _Job(task, photo, hole, lit, output, options, seed=seed, quality=quality, preview_every=preview_every)
        return job.run(budget, device, trace=trace, uncertainty=uncertainty)


def _check_request(task: str, *, mask: str | None, flash: str | None) -> None:
    """Refuse what cannot work before anything is read."""
    if task in ("inpaint", "restore"):
        if mask is None:
            raise UsageError(f"--task {task} needs --mask: which pixels are missing (white)")
    elif mask is not None:
        raise UsageError(f"--task {task} takes no --mask; its whole picture is painted anew")
    if task == "flash" and flash is None:
        raise UsageError("--task flash needs --flash: the same scene taken with flash")
    if task != "flash" and flash is not None:
        raise UsageError(f"--task {task} takes no --flash")


def _check_outputs(read: list[str], output: str, others: list[str]) -> None:
    from inpaint.images.formats import format_of_name
    from inpaint.pipeline import check_folder

    format_of_name(output)
    written = [output, *others]
    for path in written:
        check_folder(Path(path).parent)
        if any(Path(path).resolve() == Path(each).resolve() for each in read):
            raise UsageError(f"the output '{path}' would overwrite a file that is read; choose another output")
    if len({Path(path).resolve() for path in written}) < len(written):
        raise UsageError("--output, --trace and --uncertainty must be different files")


def _read(
    task: str, image: str, mask: str | None, flash: str | None, *, invert: bool, dilate: int, max_pixels: int
) -> tuple[Photo, NDArray[Any] | None, Photo | None]:
    """Read the photo, its hole (H, W) bool where the task has one, and the photo with flash."""
    from inpaint.images.masks import dilate_hole, fit_to, read_mask
    from inpaint.images.reading import read_photo
    from inpaint.pipeline.photo import check_photo
    from inpaint.types import Capabilities

    photo = read_photo(image, max_pixels=max_pixels)
    check_photo(photo, Capabilities(trained=False, smallest_px=8), name=f"the task {task}")
    lit = None if flash is None else read_photo(flash, max_pixels=max_pixels)
    if lit is not None and (lit.height, lit.width) != (photo.height, photo.width):
        raise InputError(
            f"{flash}: {lit.width} x {lit.height} pixels, the photo without flash {photo.width} x {photo.height}: they "
            "must be one scene of one size"
        )
    if mask is None:
        return photo, None, lit
    hole = fit_to(read_mask(mask, invert=invert, max_pixels=max_pixels), photo.height, photo.width, name=mask)
    hole = dilate_hole(hole, dilate)
    if hole.all():
        raise MaskError(f"{image}: the mask covers the whole photo, and the task {task} works from known pixels")
    return photo, hole, lit


class _Job:
    """The work after everything was read: the only part that imports torch."""

    def __init__(
        self,
        task: str,
        photo: Photo,
        hole: NDArray[Any] | None,
        lit: Photo | None,
        output: str,
        options: dict[str, Any],
        *,
        seed: int,
        quality: int,
        preview_every: int | None,
    ) -> None:
        self.task = task
        self.photo = photo
        self.hole = hole
        self.lit = lit
        self.output = Path(output)
        self.options = options
        self.seed = seed
        self.quality = quality
        self.preview_every = preview_every

    def run(self, budget: str, device: str, *, trace: str | None, uncertainty: str | None) -> int:
        from inpaint.dip.budget import process_age_s
        from inpaint.dip.fill import budget_of
        from inpaint.dip.options import DipOptions
        from inpaint.images.writing import write_photo
        from inpaint.options import validated
        from inpaint.system.devices import resolve_device

        chosen = validated(DipOptions, self.options)
        where = resolve_device(device)
        budget_s = budget_of(budget, chosen, where)
        self.output.parent.mkdir(parents=True, exist_ok=True)
        if self.hole is not None and not self.hole.any():
            logging.getLogger("inpaint.optimize").warning("%s: the mask has no hole: nothing is done", self.photo.name)
            write_photo(self.photo, self.output, quality=self.quality)
            click.echo(f"wrote {self.output}")
            return 0
        if budget_s is not None:
            # What starting and reading took counts, and writing has to fit in as well.
            budget_s = max(budget_s - process_age_s() - 0.5, 0.1)
        with _stopping_on_signals() as signals, _bar() as show:

            def watch(step: Step) -> None:
                from inpaint.types import StopFill

                show(step)
                every = self.preview_every
                if every is not None and step.iterate.done % every == 0:
                    write_photo(self._photo_of(step.picture()), self.output, quality=self.quality)
                if signals:
                    raise StopFill

            result = self._restore(chosen, budget_s, where, watch)
            write_photo(self._photo_of(result.picture), self.output, quality=self.quality)
        if uncertainty is not None:
            self._write_uncertainty(result, Path(uncertainty))
        if trace is not None:
            _write_trace(result, Path(trace), {"task": self.task, "seed": self.seed, **self.options})
        self._report(result)
        if signals:
            click.echo("interrupted: the output holds what there was", err=True)
            return 128 + signals[0]
        return 0

    def _restore(self, options: Any, budget_s: float | None, device: Any, watch: Any) -> Restored:
        import torch

        from inpaint.dip.restoring import restore

        mask = None
        if self.hole is not None:
            mask = torch.from_numpy(self.hole).float()[None, None]  # (1, 1, H, W)
        return restore(
            self.task,  # type: ignore[arg-type]
            _tensor(self.photo),
            mask,
            flash=None if self.lit is None else _tensor(self.lit),
            options=options,
            budget_s=budget_s,
            device=device,
            seed=self.seed,
            watch=watch,
        )

    def _photo_of(self, picture: Tensor) -> Photo:
        """Return the result as a photo with all that came with the original."""
        import numpy as np

        if self.hole is not None:
            return self.photo.with_fill(picture[0].permute(1, 2, 0).cpu().numpy(), self.hole)
        height, width = picture.shape[-2:]
        blank = np.zeros((height, width, 3), self.photo.pixels.dtype)
        alpha = self.photo.alpha
        if alpha is not None and alpha.shape != (height, width):
            import cv2

            alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_CUBIC)
        return replace(self.photo, pixels=blank, alpha=alpha).with_fill(
            picture[0].permute(1, 2, 0).cpu().numpy(), np.ones((height, width), bool)
        )

    def _write_uncertainty(self, result: Restored, path: Path) -> None:
        """Write the deviation as a gray picture, white = the largest."""
        import numpy as np

        from inpaint.images.photo import photo_of_array
        from inpaint.images.writing import write_photo

        if result.uncertainty is None:
            logging.getLogger("inpaint.optimize").warning("too few samples for a map of uncertainty: none is written")
            return
        plane = result.uncertainty[0, 0].cpu().numpy()
        top = max(float(plane.max()), 1e-12)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_photo(photo_of_array(np.rint(255 * plane / top).astype(np.uint8)), path)
        click.echo(f"wrote {path}: white is a deviation of {top:.4f}")

    def _report(self, result: Restored) -> None:
        for part in result.parts:
            height, width = part.region.size
            scale = "" if part.scale == 1 else f" at {100 * part.scale:.0f} % of its size"
            found = part.outcome
            click.echo(
                f"{part.preset}: {width} x {height} px{scale}, {part.width} channels, {part.depth} scales, "
                f"{found.iterations} iterations in {found.seconds:.1f} s ({found.reason})"
            )
            if found.reason == "budget" and found.iterations < FEW_ITERATIONS:
                logging.getLogger("inpaint.optimize").warning(
                    "the budget had room for %d iterations only: expect little, or give a longer --budget",
                    found.iterations,
                )
        click.echo(f"wrote {self.output}")


def _tensor(photo: Photo) -> Tensor:
    import torch

    return torch.from_numpy(photo.array()).permute(2, 0, 1)[None].contiguous()  # (1, 3, H, W)


@contextmanager
def _stopping_on_signals() -> Iterator[list[int]]:
    """Yield a list that receives the number of SIGINT or SIGTERM; a second one ends at once."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            sys.exit(128 + number)
        received.append(int(number))

    try:
        before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: somebody else decides about signals
        yield received
        return
    try:
        yield received
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _bar() -> Iterator[Any]:
    """Show iterations and the remaining time on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("measuring", total=None, left="")

        def show(step: Step) -> None:
            seen = step.iterate
            if seen.event is not None:
                logging.getLogger("inpaint.optimize").warning("%s", seen.event)
            if bar.disable:
                return
            part = "" if step.regions == 1 else f"part {step.region + 1} of {step.regions}, "
            left = "" if seen.remaining_s is None else f"{seen.remaining_s:.0f} s left"
            bar.update(task, description=f"{part}iteration", completed=seen.done, total=seen.total, left=left)

        yield show


def _write_trace(result: Restored, path: Path, request: dict[str, Any]) -> None:
    """Write the course of the run as JSON: the request, and per part what it was made with and the loss on the way."""
    from inpaint.system.files import atomic_write

    parts = [
        {
            "region": asdict(part.region),
            "preset": part.preset,
            "width": part.width,
            "scale": part.scale,
            "depth": part.depth,
            "iterations": part.outcome.iterations,
            "seconds": part.outcome.seconds,
            "reason": part.outcome.reason,
            "falls": part.outcome.falls,
            "trace": [asdict(line) for line in part.outcome.trace],
        }
        for part in result.parts
    ]
    content = {"request": request, "seconds": result.seconds, "parts": parts}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
