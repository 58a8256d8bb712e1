"""`inpaint infer`: fill the holes of one photo or of a folder of photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inpaint.cli import model_options, photo_options, places, strategy_options
from inpaint.errors import InpaintError, UsageError
from inpaint.system.progress import bar
from inpaint.system.signals import StopRequest, ending_on_sigterm, stopping_on_signals

if TYPE_CHECKING:
    from inpaint.pipeline import Job, JobOptions, Marks, Outcome, RunJournal
    from inpaint.pipeline.workers import Engine
    from inpaint.registry.loadable import Loadable
    from inpaint.registry.table import Described
    from inpaint.system.progress import StepsOfItems
    from inpaint.types import Inpainter, Progress
    from inpaint.weights.runs import Which

EXAMPLES = """
\b
Examples:
  inpaint infer --model patch --image photo.jpg --mask mask.png --output filled.png
  inpaint infer --model checkpoints/my-run --image photos/ --mask masks/ --output filled/
  inpaint infer --model checkpoints/my-run --image photos/ --mask logo.png --output filled/ --dilate 5 --resume
  inpaint infer --model checkpoints/pluralistic --image photo.jpg --mask mask.png --output fills/ --samples 20 --top 5
  inpaint infer --model patch --image photo.jpg --box 120,80,140,220 --output without.png --preview box.png
  inpaint infer --model patch --image film.mp4 --mask logo.png --output clean.mp4
  inpaint infer --model checkpoints/blind-run --image photos/ --output clean/
  inpaint infer --model patch --mask-from checkpoints/blind-run --image photo.jpg --output clean.png
  inpaint infer --model checkpoints/guided --image photo.jpg --mask mask.png --sketch lines.png --output filled.png
  inpaint infer --image photos/ --mask-color red --save-mask masks/ --preview over/
  inpaint infer --model checkpoints/pluralistic --image photos/ --mask masks/ --output filled/ --option latent=mean
"""


class PlanesCommand(click.Command):
    """A command with one option for every plane that some model takes: a file, or a folder of files, of it."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options, the planes' among them, behind those that say what the hole is."""
        from inpaint.registry.table import planes

        added = [
            click.Option(
                [f"--{name}"], type=places.SOURCE, help=f"{plane.summary} File or folder, for models that take it."
            )
            for name, plane in planes().items()
        ]
        own = super().get_params(ctx)
        place = [option.name for option in own].index("opaque") + 1
        return [*own[:place], *added, *own[place:]]


@click.command(cls=PlanesCommand, short_help="fill the holes of one photo or a folder of photos", epilog=EXAMPLES)
@click.option(
    "--model",
    shell_complete=places.complete_model,
    help="Name (patch, ...; public weights, see `inpaint models`), folder of a run, weights or ONNX file.",
)
@click.option(
    "--image",
    type=places.SOURCE,
    required=True,
    help="Photo, or folder of photos (with its subfolders). -: standard input.",
)
@click.option(
    "--mask",
    "masks",
    type=places.SOURCE,
    multiple=True,
    help="White = hole. One mask for all photos, or a folder with masks of the photos' names (a.png or a_mask001.png); "
    "alpha: what is transparent in the photo itself. Several are united, and so is all else that makes a hole.",
)
@photo_options.marks_or_blind
@click.option(
    "--output",
    type=places.PLACE,
    help="File, written in the format of its name, or folder, where photos keep their name and format. -: standard "
    "output, in the format of the photo.",
)
@click.option(
    "--save-guidance",
    metavar="PLACE",
    type=photo_options.BESIDE,
    help="Write the planes that guided the fill (sketch, edges, color), at the photo's size: a PNG file for one, or a "
    "folder to be given as --sketch, --edges or --color.",
)
@photo_options.hole
@photo_options.devices
@photo_options.seed
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=1,
    help="Fills of each photo: photo.png becomes photo_1.png, photo_2.png ... and photo_sheet.png.",
)
@click.option("--top", type=click.IntRange(min=1), help="Write only so many, the best by their scores.")
@strategy_options.options
@model_options.option
@model_options.weights
@photo_options.quality
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Photos filled at once, for the fills without learning, as far as memory reaches.  [default: one per core, at "
    "most 8; models: 1]",
)
@photo_options.first_page
@click.option(
    "--ray",
    metavar="[ADDRESS]",
    is_flag=False,
    flag_value="",
    help="Fill a folder on a cluster of Ray: HOST:PORT or ray://HOST:PORT; without one that of RAY_ADDRESS, or one of "
    "this machine's own. --jobs: the most workers.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with a folder: what its journal has as done, of the same files and options, is left as it is.",
)
@click.option(
    "--skip-existing", is_flag=True, help="Leave results that exist already as they are, whatever they are of."
)
@photo_options.max_pixels
def command(
    model: str | None,
    image: str,
    masks: tuple[str, ...],
    marks: Marks | None,
    sensitivity: float,
    save_mask: str | None,
    preview: str | None,
    output: str | None,
    save_guidance: str | None,
    invert_mask: bool,
    label: str | None,
    dilate: int,
    opaque: bool,
    device: str,
    seed: int,
    samples: int,
    top: int | None,
    option: tuple[str, ...],
    weights: Which,
    quality: int | None,
    jobs: int | None,
    first_page: bool,
    ray: str | None,
    resume: bool,
    skip_existing: bool,
    max_pixels: int,
    strategy: str | None,
    seam: str | None,
    refine: bool,
    wrap: bool,
    memory: str | None,
    **planes: str | None,
) -> int:
    """Fill the holes of one photo or a folder of photos.

    The result has the photo's size, and every pixel outside the hole is the photo's own: exactly in PNG, TIFF, BMP and
    lossless WebP. A photo that fails is reported and the rest goes on; the exit status is then 1. A folder of results
    has a journal of what was done, and why not (journal.jsonl).

    Ctrl-C and SIGTERM leave whole files alone, and the status is 130 or 143. Of one photo, a fill that comes nearer to
    its answer step by step (dip) writes what there is; a second Ctrl-C ends at once.

    Models that draw at random paint as many --samples as wanted, and rank them by a discriminator's score where their
    weights hold one: number 1 is the best.

    Without --output nothing is filled: --save-mask and --preview show what would be.

    A blind model needs nothing that says what the hole is: it finds what is contaminated, and fills that. What it found
    can be written with --save-mask, corrected, and given as --mask.

    A film (--image film.mp4) becomes a film, or a folder of frames, each filled by itself; a mask may be a film, too.
    """
    from inpaint.images.films import is_film

    if is_film(image):
        from inpaint.cli.film_filling import fill_film

        context = click.get_current_context()
        return fill_film(context.params, lambda **folders: context.invoke(command, **{**context.params, **folders}))

    from inpaint.pipeline import JobOptions, Marks, check_at_once, check_guidance, check_samples, plan_jobs
    from inpaint.pipeline.running import run_jobs
    from inpaint.pipeline.workers import run_spread
    from inpaint.system.files import check_folder, check_target

    option += strategy_options.as_options(
        {"strategy": strategy, "seam": seam, "refine": refine, "wrap": wrap, "memory": memory}
    )
    devices = device.split(",")
    guidance = {name: place for name, place in planes.items() if place is not None}
    single = not Path(image).is_dir()
    _check_places(
        [image, *masks, *guidance.values()],
        output,
        [save_mask, preview, save_guidance],
        model=model,
        samples=samples,
        single=single,
    )
    _check_resumable(resume, output, skip_existing=skip_existing, single=single)
    if not masks and marks is None:
        marks = _found_by_itself(model, *option, weights=weights, sensitivity=sensitivity, fills=output is not None)
    suffix = places.suffix_of(image) if output is not None and places.passes_on(output) else ""
    with (
        ending_on_sigterm(),
        nullcontext(None) if output is None else places.written(output, suffix) as target,
    ):
        asked: dict[str, Any] = {"samples": samples, "top": top, "save_mask": save_mask, "preview": preview}
        asked["save_guidance"] = save_guidance
        todo = plan_jobs(image, masks, target, guidance=guidance, **asked)
        # Before the model is loaded: it may take long, and its work must have a place.
        if single and len(todo) == 1:
            for path in (*todo[0].outputs, *todo[0].beside):
                check_target(path)
        for folder in {path.parent for job in todo for path in (*job.outputs, *job.beside)}:
            check_folder(folder)
        options = JobOptions(
            marks=marks or Marks(),
            invert_mask=invert_mask,
            label=label,
            dilate_px=dilate,
            opaque=opaque,
            seed=seed,
            quality=quality,
            max_pixels=max_pixels,
            first_page=first_page,
            skip_existing=skip_existing,
        )

        def check(fill: Inpainter | Described) -> None:
            check_samples(fill, samples, top)
            check_guidance(fill, guidance)
            check_at_once(fill, jobs if ray is None else None)

        if model is not None and output is not None and (ray is not None or len(devices) > 1):
            engine = _engine(ray, devices, single=single, jobs=jobs)
            spread = checked(model, *option, weights=weights, check=check)
            with _journal(spread, output, options, resume=resume, single=single) as journal:
                return _work(
                    todo,
                    lambda _: run_spread(todo, spread, options, engine, journal=journal),
                    single=single,
                    shown=output,
                    journal=journal,
                )
        inpainter, chosen = None, None
        if model is not None and output is not None:
            inpainter = load_model(model, device, *option, weights=weights, check=check)
            check(inpainter)  # its options may leave less of what it can do
            chosen = loadable(model, *option, weights=weights)
        with _journal(chosen, output, options, resume=resume, single=single) as journal:
            return _work(
                todo,
                lambda tell: run_jobs(
                    todo, inpainter, options, at_once=jobs, progress=tell, journal=journal, device=devices[0]
                ),
                single=single,
                shown=output,
                journal=journal,
                gradual=inpainter is not None and inpainter.capabilities.gradual,
            )


def _found_by_itself(model: str | None, *options: str, weights: Which, sensitivity: float, fills: bool) -> Marks:
    """Return as the hole what the model finds itself. Raises UsageError for one that finds none.

    fills: whether it fills as well, and is loaded for that.
    """
    chosen = None if model is None else loadable(model, *options, weights=weights)
    if chosen is None or not chosen.capabilities.blind:
        raise UsageError(f"nothing says what the hole is: {', '.join(photo_options.WAYS)}, or a blind model")
    from inpaint.pipeline.finders import found_by
    from inpaint.pipeline.holes import Marks

    if fills:
        return Marks().or_found(0, chosen.capabilities, sensitivity=sensitivity)
    return Marks(sources=(found_by(chosen, sensitivity=sensitivity),))


def _engine(ray: str | None, devices: Sequence[str], *, single: bool, jobs: int | None) -> Engine:
    """Return what fills with several workers; raises UsageError where they cannot be, or are not for this."""
    from inpaint.pipeline.on_ray import on_ray
    from inpaint.pipeline.workers import on_devices
    from inpaint.system.devices import resolve_device

    given = f"--device {','.join(devices)}"
    if single:
        raise UsageError(f"{given if ray is None else '--ray'}: several workers are for a folder of photos")
    if ray is not None and len(devices) > 1:
        raise UsageError(f"{given}: on a cluster auto, cpu or cuda are valid; Ray hands out the GPUs")
    if ray is not None:
        return on_ray(ray or None, device=devices[0], workers=jobs)
    if jobs is not None:
        raise UsageError("--jobs is for one device; of several each fills a photo at a time: name one twice for two")
    return on_devices([str(resolve_device(device)) for device in devices])


def _journal(
    model: Loadable | None, output: str | None, options: JobOptions, *, resume: bool, single: bool
) -> AbstractContextManager[RunJournal | None]:
    """Return the journal of a folder of results; of one photo, and where nothing is filled, there is none."""
    from inpaint.pipeline import RunJournal

    if single or model is None or output is None:
        return nullcontext()
    return RunJournal(Path(output), asked=[model.identity(), options], resume=resume)


def _check_resumable(resume: bool, output: str | None, *, skip_existing: bool, single: bool) -> None:
    """Raise UsageError where there is no journal to go on from."""
    if resume and (single or output is None):
        where = "for one photo" if single else "without --output"
        raise UsageError(f"--resume goes on with a folder of photos; leave it out {where}")
    if resume and skip_existing:
        raise UsageError("--resume and --skip-existing are two ways to leave results alone: choose one")


def _check_places(
    read: Sequence[str],
    output: str | None,
    beside: Sequence[str | None],
    *,
    model: str | None,
    samples: int,
    single: bool,
) -> None:
    """Raise UsageError where what is read and written cannot be together; beside: where the hole is shown."""
    written = [place for place in (output, *beside) if place is not None]
    if not written:
        raise UsageError("--output is missing: where the result goes; --preview alone shows what would be filled")
    if output is not None and model is None:
        raise UsageError("--model is missing: patch, another name, the folder of a run, a weights file or an ONNX file")
    places.check_apart(read, written, names="--output, --save-mask, --preview and --save-guidance")
    if output is not None and places.passes_on(output) and (samples > 1 or not single):
        where = "standard output (-)" if output == places.DASH else f"'{output}'"
        raise UsageError(f"{where} takes one photo: name a folder for several")


def load_model(model: str, device: str, *options: str, weights: Which, check: Callable[[Described], None]) -> Inpainter:
    """Return the model with its options, each NAME=VALUE, after `check` of what it says of itself without torch."""
    return checked(model, *options, weights=weights, check=check).load(device)


def checked(model: str, *options: str, weights: Which, check: Callable[[Described], None]) -> Loadable:
    """Return what loads the model, after `check` of what it says of itself without torch."""
    from inpaint.registry.loading import described

    chosen = loadable(model, *options, weights=weights)
    if (fill := described(model, weights=weights, **chosen.options)) is not None:
        check(fill)
    return chosen


def loadable(model: str, *options: str, weights: Which) -> Loadable:
    """Return what loads the model with its options, each NAME=VALUE."""
    from inpaint.registry.loadable import Loadable

    chosen = model_options.for_models({model: model}, options, weights={model: weights})[model]
    return Loadable(spec=model, options=chosen, weights=weights)


def _work(
    jobs: Sequence[Job],
    run: Callable[[StepsOfItems], Iterator[Outcome]],
    *,
    single: bool,
    shown: str | None,
    journal: RunJournal | None = None,
    gradual: bool = False,
) -> int:
    """Run the jobs under a progress bar, report, and return the exit status.

    shown: the output as it was given. gradual: whether a fill that is stopped has something to show.
    """
    from inpaint.types import StopFill

    count, strategy = Counter[str](), ""
    single = single and len(jobs) == 1
    keeps = gradual and single and jobs[0].samples == 1
    try:
        with (
            stopping_on_signals() if keeps else nullcontext(StopRequest()) as request,
            bar("photos", len(jobs)) as photos,
        ):

            def tell(step: Progress, items: int = 1) -> None:
                photos.inner(step, items)
                if request.number is not None:
                    raise StopFill

            for outcome in photos.track(run(tell)):
                count[outcome.status] += 1
                strategy = outcome.strategy
                if outcome.status == "failed" and single:
                    raise InpaintError(outcome.reason)
                if outcome.status == "failed":
                    click.echo(f"failed: {outcome.reason}", err=True)
    except (KeyboardInterrupt, SystemExit):
        if not single:
            done = count["filled"] + count["marked"] + count["without a hole"]
            how = "--skip-existing" if journal is None else "--resume"
            click.echo(f"{done} of {len(jobs)} done; run again with {how} to go on", err=True)
        raise
    if single:
        if shown is None or not places.passes_on(shown):
            named, how = _named(jobs[0], copied=count["without a hole"] > 0), f" ({strategy})" if strategy else ""
            click.echo(f"{'kept' if count['skipped'] else 'wrote'} {named}{how}")
        if request.number is not None:
            click.echo("interrupted: the output holds what there was", err=True)
        return request.exit_status
    order = ("filled", "marked", "without a hole", "skipped", "failed")
    click.echo(", ".join(f"{count[status]} {status}" for status in order if count[status]))
    return 1 if count["failed"] else 0


def _named(job: Job, *, copied: bool) -> str:
    """Return in words which files of a job were written."""
    fills, named = job.outputs, list[str]()
    if fills:
        several = f"{fills[0]} to {fills[-2].name} and {fills[-1].name}" if len(fills) > 1 else ""
        named.append((several or str(fills[0])) + (", a copy: nothing to fill" if copied else ""))
    return "; ".join([*named, *map(str, job.beside)])
