"""What a fill accepts, checked in one place for every kind of fill, on arrays and on tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import inpaint.arguments as arguments
from inpaint.errors import InputError, MaskError
from inpaint.fills.arrays import Array, is_array, is_finite, is_floating, is_tensor, masked_fill
from inpaint.types import Capabilities, shown

SEEDS = 2**64
"""Seeds are whole numbers below this."""

_KINDS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "tensor": (is_tensor, "a dense torch tensor (B, C, H, W) of real numbers"),
    "array": (is_array, "a NumPy array (B, H, W, C) of real numbers"),
}


def check_types(
    kind: Literal["tensor", "array"],
    image: object,
    mask: object,
    guidance: object = None,
    *,
    progress: Callable[..., object] | None = None,
    **further: object,
) -> None:
    """Raise InputError unless image, mask and planes are tensors, or arrays, and the callback can be called.

    further: what else must be, by name. None stands for what is not given.
    """
    fits, wanted = _KINDS[kind]
    given_planes = {} if guidance is None else arguments.mapping("guidance", guidance)
    planes = {f"guidance.{name}": plane for name, plane in given_planes.items()}
    optional = {name: given for name, given in {"mask": mask, **further}.items() if given is not None}
    for what, given in {"image": image, **optional, **planes}.items():
        if not fits(given):
            other = {"tensor": "fill_arrays takes NumPy arrays", "array": "fill takes tensors"}[kind]
            raise InputError(
                f"{what} must be {wanted}, got {_kind_of(given)}; {other}, and inpaint.fill(image, mask, model=...) "
                "one photo as path, Pillow image or array"
            )
    arguments.function("progress", progress)


def _kind_of(given: object) -> str:
    """Return what was given in words, such as "PIL.Image.Image" or "numpy.ndarray of complex64"."""
    kind = type(given)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return f"{name} of {given.dtype}" if hasattr(given, "dtype") else name


def checked_seed(seed: object) -> int:
    """Return a seed as a plain integer, those of NumPy as well; raises InputError for anything else."""
    return arguments.integer("seed", seed, most=SEEDS - 1)


def checked_seeds(seed: object, count: int) -> int | tuple[int, ...]:
    """Return a seed for all of `count` images, or one for each of them, in plain integers.

    Raises:
        InputError: Neither an integer from 0 to 2**64 - 1 nor so many of them.
    """
    several = isinstance(seed, Sequence) or (hasattr(seed, "ndim") and not arguments.is_scalar(seed))
    if not several or isinstance(seed, str | bytes):
        return checked_seed(seed)
    if len(seed) != count:  # type: ignore[arg-type]
        raise InputError(f"seed must be an integer or one per image ({count}), got {len(seed)}")  # type: ignore[arg-type]
    return tuple(checked_seed(one) for one in seed)  # type: ignore[attr-defined]


def check_fill(
    image: Array,
    mask: Array,
    *,
    guidance: Mapping[str, Array] | None = None,
    capabilities: Capabilities,
    name: str,
) -> None:
    """Check that the images of `Inpainter.fill` fit each other and what the fill can do.

    Args:
        image: (B, 3, H, W), floating, in [0, 1] outside the hole; inside it anything, NaN too, unless the fill
            reads it.
        mask: (B, 1, H, W), every value 0 or 1, any dtype.
        guidance: Planes by name.
        capabilities: Of the fill.
        name: Of the fill, for messages.

    Raises:
        InputError: The image or the guidance does not fit.
        MaskError: The mask does not fit the image, or leaves nothing to work from.
    """
    check_devices(image, mask, guidance)
    check_image(image, capabilities=capabilities, name=name)
    _check_mask(image, mask, capabilities, name)
    _check_guidance(image, mask, guidance or {}, capabilities, name)


def check_devices(image: Array, mask: Array | None, guidance: Mapping[str, Array] | None) -> None:
    """Raise InputError when a plane lies on another device than the image."""
    for plane in (mask, *(guidance or {}).values()):
        if plane is not None and plane.device != image.device:
            raise InputError(f"image and masks must be on one device, got {image.device} and {plane.device}")


def check_image(image: Array, *, capabilities: Capabilities, name: str) -> None:
    """Check the images (B, 3, H, W) of a fill as far as no mask is needed for it; see `check_fill`."""
    if image.ndim != 4 or image.shape[1] != 3 or image.shape[0] == 0:
        raise InputError(f"image must have shape (B, 3, H, W) with B at least 1, got {tuple(image.shape)}")
    if not is_floating(image):
        raise InputError(f"image must be floating point in [0, 1], got {str(image.dtype).removeprefix('torch.')}")
    if min(image.shape[-2:]) < capabilities.smallest_px:
        height, width = image.shape[-2:]
        raise InputError(f"{name} needs sides of at least {capabilities.smallest_px} pixels, got {height}x{width}")
    if capabilities.reads_hole:
        _check_values(image, where="")


def _check_mask(image: Array, mask: Array, capabilities: Capabilities, name: str) -> None:
    want = (image.shape[0], 1, *image.shape[-2:])
    if tuple(mask.shape) != want:
        raise MaskError(f"mask must have shape {want} to match the image, got {tuple(mask.shape)}")
    hole = mask == 1
    odd = ~(hole | (mask == 0))
    if odd.any():
        raise MaskError(f"mask must be 0 (known) or 1 (hole) everywhere, got {mask[odd][0].item():g}")
    if not capabilities.reads_hole:
        _check_values(masked_fill(image, hole, 0.0), where=" outside the hole")
    if capabilities.needs_known:
        for number, full in enumerate(hole.reshape(len(hole), -1).all(1).tolist()):
            if full:
                raise MaskError(f"{name} works from known pixels, but the mask of image {number} is all hole")


def _check_values(image: Array, *, where: str) -> None:
    """Raise InputError where an image that is read holds what is no color; where: which part of it is meant."""
    if not is_finite(image):
        raise InputError(f"image holds values that are not finite{where}")
    low, high = image.min().item(), image.max().item()
    if low < 0 or high > 1:
        raise InputError(f"image must lie in [0, 1]{where}, got {low:g} to {high:g}")


def _check_guidance(
    image: Array, mask: Array, guidance: Mapping[str, Array], capabilities: Capabilities, name: str
) -> None:
    accepted = capabilities.guidance
    for kind in guidance:
        if kind not in accepted:
            valid = ", ".join(sorted(accepted)) or "none"
            raise InputError(f"{name} does not accept guidance.{kind}; accepted: {valid}")
        plane = guidance[kind]
        want = (image.shape[0], accepted[kind].channels, *image.shape[-2:])
        if tuple(plane.shape) != want:
            raise InputError(f"guidance.{kind} must have shape {want} to match the image, got {tuple(plane.shape)}")
        read = plane if accepted[kind].everywhere else masked_fill(plane, mask != 1, 0)
        if not ((read >= 0) & (read <= 1)).all():
            raise InputError(f"guidance.{kind} must lie in [0, 1], where it is read")


def image_array(name: str, image: object) -> NDArray[np.float32]:
    """Return an image (H, W, 3) in [0, 1] as float32, the caller's own array where it is that already.

    Raises InputError for anything else.
    """
    kinds = isinstance(image, np.ndarray) and image.ndim == 3 and image.shape[2] == 3 and image.dtype.kind == "f"
    if not kinds:
        raise InputError(f"{name} must be an array (H, W, 3) of floats in [0, 1], got {shown(image)}")
    assert isinstance(image, np.ndarray)
    if not image.size:
        raise InputError(f"{name} has no pixels: {image.shape}")
    if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
        raise InputError(f"{name} must lie in [0, 1], got values from {image.min():g} to {image.max():g}")
    return np.ascontiguousarray(image, np.float32)
