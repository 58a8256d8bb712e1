"""One photo, one hole, one fill."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from inpaint.errors import InpaintError, InputError, MaskError, UsageError
from inpaint.images.masks import Hole
from inpaint.images.photo import Photo
from inpaint.pipeline.samples import Sample
from inpaint.types import Capabilities, Fill, Guidance, Inpainter, ProgressCallback

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_PX = 8
"""Shortest side of a photo that is filled; some fills ask for more (`Capabilities.smallest_px`)."""

_log = logging.getLogger("inpaint.pipeline")


def fill_photo(
    photo: Photo,
    hole: Hole,
    inpainter: Inpainter,
    *,
    sketch: Hole | None = None,
    edges: Hole | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
) -> Photo:
    """Return the photo with its hole filled; every other pixel, alpha and metadata are those of `photo`.

    hole: (H, W) bool of the photo's size, True = to be filled; without a hole the photo comes back as it is, with a
    warning. sketch, edges: (H, W) bool, True = line, for fills that accept them.
    Raises InputError when the photo is too small, MaskError when the hole does not fit or leaves nothing known to a
    fill that needs it, UsageError when the fill takes no such lines, InpaintError when the fill fails.
    """
    return fill_photo_often(photo, hole, inpainter, sketch=sketch, edges=edges, seed=seed, progress=progress)[0].photo


def fill_photo_often(
    photo: Photo,
    hole: Hole,
    inpainter: Inpainter,
    *,
    samples: int = 1,
    sketch: Hole | None = None,
    edges: Hole | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
) -> list[Sample]:
    """Return several fills of one hole, in the order of drawing; a single one where there is no hole to fill.

    Raises what `fill_photo` raises.
    """
    lines = {kind: plane for kind, plane in (("sketch", sketch), ("edges", edges)) if plane is not None}
    check_lines(inpainter, lines)
    check_photo(photo, inpainter.capabilities, name=inpainter.name)
    size = (photo.height, photo.width)
    for what, plane in {"mask": hole, **lines}.items():
        if plane.shape != size:
            raise MaskError(f"{photo.name}: the {what} must have the photo's size {size}, got {plane.shape}")
    if not hole.any():
        _log.warning("%s: the mask has no hole, so nothing is filled", photo.name)
        return [Sample(photo=photo, number=1, score=None)]
    if inpainter.capabilities.needs_known and hole.all():
        raise MaskError(f"{photo.name}: the mask covers the whole photo, and {inpainter.name} works from known pixels")
    if hole.all():
        _log.warning("%s: the mask covers the whole photo, so %s has nothing to go by", photo.name, inpainter.name)
    if photo.alpha is not None:
        unseen = float((photo.alpha[hole] == 0).mean())
        if unseen > 0:
            _log.warning(
                "%s: %.0f %% of the hole is transparent and stays so: the fill does not show there",
                photo.name,
                100 * unseen,
            )
    fills = _fills(photo, hole, inpainter, lines, samples, seed, progress)
    return [
        Sample(
            photo=photo.with_fill(fill.completed, hole),
            number=number,
            score=None if fill.score is None else fill.score[0].item(),
        )
        for number, fill in enumerate(fills, start=1)
    ]


def check_photo(photo: Photo, capabilities: Capabilities, *, name: str) -> None:
    """Raise InputError when a side of the photo is shorter than the fill `name` accepts."""
    smallest = max(SMALLEST_PX, capabilities.smallest_px)
    if min(photo.height, photo.width) < smallest:
        raise InputError(
            f"{photo.name}: {photo.width} x {photo.height} pixels are too few; {name} needs at least {smallest} a side"
        )


def check_lines(inpainter: Inpainter, kinds: Iterable[str]) -> None:
    """Raise UsageError when lines (sketch, edges) are given to a fill that does not accept them."""
    for kind in kinds:
        if kind not in inpainter.capabilities.guidance:
            accepted = ", ".join(sorted(inpainter.capabilities.guidance)) or "none"
            what = "a sketch" if kind == "sketch" else kind
            raise UsageError(f"{inpainter.name} does not accept {what}; guidance it accepts: {accepted}")


def _fills(
    photo: Photo,
    hole: Hole,
    inpainter: Inpainter,
    lines: Mapping[str, Hole],
    samples: int,
    seed: int,
    progress: ProgressCallback | None,
) -> list[Fill]:
    import torch

    image = photo.tensor()  # (1, 3, H, W)
    guidance = Guidance(**{kind: _plane(plane) for kind, plane in lines.items()}) if lines else None
    try:
        fills = inpainter.fill(image, _plane(hole), guidance=guidance, samples=samples, seed=seed, progress=progress)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise InpaintError(
            f"{photo.name}: not enough memory to fill {photo.width} x {photo.height} pixels with {inpainter.name}; "
            "try a smaller photo, or the CPU (--device cpu)"
        ) from error
    holes = torch.from_numpy(hole)
    for completed in (fill.completed for fill in fills):
        if completed.shape != image.shape:
            raise InpaintError(
                f"{inpainter.name} returned {tuple(completed.shape)} for an image of {tuple(image.shape)}"
            )
        if not torch.isfinite(completed[0].cpu()[:, holes]).all():
            raise InpaintError(
                f"{photo.name}: {inpainter.name} painted values that are not finite; its weights may be bad"
            )
    return fills


def _plane(plane: Hole) -> Tensor:
    import torch

    return torch.from_numpy(plane.astype(np.float32))[None, None]  # (1, 1, H, W)
