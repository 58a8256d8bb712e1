"""`inpaint stylize`: paint a photo, a folder of photos or a film in the style of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from inpaint.cli import course, photo_options, places
from inpaint.errors import InpaintError, UsageError
from inpaint.style.options import Colors, Transform
from inpaint.style.table import STYLIZERS

if TYPE_CHECKING:
    from inpaint.pipeline.style_sources import AskedStyle
    from inpaint.pipeline.styling import StylizedPhoto
    from inpaint.types import Stylizer

EXAMPLES = """
\b
Examples:
  inpaint stylize --content photo.jpg --style painting.jpg --output painted.jpg
  inpaint stylize --content photo.jpg --style painting.jpg --output painted.jpg --colors keep --strength 0.7
  inpaint stylize --content photo.jpg --style a.jpg --weight 2 --style b.jpg --weight 1 --output mixed.png
  inpaint stylize --content photo.jpg --style a.jpg --content-mask sky.png --style b.jpg --content-mask ground.png \\
      --output two.png
  inpaint stylize --content photos/ --style painting.jpg --output painted/ --model checkpoints/adain
  inpaint stylize --content day.jpg --style dusk.jpg --output dusk-here.jpg --model photo
  inpaint stylize --content film.mp4 --output painted.mp4 --model checkpoints/johnson
"""


@click.command(short_help="paint photos in the style of others", epilog=EXAMPLES)
@click.option(
    "--content",
    type=places.SOURCE,
    required=True,
    help="Photo, folder of photos (with its subfolders), or film. -: standard input.",
)
@click.option(
    "--style",
    "styles",
    multiple=True,
    help="Picture whose style is wanted, or the name of a style that the model has learned. Several share the photo.",
)
@click.option(
    "--weight", "weights", type=float, multiple=True, help="Of each style, in their order.  [default: all alike]"
)
@click.option(
    "--content-mask",
    "content_masks",
    metavar="FILE|all",
    type=places.SOURCE,
    multiple=True,
    help="White = where this style goes, in the order of the styles; all: everywhere.",
)
@click.option(
    "--style-mask",
    "style_masks",
    metavar="FILE|all",
    type=places.SOURCE,
    multiple=True,
    help="White = what is looked at of this style's picture.",
)
@click.option(
    "--content-labels",
    metavar="FILE",
    type=places.SOURCE,
    help="Picture of the photo's regions, one color or number each, for one style in place of masks.",
)
@click.option(
    "--style-labels",
    metavar="FILE",
    type=places.SOURCE,
    help="Likewise of the style: each region of the photo is painted like the one of its color there.",
)
@click.option(
    "--output",
    type=places.PLACE,
    required=True,
    help="File, written in the format of its name, or folder, where photos keep their name and format. -: standard "
    "output, in the format of the photo.",
)
@click.option(
    "--model",
    metavar="NAME|RUN",
    default="gatys",
    show_default=True,
    help="; ".join(f"{name}: {entry.summary}" for name, entry in STYLIZERS.items())
    + "; RUN: a trained style network, its folder.",
)
@click.option("--strength", type=click.FloatRange(0, 1), help="From 0, the photo, to 1.  [default: 1]")
@click.option("--scale", type=float, help="Longer side of the style, of the photo's: larger strokes.  [default: 1]")
@click.option(
    "--colors",
    type=click.Choice(get_args(Colors)),
    help="style: the style's. keep: the photo's, under the painted lightness. match: the style gets the photo's first. "
    "luminance: lightness alone is painted.  [default: style]",
)
@click.option("--transform", type=click.Choice(get_args(Transform)), help="Of networks for any style.")
@click.option(
    "--size",
    type=click.IntRange(min=16),
    help="Longer side to work at; the result is enlarged to the photo's size.  [default: the photo's]",
)
@click.option("--option", "option", metavar="NAME=VALUE", multiple=True, help="Of the model; repeat for several.")
@click.option(
    "--film",
    "film",
    metavar="NAME=VALUE",
    multiple=True,
    help="Of a film: how its frames are held together (blend=0.8, temporal=1, earlier=[1,2,4], passes=2, flow=FOLDER).",
)
@click.option("--resume", is_flag=True, help="Go on with a film that was interrupted.")
@course.budget
@photo_options.device
@photo_options.seed
@course.preview_every
@course.trace
@photo_options.quality
@click.option("--skip-existing", is_flag=True, help="Leave results of a folder that exist already as they are.")
@photo_options.first_page
@photo_options.max_pixels
def command(
    content: str,
    styles: tuple[str, ...],
    weights: tuple[float, ...],
    content_masks: tuple[str, ...],
    style_masks: tuple[str, ...],
    content_labels: str | None,
    style_labels: str | None,
    output: str,
    model: str,
    strength: float | None,
    scale: float | None,
    colors: str | None,
    transform: str | None,
    size: int | None,
    option: tuple[str, ...],
    film: tuple[str, ...],
    resume: bool,
    budget: str | None,
    device: str,
    seed: int,
    preview_every: int | None,
    trace: str | None,
    quality: int | None,
    skip_existing: bool,
    first_page: bool,
    max_pixels: int,
) -> int:
    """Paint photos in the style of others; their size, depth, profile and metadata are kept.

    A film (--content film.mp4) becomes a film, or a folder of frames, each of them held to those before by the optical
    flow, so that it does not flicker; its sound is kept where ffmpeg is there.

    Methods that take long write what there is on Ctrl-C and SIGTERM, and the status is 130 or 143; a second Ctrl-C ends
    at once.
    """
    from inpaint.images.films import is_film
    from inpaint.options import validated
    from inpaint.pipeline.style_sources import asked_styles
    from inpaint.registry.stylizers import load_stylizer, stylizer_options
    from inpaint.registry.texts import for_options

    places.check_apart(
        [
            content,
            *styles,
            *(each for each in (*content_masks, *style_masks) if each != "all"),
            content_labels,
            style_labels,
        ],
        [output, trace],
        names="--output and --trace",
    )
    places.check_exists(content, content_labels, style_labels)
    named = {"transform": transform, "strength": strength, "scale": scale, "colors": colors}
    given = (*option, *(f"{name}={value}" for name, value in named.items() if value is not None))
    chosen = for_options(f"the model {model}", type(stylizer_options(model)), given)
    stylizer_options(model, chosen)
    gradual = model in STYLIZERS and STYLIZERS[model].gradual
    course.check_gradual(model, gradual=gradual, budget=budget, preview_every=preview_every)
    asked = asked_styles(
        styles, weights, content_masks, style_masks, content_labels=content_labels, style_labels=style_labels
    )
    how: dict[str, Any] = {"size_px": size, "seed": seed, "budget_s": course.seconds(budget)}
    of_film = is_film(content)
    if not of_film and (film or resume):
        raise UsageError(f"{'--film' if film else '--resume'} is for films, and --content is none")
    if of_film:
        from inpaint.style.film.options import FilmOptions

        _check_film(trace=trace, preview_every=preview_every, budget=budget, output=output)
        held = validated(FilmOptions, for_options("films", FilmOptions, film))
        stylizer = load_stylizer(model, device=device, **chosen)
        asked_for = {"model": model, "options": chosen, "styles": list(styles), "weights": list(weights)}
        return _film(
            content, asked, stylizer, output, options=held, size_px=size, seed=seed, resume=resume, request=asked_for
        )
    if Path(content).is_dir():
        if trace is not None or places.passes_on(output):
            raise UsageError("--trace and standard output are for one photo, and --content is a folder")
        stylizer = load_stylizer(model, device=device, **chosen)
        return _folder(
            content,
            asked,
            stylizer,
            output,
            how,
            quality=quality,
            skip_existing=skip_existing,
            reads={"max_pixels": max_pixels, "first_page": first_page},
        )

    from inpaint.images.reading import read_photo
    from inpaint.pipeline.styling import stylize_photo, write_trace

    stylizer = load_stylizer(model, device=device, **chosen)
    with course.on_course(
        output,
        like=content,
        description="painting",
        quality=quality,
        preview_every=preview_every,
        beside={"trace": (trace, ".json")},
    ) as work:
        photo = read_photo(content, max_pixels=max_pixels, first_page=first_page)
        found = stylize_photo(
            photo, asked.sources(photo, stylizer, max_pixels=max_pixels), stylizer, callback=work.tell, **how
        )
        work.write(found.photo)
        if trace is not None:
            request = {"content": content, "styles": list(styles), "model": model, "options": chosen, **how}
            write_trace(found, work.beside["trace"], request)
    _report(found, model, work.say)
    return work.ended(output, gradual=gradual)


def _check_film(*, output: str, **others: Any) -> None:
    """Raise UsageError for what cannot be asked for of a film."""
    for name, given in others.items():
        if given is not None:
            raise UsageError(f"--{name.replace('_', '-')} is for photos, and --content is a film")
    if places.passes_on(output):
        raise UsageError("standard output takes one photo: name a film, or a folder for its frames")


def _film(content: str, asked: AskedStyle, stylizer: Stylizer, output: str, **how: Any) -> int:
    """Paint a film and return the exit status; what is done of it stays when it is interrupted."""
    from inpaint.pipeline.style_film import stylize_film
    from inpaint.system.progress import bar
    from inpaint.system.signals import ending_on_sigterm

    try:
        with ending_on_sigterm(), bar("frames") as frames:
            said = stylize_film(content, asked, stylizer, output, told=frames.show, **how)
    except (KeyboardInterrupt, SystemExit):
        click.echo("run again with --resume to go on", err=True)
        raise
    click.echo(said)
    return 0


def _folder(
    content: str,
    asked: AskedStyle,
    stylizer: Stylizer,
    output: str,
    how: dict[str, Any],
    *,
    quality: int | None,
    skip_existing: bool,
    reads: dict[str, Any],
) -> int:
    """Paint every photo of a folder; report those that fail, and return the exit status."""
    from inpaint.images.reading import read_photo
    from inpaint.images.writing import write_photo
    from inpaint.pipeline.matching import plan_jobs
    from inpaint.pipeline.styling import stylize_photo
    from inpaint.system.files import check_folder
    from inpaint.system.progress import bar
    from inpaint.system.signals import ending_on_sigterm

    jobs = plan_jobs(content, [], output)
    for folder in {path.parent for job in jobs for path in job.outputs}:
        check_folder(folder)
    painted, failed, kept = 0, 0, 0
    with ending_on_sigterm(), bar("photos", len(jobs)) as photos:
        for job in photos.track(jobs):
            (target,) = job.outputs
            if skip_existing and target.exists():
                kept += 1
                continue
            try:
                photo = read_photo(job.image, **reads)
                sources = asked.sources(photo, stylizer, max_pixels=reads["max_pixels"])
                found = stylize_photo(photo, sources, stylizer, **how)
                target.parent.mkdir(parents=True, exist_ok=True)
                write_photo(found.photo, target, quality=quality)
                painted += 1
            except InpaintError as error:
                failed += 1
                click.echo(f"failed: {error}", err=True)
    counts = {"painted": painted, "skipped": kept, "failed": failed}
    click.echo(", ".join(f"{count} {what}" for what, count in counts.items() if count))
    return 1 if failed else 0


def _report(found: StylizedPhoto, model: str, say: Callable[[str], None]) -> None:
    height, width = found.stylized.image.shape[:2]
    whole = (found.photo.height, found.photo.width)
    enlarged = "" if (height, width) == whole else f", enlarged to {whole[1]} x {whole[0]}"
    stages: Sequence[Any] = found.stylized.details.get("stages", ())
    steps = sum(stage["iterations"] for stage in stages)
    say(f"{model}: {width} x {height} px{enlarged}" + (f", {steps} steps" if steps else ""))
