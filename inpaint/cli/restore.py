"""`inpaint restore`: repair one photo with nothing but the photo itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from inpaint.cli import course, photo_options, places
from inpaint.errors import UsageError

if TYPE_CHECKING:
    from inpaint.dip.restoring import Restored, RestoreStep
    from inpaint.images.photo import Photo
    from inpaint.pipeline.holes import Marks

EXAMPLES = """
\b
Examples:
  inpaint restore --task inpaint --image photo.jpg --mask mask.png --output filled.png
  inpaint restore --task inpaint --image photo.jpg --box 120,80,140,220 --output without.png
  inpaint restore --task blind --image scan.tif --output whole.tif
  inpaint restore --task denoise --image noisy.png --output clean.png --budget 5m
  inpaint restore --task super-resolve --scale 4 --image small.png --output large.png
  inpaint restore --task restore --image dotted.png --mask missing.png --output whole.png
  inpaint restore --task flash --image dark.jpg --flash lit.jpg --output better.png
"""
TASKS = ["inpaint", "restore", "denoise", "super-resolve", "flash"]  # those of dip.presets, without torch
FINDABLE = ("text", "scratches", "dust")
"""What the task blind looks for where nothing is named: damage that any photo may have."""
BLIND = "blind"
"""The task of filling what is found, in place of a mask."""


@click.command(short_help="repair one photo with nothing but the photo itself", epilog=EXAMPLES)
@click.option(
    "--task",
    type=click.Choice([*TASKS, BLIND]),
    required=True,
    help="restore: scattered missing pixels. denoise: also JPEG. blind: what is found to be damaged.",
)
@click.option(
    "--image",
    type=places.SOURCE,
    required=True,
    help="The photo; for the task flash the one without. -: standard input.",
)
@click.option(
    "--mask",
    "masks",
    type=places.SOURCE,
    multiple=True,
    help="White = hole; alpha: what is transparent. For inpaint and restore. Several are united, and so is all else "
    "that makes a hole.",
)
@photo_options.marks
@click.option("--flash", type=places.SOURCE, help="The same scene with flash.")
@click.option(
    "--output",
    type=places.IMAGE,
    required=True,
    help="File, written in the format of its name. -: standard output, in the format of the photo.",
)
@photo_options.hole
@click.option("--scale", type=click.Choice(["2", "4", "8"]), default="4", help="Of super-resolve.")
@click.option(
    "--budget",
    default="auto",
    metavar="TIME",
    help="60s, 5m, 1h: size, width and iterations follow from it. none: the preset's whole course. "
    "auto: 60s on a CPU, none on an accelerator or with --iterations or --exact.",
)
@click.option("--preset", metavar="NAME", help="Default: chosen by task, size and hole.")
@click.option("--iterations", type=click.IntRange(min=1), help="At most. Default: the preset's.")
@click.option("--width", type=click.IntRange(4, 512), help="Channels at most. Default: the preset's.")
@click.option("--exact", is_flag=True, help="The published arithmetic and course: slower, no crop, no early stop.")
@click.option("--network", type=click.Choice(["skip", "decoder"]), default="skip")
@click.option("--tv", type=click.FloatRange(min=0), default=0.0, help="Weight of total variation.")
@click.option("--runs", type=click.IntRange(1, 100), default=1, help="Average so many results.")
@click.option(
    "--stop",
    type=click.Choice(["auto", "variance", "window", "hold-out", "never"]),
    default="auto",
    help="When to stop early.",
)
@click.option("--lobes", type=click.Choice(["2", "3"]), default="2", help="Of the Lanczos kernel.")
@click.option(
    "--uncertainty", metavar="FILE", type=places.IMAGE, help="Sample by Langevin dynamics; write the deviation."
)
@photo_options.device
@photo_options.seed
@course.preview_every
@course.trace
@photo_options.quality
@photo_options.first_page
@photo_options.max_pixels
def command(
    task: str,
    image: str,
    masks: tuple[str, ...],
    marks: Marks | None,
    save_mask: str | None,
    preview: str | None,
    flash: str | None,
    output: str,
    invert_mask: bool,
    label: str | None,
    dilate: int,
    opaque: bool,
    scale: str,
    lobes: str,
    uncertainty: str | None,
    device: str,
    seed: int,
    preview_every: int | None,
    trace: str | None,
    quality: int | None,
    first_page: bool,
    max_pixels: int,
    **chosen: Any,
) -> int:
    """Repair one photo by Deep Image Prior: a network is fitted to this photo alone, nothing was trained before.

    Known pixels of inpaint and restore stay as they are, exactly in PNG, TIFF, BMP and lossless WebP. Ctrl-C and
    SIGTERM write what there is, and the status is 130 or 143; a second Ctrl-C ends at once.
    """
    from inpaint.dip.options import DipOptions
    from inpaint.dip.presets import check_task

    wanted = task
    if task == BLIND:
        task, marks = "inpaint", _found(masks, marks)
    from inpaint.options import validated

    places.check_apart(
        [image, *masks, flash],
        [output, trace, uncertainty, save_mask, preview],
        names="--output, --trace, --uncertainty, --save-mask and --preview",
    )
    photo_options.check_beside(save_mask, preview)
    places.check_exists(image, *masks, flash)
    asked = {**chosen, "factor": int(scale), "lobes": int(lobes), "langevin": uncertainty is not None}
    options = validated(DipOptions, asked)
    check_task(task, mask=bool(masks) or marks is not None, flash=flash is not None, options=options)  # type: ignore[arg-type]

    from inpaint.pipeline.restoring import (
        restore_photo,
        write_trace,
        write_uncertainty,
    )  # only now: torch takes seconds
    from inpaint.system.environment import process_age_s

    with course.on_course(
        output,
        like=image,
        description="measuring",
        quality=quality,
        preview_every=preview_every,
        beside={"uncertainty": (uncertainty, ".png"), "trace": (trace, ".json")},
    ) as work:

        def tell(step: RestoreStep, photo: Callable[[], Photo]) -> None:
            now = step.intermediate
            part = "" if step.regions == 1 else f"part {step.region + 1} of {step.regions}, "
            run = "" if options.runs == 1 else f"run {now.run + 1} of {options.runs}, "
            shown = f"{part}{run}iteration"
            work.step(now.done, now.total, description=shown, remaining_s=now.remaining_s, photo=photo)

        found = restore_photo(
            image,
            task,  # type: ignore[arg-type]
            mask=masks or None,
            marks=marks,
            save_mask=save_mask,
            preview=preview,
            flash=flash,
            options=options,
            invert_mask=invert_mask,
            label=label,
            dilate=dilate,
            opaque=opaque,
            device=device,
            seed=seed,
            spent_s=1.15 * process_age_s() + 0.5,  # what the start took counts, and writing takes a part of it
            first_page=first_page,
            max_pixels=max_pixels,
            callback=tell,
        )
        work.write(found.photo)
        if uncertainty is not None:
            top = write_uncertainty(found.restored, work.beside["uncertainty"])
            if top is not None and uncertainty != places.DASH:
                work.say(f"wrote {uncertainty}: white is a deviation of {top:.4f}")
        if trace is not None:
            write_trace(found.restored, work.beside["trace"], {"task": wanted, "seed": seed, **asked})
    _report(found.restored, work.say)
    return work.ended(output)


def _found(masks: tuple[str, ...], marks: Marks | None) -> Marks:
    """Return what the task blind fills: what `--find` and `--mask-from` name, else all that is found without a model.

    Raises UsageError where a mask says what the hole is.
    """
    from inpaint.finding.table import FINDERS, is_available
    from inpaint.pipeline.holes import marks_of

    if masks:
        raise UsageError("the task blind finds its hole itself: with a mask the task is inpaint")
    if marks is not None:
        return marks
    names = [name for name in FINDABLE if is_available(name)]
    lacking = [f" ({name} needs the extra {FINDERS[name].extra})" for name in FINDABLE if name not in names]
    click.echo(
        f"looking for {', '.join(names)} without a trained model{''.join(lacking)}; --find NAME chooses, "
        "--mask-from RUN lets a blind model look",
        err=True,
    )
    return marks_of(find=names)


def _report(restored: Restored, say: Callable[[str], None]) -> None:
    for part in restored.parts:
        height, width = part.region.size
        scale = "" if part.scale == 1 else f" at {100 * part.scale:.0f} % of its size"
        say(
            f"{part.preset}: {width} x {height} px{scale}, {part.width} channels, {part.depth} scales, "
            f"{part.result.iterations} iterations in {part.result.elapsed_s:.1f} s ({part.result.reason})"
        )
