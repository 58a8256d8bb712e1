"""The one call for notebooks: a picture and a mask in, the picture without the hole out."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inpaint.errors import InputError, MaskError, UsageError
from inpaint.images import metadata
from inpaint.images.formats import format_of_name
from inpaint.images.masks import Hole, dilate_hole, fit_hole, hole_of
from inpaint.images.photo import Photo, Pixels, photo_of_array, upright
from inpaint.images.reading import MAX_PIXELS, from_pillow, read_photo
from inpaint.images.sixteen_bit import channels_of
from inpaint.images.writing import to_pillow, write_photo
from inpaint.pipeline.photo import fill_photo
from inpaint.pipeline.running import check_folder
from inpaint.types import Inpainter

PathLike: TypeAlias = "str | os.PathLike[str]"
Plane: TypeAlias = "PathLike | Image.Image | NDArray[Any]"


@overload
def fill(
    image: NDArray[Any],
    mask: Plane,
    *,
    model: PathLike | Inpainter = ...,
    output: PathLike | None = ...,
    invert_mask: bool = ...,
    dilate: int = ...,
    seed: int = ...,
    device: str = ...,
    sketch: Plane | None = ...,
    edges: Plane | None = ...,
    quality: int = ...,
    max_pixels: int = ...,
    **model_options: Any,
) -> NDArray[Any]: ...


@overload
def fill(
    image: PathLike | Image.Image,
    mask: Plane,
    *,
    model: PathLike | Inpainter = ...,
    output: PathLike | None = ...,
    invert_mask: bool = ...,
    dilate: int = ...,
    seed: int = ...,
    device: str = ...,
    sketch: Plane | None = ...,
    edges: Plane | None = ...,
    quality: int = ...,
    max_pixels: int = ...,
    **model_options: Any,
) -> Image.Image: ...


def fill(
    image: PathLike | Image.Image | NDArray[Any],
    mask: Plane,
    *,
    model: PathLike | Inpainter = "telea",
    output: PathLike | None = None,
    invert_mask: bool = False,
    dilate: int = 0,
    seed: int = 0,
    device: str = "auto",
    sketch: Plane | None = None,
    edges: Plane | None = None,
    quality: int = 95,
    max_pixels: int = MAX_PIXELS,
    **model_options: Any,
) -> Image.Image | NDArray[Any]:
    """Fill the hole of one picture and return it at the same size, every known pixel as it was.

    image: a path, a Pillow image, or an array (H, W) or (H, W, 1..4) of uint8, uint16, or floats in [0, 1].
    mask: the same kinds; white (at least half) = hole, or True in a bool array, or 1 in an integer array; another
    scale of the same shape is resized. invert_mask: black = hole. dilate: pixels by which the hole grows.
    model: a registered name, the folder of a run, a weights file, or an `Inpainter` that is already loaded (load it
    once when you fill many pictures). device, model_options: passed to `inpaint.load`. sketch: lines to follow, white
    on black, for models that accept it. edges: all lines of the hole, likewise, in place of those that a model
    completes itself. seed: for models that draw at random.
    output: also write the result there, at full depth, with profile and metadata, in the format of the name (quality:
    for JPEG and WebP; 100 makes WebP lossless). max_pixels: refuse files that claim more.

    An array comes back as an array of the same shape and dtype. A path or a Pillow image comes back as a Pillow image:
    L, LA, RGB, RGBA, or I;16 for 16-bit gray. Pillow has no other 16-bit kind, so 16-bit color files are returned in 8
    bit; `output`, or an array, keeps all bits. Files are turned upright by their EXIF orientation; Pillow images stay
    as they lie in memory.

    Raises UsageError, InputError, MaskError or WeightsError, all InpaintError, with one line that says what to do.
    """
    if output is not None:
        format_of_name(output)
        check_folder(Path(output).parent)
    if dilate < 0:
        raise UsageError(f"dilate must be at least 0 pixels, got {dilate}")
    photo, orientation = _photo(image, max_pixels)
    size = (photo.height, photo.width)
    hole = fit_hole(_plane(mask, "mask", invert_mask, max_pixels), *size, name=_name(mask, "mask"))
    lines = {
        kind: fit_hole(_plane(drawn, kind, False, max_pixels), *size, name=_name(drawn, kind), what=kind)
        for kind, drawn in (("sketch", sketch), ("edges", edges))
        if drawn is not None
    }
    inpainter = _inpainter(model, device, model_options)
    filled = fill_photo(
        photo, dilate_hole(hole, dilate), inpainter, sketch=lines.get("sketch"), edges=lines.get("edges"), seed=seed
    )
    if output is not None:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        write_photo(_turned(filled, orientation), output, quality=quality)
    if isinstance(image, np.ndarray):
        return channels_of(filled).reshape(image.shape)
    picture = to_pillow(filled)
    if filled.icc is not None:
        picture.info["icc_profile"] = filled.icc
    if isinstance(image, Image.Image) and "exif" in image.info:
        picture.info["exif"] = image.info["exif"]
    elif filled.exif is not None:
        picture.info["exif"] = b"Exif\0\0" + filled.exif
    return picture


def _inpainter(model: PathLike | Inpainter, device: str, options: dict[str, Any]) -> Inpainter:
    if isinstance(model, (str, os.PathLike)):
        from inpaint.registry import load

        return load(model, device=device, **options)
    if options:
        raise UsageError(f"{', '.join(sorted(options))}: options of a model that is already loaded; give them to load")
    return model


def _photo(image: PathLike | Image.Image | NDArray[Any], max_pixels: int) -> tuple[Photo, int]:
    """Return the photo and how it still has to be turned when it becomes a file."""
    if isinstance(image, np.ndarray):
        return photo_of_array(image), 1
    if isinstance(image, Image.Image):
        return from_pillow(image, turn=False), metadata.orientation(image)
    if isinstance(image, (str, os.PathLike)):
        return read_photo(image, max_pixels=max_pixels), 1
    raise InputError(f"image must be a path, a Pillow image or a NumPy array, got {type(image).__name__}")


def _turned(photo: Photo, orientation: int) -> Photo:
    if orientation == 1:
        return photo
    alpha = None if photo.alpha is None else np.ascontiguousarray(upright(photo.alpha, orientation))
    return replace(photo, pixels=np.ascontiguousarray(upright(photo.pixels, orientation)), alpha=alpha)


def _plane(source: Plane, what: str, invert: bool, max_pixels: int) -> Hole:
    if isinstance(source, (str, os.PathLike)):
        photo = read_photo(source, max_pixels=max_pixels)
    elif isinstance(source, Image.Image):
        photo = from_pillow(source, turn=False)
    elif isinstance(source, np.ndarray):
        photo = photo_of_array(_mask_array(source, what))
    else:
        raise MaskError(f"{what} must be a path, a Pillow image or a NumPy array, got {type(source).__name__}")
    return hole_of(photo, invert=invert, what=what)


def _mask_array(values: NDArray[Any], what: str) -> Pixels:
    """Return a mask array as uint8, uint16 or float; the many ways to say 0 and 1 become 0 and white."""
    if values.dtype.kind == "f":
        if not (np.isfinite(values).all() and values.min(initial=0) >= 0 and values.max(initial=0) <= 1):
            raise MaskError(f"a floating-point {what} must lie in [0, 1]; use uint8 for 0..255")
        return values.astype(np.float32)
    if values.dtype.kind not in "bui":
        raise MaskError(f"{what} must be bool, integer or floating point, got {values.dtype}")
    top = int(values.max(initial=0))
    if values.min(initial=0) < 0 or top > 65535:
        raise MaskError(f"{what} must lie in 0..255 or 0..65535, got {values.min()} to {top}")
    if top <= 1:
        return values.astype(np.uint8) * np.uint8(255)
    return values.astype(np.uint8 if top <= 255 and values.dtype != np.uint16 else np.uint16)


def _name(source: Plane, what: str) -> str:
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else what
