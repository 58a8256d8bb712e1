"""The one call for notebooks: a photo and a mask in, the photo without the hole out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import TypeVar

import inpaint.arguments as arguments
from inpaint.errors import InputError, UsageError
from inpaint.fills.checks import checked_seed
from inpaint.finding.table import SENSITIVITY
from inpaint.images.formats import format_of_name
from inpaint.images.hole_files import check_mask_name, write_mask, write_preview
from inpaint.images.mask_rules import Label
from inpaint.images.metadata import orientation
from inpaint.images.photo import Photo, channels_of
from inpaint.images.planes import plane_of
from inpaint.images.reading import MAX_PIXELS
from inpaint.images.writing import to_pillow, write_photo
from inpaint.pipeline.holes import marks_of, split_masks, warn_without_hole
from inpaint.pipeline.photo import check_guidance, fill_photo, fitted_plane
from inpaint.pipeline.sources import PathLike, Source, drawn_of, marked, masks_of, name_of, photo_of
from inpaint.registry.loading import described, load
from inpaint.system.files import check_target
from inpaint.types import Inpainter, ProgressCallback, shown

ImageT = TypeVar("ImageT", Image.Image, NDArray[Any], default=Image.Image)
"""What comes back: the kind that was given, a Pillow image for a path."""
LoadedT = TypeVar("LoadedT")


def fill(
    image: PathLike | ImageT,
    mask: Source | Sequence[Source] | None = None,
    *,
    model: PathLike | Inpainter = "patch",
    output: PathLike | None = None,
    invert_mask: bool = False,
    label: Label | None = None,
    box: Any = None,
    polygon: Any = None,
    mask_color: str | None = None,
    object_box: Any = None,
    find: str | Sequence[str] | None = None,
    mask_from: PathLike | Inpainter | None = None,
    sensitivity: float = SENSITIVITY,
    expand: str | Sequence[int] | None = None,
    dilate: int = 0,
    save_mask: PathLike | None = None,
    preview: PathLike | None = None,
    opaque: bool = False,
    seed: int = 0,
    device: str = "auto",
    guidance: Mapping[str, Source] | None = None,
    quality: int | None = None,
    first_page: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: ProgressCallback | None = None,
    **model_options: Any,
) -> ImageT:
    """Fill the hole of one photo and return it at the same size, every known pixel as it was.

    Masks and everything else that says what the hole is are united. An array comes back as an array of the same dtype,
    and of the same shape unless it was expanded. A path or a Pillow image comes back as a Pillow image:
    L, LA, RGB, RGBA, or I;16 for 16-bit gray. Pillow has no other 16-bit kind, so 16-bit color files are returned in 8
    bit; `output`, or an array, keeps all bits. Files are turned upright by their EXIF orientation; Pillow images stay
    as they lie in memory.

    Args:
        image: A path, a Pillow image, or an array (H, W) or (H, W, 1..4) of uint8, uint16, or floats in [0, 1].
        mask: None, where the model is blind and finds the hole itself, or other arguments say what it is. Else the same
            kinds; white (above half) = hole, or True in a bool array, or 1 in an integer array; colored
            strokes and erased photos as `inpaint.images.mask_rules` says. Another scale of the same shape is resized.
            Several in a list; "alpha": what is transparent in the photo itself, which becomes opaque.
        model: A registered name, the folder of a run, a weights file, or an `Inpainter` that is already loaded (load it
            once when you fill many photos).
        output: Also write the result there, at full depth, with profile and metadata, in the format of the name.
        invert_mask: Black = hole.
        label: What in the mask is the hole: an integer, a color such as "#ff0000", or "transparent".
        box: A rectangle that is hole: x, y, width, height in pixels of the photo, turned upright; several in a list.
        polygon: Corners (x, y) in pixels around a hole; several in a list.
        mask_color: What was painted over in this color in the photo itself is hole: "red", "#ff0000".
        object_box: As `box`, around an object: what stands out in it is hole, by GrabCut.
        find: What is to be found and filled: "text", or another name of `inpaint.finding.table`; several in a list.
        mask_from: A blind model that finds the hole for any other one to fill, as `model`.
        sensitivity: Of what is found, from 0 (only what is certain) to 1.
        expand: Pixels to add at left, top, right and bottom, as a hole; the result is larger, and guidance has its
            size.
        dilate: Pixels by which the hole grows.
        save_mask: Write the hole there, as a mask that can be given again.
        preview: Write the photo with its hole over it there.
        opaque: The filled hole becomes opaque where the photo is transparent.
        seed: For models that draw at random.
        device: Passed to `inpaint.load`.
        guidance: What the model takes beside image and mask, by name of the plane, such as {"sketch": "sketch.png"}.
        quality: For JPEG, WebP, AVIF and HEIC; 100 makes WebP lossless. None: as the photo's own file where that is a
            JPEG or a lossless WebP, else 95.
        first_page: Fill the first page of a file alone; `output` gets all pages otherwise.
        max_pixels: Refuse files that claim more.
        progress: Told every step of fills that take long; may raise `StopFill` for what there is.
        model_options: Passed to `inpaint.load`.

    Raises:
        InpaintError: With one line that says what to do: UsageError, InputError, MaskError or WeightsError.

    Example:
        >>> fill("docs/examples/photo.jpg", "docs/examples/mask.png", model="patch").mode
        'RGB'
    """
    output, preview = target_of("output", output), target_of("preview", preview)
    save_mask = target_of("save_mask", save_mask)
    if save_mask is not None:
        check_mask_name(save_mask)
    masks, alpha = split_masks(masks_of(mask))
    marks = marks_of(
        alpha=alpha,
        box=box,
        polygon=polygon,
        mask_color=mask_color,
        object_box=object_box,
        find=find,
        mask_from=mask_from,
        sensitivity=sensitivity,
        expand=expand,
    )
    opaque, first_page = arguments.truth("opaque", opaque), arguments.truth("first_page", first_page)
    seed, max_pixels = checked_seed(seed), arguments.integer("max_pixels", max_pixels, least=1)
    quality = None if quality is None else arguments.integer("quality", quality, least=1, most=100)
    sources = {} if guidance is None else arguments.mapping("guidance", guidance)
    arguments.function("progress", progress)
    ready: Callable[[], Inpainter] = partial(
        loaded, "model", model, load, does="fill_arrays", device=device, options=model_options
    )
    known = described(model, **model_options) if isinstance(model, (str, os.PathLike)) else None
    if known is not None:
        check_guidance(known, sources)
    # A model is loaded when there is something to fill; before, only where it finds that itself.
    inpainter = None if isinstance(model, (str, os.PathLike)) else ready()
    if not masks and not marks:
        if known is None and inpainter is None:
            inpainter = ready()
        marks = marks.or_found(0, (known or inpainter).capabilities, sensitivity=sensitivity)  # type: ignore[union-attr]
        if marks:
            inpainter = inpainter or ready()
    marks = marks.at_work(inpainter, device)
    # What is returned has one page, whatever is written.
    photo = photo_of(image, max_pixels, first_page=first_page or output is None)
    photo, hole = marked(photo, masks, marks, invert=invert_mask, label=label, dilate_px=dilate, max_pixels=max_pixels)
    if save_mask is not None:
        write_mask(hole, save_mask)
    if preview is not None:
        write_preview(photo, hole, preview)
    warn_without_hole(photo, hole, masks, marks)
    inpainter = inpainter or ready()
    check_guidance(inpainter, sources)
    planes, size = {}, (photo.height, photo.width)
    for name, source in sources.items():
        plane = inpainter.capabilities.guidance[name]
        drawn = plane_of(drawn_of(source, name, max_pixels), plane)
        planes[name] = fitted_plane(drawn, plane, *size, name=name_of(source, name))
    shows = opaque or marks.shows
    filled = fill_photo(photo, hole, inpainter, guidance=planes, seed=seed, opaque=shows, progress=progress)
    return write_and_return(image, filled, output, quality=quality)


def target_of(name: str, place: object) -> str | None:
    """Return a path to write as text, None for None.

    Raises UsageError for a format that is unknown, InpaintError where nothing can be written.
    """
    if place is None:
        return None
    path = arguments.path(name, place)
    format_of_name(path)
    check_target(path)
    return path


def write_and_return(given: PathLike | ImageT, photo: Photo, output: str | None, *, quality: int | None) -> ImageT:
    """Write a photo that was made to `output`, if there is one, and return it as the kind of what was given."""
    if output is not None:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        turn = orientation(given) if isinstance(given, Image.Image) else 1
        write_photo(photo.turned(turn), output, quality=quality)
    result: ImageT = _as_given(given, photo)
    return result


def _as_given(given: Source, photo: Photo) -> Any:
    """Return a photo as an array of the given one's kind, or as a Pillow image with its profile and metadata."""
    if isinstance(given, np.ndarray):
        return channels_of(photo).reshape(photo.height, photo.width, *given.shape[2:])
    result = to_pillow(photo)
    if photo.icc is not None:
        result.info["icc_profile"] = photo.icc
    if isinstance(given, Image.Image) and "exif" in given.info:
        result.info["exif"] = given.info["exif"]
    elif photo.exif is not None:
        result.info["exif"] = b"Exif\0\0" + photo.exif
    return result


def loaded(
    what: str, given: object, load: Callable[..., LoadedT], *, does: str, device: str, options: Mapping[str, Any]
) -> LoadedT:
    """Return a model or method that is given by its name or place, or loaded already.

    Args:
        what: The argument, for messages.
        given: Its value.
        load: Loads a name or place.
        does: A method that everything which is loaded has.
        device: For `load`.
        options: For `load`.

    Raises:
        InputError: It is something else.
        UsageError: Options are given with what is loaded already; and what `load` raises.
    """
    if isinstance(given, str | os.PathLike):
        return load(os.fsdecode(given), device=device, **options)
    if isinstance(given, type) or not hasattr(given, does):
        raise InputError(f"{what} must be a name, a path or a loaded {what}, got {shown(given)}")
    if options:
        raise UsageError(f"{', '.join(sorted(options))}: options of a {what} that is already loaded")
    return cast(LoadedT, given)
