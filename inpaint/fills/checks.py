"""What a fill accepts, checked in one place for every kind of fill."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint.errors import InputError, MaskError
from inpaint.types import Capabilities, Guidance, Seed


def check_fill(
    image: Tensor,
    mask: Tensor,
    *,
    guidance: Guidance | None,
    samples: int,
    seed: Seed,
    capabilities: Capabilities,
    name: str,
) -> None:
    """Raise InputError or MaskError unless the arguments of `Inpainter.fill` fit each other and the fill's capabilities.

    image: (B, 3, H, W), floating, in [0, 1] outside the hole (inside it anything, NaN too); mask: (B, 1, H, W), every
    value 0 or 1, any dtype.
    """
    _check_image(image, capabilities=capabilities, name=name)
    _check_mask(image, mask, capabilities=capabilities, name=name)
    _check_guidance(image, guidance, capabilities=capabilities, name=name)
    if samples < 1:
        raise InputError(f"samples must be at least 1, got {samples}")
    if not isinstance(seed, int) and len(seed) != len(image):
        raise InputError(f"seed must be an integer or one per image ({len(image)}), got {len(seed)}")


def _check_image(image: Tensor, *, capabilities: Capabilities, name: str) -> None:
    if image.ndim != 4 or image.shape[1] != 3 or image.shape[0] == 0:
        raise InputError(f"image must have shape (B, 3, H, W) with B at least 1, got {tuple(image.shape)}")
    if not image.is_floating_point():
        raise InputError(f"image must be floating point in [0, 1], got {str(image.dtype).removeprefix('torch.')}")
    if min(image.shape[-2:]) < capabilities.smallest_px:
        height, width = image.shape[-2:]
        raise InputError(f"{name} needs sides of at least {capabilities.smallest_px} pixels, got {height}x{width}")


def _check_mask(image: Tensor, mask: Tensor, *, capabilities: Capabilities, name: str) -> None:
    want = (image.shape[0], 1, *image.shape[-2:])
    if tuple(mask.shape) != want:
        raise MaskError(f"mask must have shape {want} to match the image, got {tuple(mask.shape)}")
    if mask.device != image.device:
        raise MaskError(f"image and mask must be on one device, got {image.device} and {mask.device}")
    hole = mask == 1
    if not (hole | (mask == 0)).all():
        odd = mask[~(hole | (mask == 0))].flatten()[0].item()
        raise MaskError(f"mask must be 0 (known) or 1 (hole) everywhere, got {odd:g}")
    known = image.masked_fill(hole, 0.0)
    if not torch.isfinite(known).all():
        raise InputError("image holds values that are not finite outside the hole")
    low, high = known.min().item(), known.max().item()
    if low < 0 or high > 1:
        raise InputError(f"image must lie in [0, 1] outside the hole, got {low:g} to {high:g}")
    if capabilities.needs_known:
        full = hole.flatten(1).all(dim=1)
        if full.any():
            raise MaskError(
                f"{name} works from known pixels, but the mask of image {int(full.nonzero()[0])} is all hole"
            )


def _check_guidance(image: Tensor, guidance: Guidance | None, *, capabilities: Capabilities, name: str) -> None:
    if guidance is None:
        return
    refused = guidance.given() - capabilities.guidance
    if refused:
        accepted = ", ".join(sorted(capabilities.guidance)) or "none"
        raise InputError(f"{name} does not accept guidance.{min(refused)}; accepted: {accepted}")
    for kind in sorted(guidance.given()):
        plane: Tensor = getattr(guidance, kind)
        want = (image.shape[0], 4 if kind == "color" else 1, *image.shape[-2:])
        if tuple(plane.shape) != want:
            raise InputError(f"guidance.{kind} must have shape {want} to match the image, got {tuple(plane.shape)}")
        if plane.device != image.device:
            raise InputError(f"image and guidance.{kind} must be on one device, got {image.device} and {plane.device}")
