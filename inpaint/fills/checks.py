"""What a fill accepts, checked in one place for every kind of fill, on arrays and on tensors."""

from __future__ import annotations

from collections.abc import Mapping

from inpaint.errors import InputError, MaskError
from inpaint.fills.arrays import Array, is_finite, is_floating, masked_fill
from inpaint.types import Capabilities, Seed


def check_fill(
    image: Array,
    mask: Array,
    *,
    guidance: Mapping[str, Array] | None = None,
    samples: int = 1,
    seed: Seed = 0,
    capabilities: Capabilities,
    name: str,
) -> None:
    """Check that the arguments of `Inpainter.fill` fit each other and what the fill can do.

    Args:
        image: (B, 3, H, W), floating, in [0, 1] outside the hole; inside it anything, NaN too.
        mask: (B, 1, H, W), every value 0 or 1, any dtype.
        guidance: Planes by name.
        samples: At least 1.
        seed: An integer, or one per image.
        capabilities: Of the fill.
        name: Of the fill, for messages.

    Raises:
        InputError: The image, the guidance, the number of samples or the seeds do not fit.
        MaskError: The mask does not fit the image, or leaves nothing to work from.
    """
    check_devices(image, mask, guidance)
    _check_image(image, capabilities, name)
    _check_mask(image, mask, capabilities, name)
    _check_guidance(image, guidance or {}, capabilities, name)
    if samples < 1:
        raise InputError(f"samples must be at least 1, got {samples}")
    if not isinstance(seed, int) and len(seed) != len(image):
        raise InputError(f"seed must be an integer or one per image ({len(image)}), got {len(seed)}")


def check_devices(image: Array, mask: Array | None, guidance: Mapping[str, Array] | None) -> None:
    """Raise InputError when a plane lies on another device than the image."""
    for plane in (mask, *(guidance or {}).values()):
        if plane is not None and plane.device != image.device:
            raise InputError(f"image and masks must be on one device, got {image.device} and {plane.device}")


def _check_image(image: Array, capabilities: Capabilities, name: str) -> None:
    if image.ndim != 4 or image.shape[1] != 3 or image.shape[0] == 0:
        raise InputError(f"image must have shape (B, 3, H, W) with B at least 1, got {tuple(image.shape)}")
    if not is_floating(image):
        raise InputError(f"image must be floating point in [0, 1], got {str(image.dtype).removeprefix('torch.')}")
    if min(image.shape[-2:]) < capabilities.smallest_px:
        height, width = image.shape[-2:]
        raise InputError(f"{name} needs sides of at least {capabilities.smallest_px} pixels, got {height}x{width}")


def _check_mask(image: Array, mask: Array, capabilities: Capabilities, name: str) -> None:
    want = (image.shape[0], 1, *image.shape[-2:])
    if tuple(mask.shape) != want:
        raise MaskError(f"mask must have shape {want} to match the image, got {tuple(mask.shape)}")
    hole = mask == 1
    odd = ~(hole | (mask == 0))
    if odd.any():
        raise MaskError(f"mask must be 0 (known) or 1 (hole) everywhere, got {mask[odd][0].item():g}")
    known = masked_fill(image, hole, 0.0)
    if not is_finite(known):
        raise InputError("image holds values that are not finite outside the hole")
    low, high = known.min().item(), known.max().item()
    if low < 0 or high > 1:
        raise InputError(f"image must lie in [0, 1] outside the hole, got {low:g} to {high:g}")
    if capabilities.needs_known:
        for number, full in enumerate(hole.reshape(len(hole), -1).all(1).tolist()):
            if full:
                raise MaskError(f"{name} works from known pixels, but the mask of image {number} is all hole")


def _check_guidance(image: Array, guidance: Mapping[str, Array], capabilities: Capabilities, name: str) -> None:
    accepted = capabilities.guidance
    for kind in sorted(guidance):
        if kind not in accepted:
            valid = ", ".join(sorted(accepted)) or "none"
            raise InputError(f"{name} does not accept guidance.{kind}; accepted: {valid}")
        plane = guidance[kind]
        want = (image.shape[0], accepted[kind].channels, *image.shape[-2:])
        if tuple(plane.shape) != want:
            raise InputError(f"guidance.{kind} must have shape {want} to match the image, got {tuple(plane.shape)}")
