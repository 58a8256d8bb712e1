"""`inpaint blend`: put a part of one photo into another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from inpaint.blending.table import BLENDERS, DEFAULT
from inpaint.cli import course, photo_options, places

if TYPE_CHECKING:
    from inpaint.pipeline.blending import BlendedPhoto

EXAMPLES = """
\b
Examples:
  inpaint blend --source object.png --target scene.jpg --output out.png --at 120,80
  inpaint blend --source photo.jpg --mask mask.png --target scene.jpg --output out.jpg --scale 0.5 --rotate 10
  inpaint blend --source photo.jpg --box 40,60,200,150 --target scene.jpg --output out.png --method poisson \\
      --option mode=mixed
  inpaint blend --source object.png --target scene.jpg --output out.png --method checkpoints/harmonizer
  inpaint blend --source object.png --target scene.jpg --output out.png --method paste --option colors=reinhard
"""


@click.command(short_help="put a part of one photo into another", epilog=EXAMPLES)
@click.option("--source", type=places.SOURCE, required=True, help="The photo with the object. -: standard input.")
@click.option("--target", type=places.SOURCE, required=True, help="The photo that it goes into.")
@click.option(
    "--mask",
    "masks",
    type=places.SOURCE,
    multiple=True,
    help="White = object, in the source's frame. Several are united.  [default: what is not transparent in the source]",
)
@click.option(
    "--box",
    "boxes",
    metavar="X,Y,WIDTH,HEIGHT",
    multiple=True,
    help="A box around an object in the source: the object alone is taken, as its colors stand out.",
)
@click.option(
    "--output",
    type=places.IMAGE,
    required=True,
    help="File, written in the format of its name. -: standard output, in the format of the target.",
)
@click.option(
    "--method",
    metavar="NAME|RUN",
    default=DEFAULT,
    help="; ".join(f"{name}: {entry.summary}" for name, entry in BLENDERS.items())
    + "; RUN: a trained harmonizer, its folder.",
)
@click.option(
    "--option",
    "option",
    metavar="NAME=VALUE",
    multiple=True,
    help="Of the method (mode=mixed, width=20, ...); repeat for several.",
)
@click.option(
    "--at",
    metavar="X,Y",
    type=photo_options.POINT,
    help="Where the source's top left corner lies in the target; may be negative.  [default: centered]",
)
@click.option("--scale", type=float, default=1.0, help="Factor of the source's size.")
@click.option("--rotate", type=float, default=0.0, help="Degrees, counterclockwise.")
@photo_options.masked("object", opaque="Make the object opaque where the target is transparent.")
@click.option(
    "--save-mask",
    metavar="FILE",
    type=photo_options.BESIDE,
    help="Write where the object lies in the target, as a mask.",
)
@click.option("--preview", metavar="FILE", type=photo_options.BESIDE, help="Write the target with that marked.")
@course.budget
@photo_options.device
@photo_options.seed
@course.preview_every
@course.trace
@photo_options.quality
@photo_options.first_page
@photo_options.max_pixels
def command(
    source: str,
    target: str,
    masks: tuple[str, ...],
    boxes: tuple[str, ...],
    output: str,
    method: str,
    option: tuple[str, ...],
    at: str | None,
    scale: float,
    rotate: float,
    invert_mask: bool,
    label: str | None,
    dilate: int,
    opaque: bool,
    save_mask: str | None,
    preview: str | None,
    budget: str | None,
    device: str,
    seed: int,
    preview_every: int | None,
    trace: str | None,
    quality: int | None,
    first_page: bool,
    max_pixels: int,
) -> int:
    """Put a part of one photo, the source, into another one, the target.

    The output has the target's size, depth, profile and metadata, and its pixels outside of the object, exactly in PNG,
    TIFF, BMP and lossless WebP. Methods that take long write what there is on Ctrl-C and SIGTERM, and the status is 130
    or 143; a second Ctrl-C ends at once.
    """
    from inpaint.registry.blenders import load_method, method_options
    from inpaint.registry.texts import for_options

    places.check_apart(
        [source, target, *masks],
        [output, trace, save_mask, preview],
        names="--output, --trace, --save-mask and --preview",
    )
    photo_options.check_beside(save_mask, preview)
    places.check_exists(source, target, *masks)
    gradual = method in BLENDERS and BLENDERS[method].gradual
    chosen = for_options(f"the method {method}", type(method_options(method)), option)
    method_options(method, chosen)
    course.check_gradual(method, gradual=gradual, budget=budget, preview_every=preview_every)

    from inpaint.blending.placing import Placement
    from inpaint.images.reading import read_photo
    from inpaint.pipeline.blending import blend_photos, object_in_source, write_trace

    placement = Placement(at=photo_options.point_of(at), scale=scale, rotate=rotate)
    blender = load_method(method, device=device, **chosen)
    with course.on_course(
        output,
        like=target,
        description="blending",
        quality=quality,
        preview_every=preview_every,
        beside={"trace": (trace, ".json")},
    ) as work:
        read = read_photo(source, max_pixels=max_pixels, first_page=True)
        found = blend_photos(
            read,
            read_photo(target, max_pixels=max_pixels, first_page=first_page),
            blender,
            mask=object_in_source(
                read,
                masks,
                box=list(boxes),
                invert=invert_mask,
                label=label,
                dilate_px=dilate,
                max_pixels=max_pixels,
            ),
            placement=placement,
            opaque=opaque,
            seed=seed,
            budget_s=course.seconds(budget),
            save_mask=save_mask,
            preview=preview,
            callback=work.tell,
        )
        work.write(found.photo)
        if trace is not None:
            placed = {"at": at, "scale": scale, "rotate": rotate}
            write_trace(found, work.beside["trace"], {"method": method, "options": chosen, "seed": seed, **placed})
    _report(found, method, work.say)
    return work.ended(output, gradual=gradual)


def _report(found: BlendedPhoto, method: str, say: Callable[[str], None]) -> None:
    from inpaint.images.regions import Region

    box, details = Region.around(found.mask), found.blend.details
    (height, width), lost = box.size, round(100 * found.outside_share)
    cropped = f", {lost} % of it outside of the target" if lost else ""
    taken = f"{method}, {details['method']}: {details['reason']}" if "method" in details else method
    say(f"{taken}; the object has {width} x {height} px at {box.left},{box.top}{cropped}")
