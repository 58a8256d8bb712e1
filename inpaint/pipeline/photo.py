"""One photo, one hole, one fill."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InpaintError, InputError, MaskError, UsageError
from inpaint.images.mask_rules import Hole
from inpaint.images.masks import fit_to
from inpaint.images.photo import Photo, white_of
from inpaint.images.planes import PlaneArray
from inpaint.images.regions import Region
from inpaint.pipeline.samples import Sample
from inpaint.registry.table import Described
from inpaint.strategies.filling import Painting
from inpaint.strategies.scaling import Cut, Pixels, reduced_plane
from inpaint.strategies.wrapper import StrategicFill
from inpaint.types import Capabilities, Inpainter, Plane, ProgressCallback

SMALLEST_PX = 8
"""Shortest side of a photo that is filled; some fills ask for more (`Capabilities.smallest_px`)."""

_log = logging.getLogger("inpaint.pipeline")


def fill_photo(
    photo: Photo,
    hole: Hole,
    inpainter: Inpainter,
    *,
    guidance: Mapping[str, PlaneArray] | None = None,
    seed: int = 0,
    opaque: bool = False,
    progress: ProgressCallback | None = None,
) -> Photo:
    """Return the photo with its hole filled; every other pixel, alpha and metadata are those of `photo`.

    Pixels whose alpha is 0 are no more known than the hole is: no fill sees their color.

    Args:
        photo: What is filled.
        hole: (H, W) bool of the photo's size, True = to be filled; without a hole the photo comes back as it is.
        inpainter: The fill.
        guidance: Planes (H, W) or (H, W, C) by name, for fills that take them.
        seed: For fills that draw at random.
        opaque: The filled hole becomes opaque where the photo is transparent.
        progress: Told every step.

    Raises:
        InputError: The photo is too small.
        MaskError: The hole does not fit or leaves nothing known to a fill that needs it.
        UsageError: The fill does not take such planes.
        InpaintError: The fill fails.
    """
    asked = {"guidance": guidance, "seed": seed, "opaque": opaque, "progress": progress}
    return fill_photo_often(photo, hole, inpainter, **asked)[0].photo  # type: ignore[arg-type]


def fill_photo_often(
    photo: Photo,
    hole: Hole,
    inpainter: Inpainter,
    *,
    samples: int = 1,
    guidance: Mapping[str, PlaneArray] | None = None,
    seed: int = 0,
    opaque: bool = False,
    progress: ProgressCallback | None = None,
) -> list[Sample]:
    """Return several fills of one hole, in the order of drawing; a single one where there is no hole to fill.

    Arguments and errors are those of `fill_photo`.
    """
    planes = guidance or {}
    check_guidance(inpainter, planes)
    check_photo(photo, inpainter.capabilities, name=inpainter.name)
    size = (photo.height, photo.width)
    for what, plane in {"mask": hole, **planes}.items():
        if plane.shape[:2] != size:
            raise MaskError(f"{photo.name}: the {what} must have the photo's size {size}, got {plane.shape[:2]}")
    if not hole.any():
        return [Sample(photo=photo, number=1, score=None)]
    check_hole(photo, hole, inpainter.capabilities, name=inpainter.name, opaque=opaque)
    for what, plane in planes.items():
        if not plane[hole].any():
            _log.warning("%s: nothing of the %s lies in the hole, and nothing else of it is followed", photo.name, what)
    asked: dict[str, Any] = {"samples": samples, "seed": seed, "progress": progress}
    # Further pages and channels show what was removed, too: the same hole, the same seed, fill by fill.
    views = [photo, *photo.companions()]
    painted_views = [_paintings(view, unknown(view, hole), inpainter, planes, **asked) for view in views]
    _warn_of(photo.name, painted_views)
    paintings, *others = painted_views
    return [
        Sample(
            photo=photo.with_companions(
                filled(photo, painting.colors, hole, opaque=opaque),
                [
                    filled(view, painted[number].colors, hole, opaque=opaque)
                    for view, painted in zip(views[1:], others, strict=True)
                ],
            ),
            number=number + 1,
            score=painting.score,
            strategy=painting.strategy,
        )
        for number, painting in enumerate(paintings)
    ]


def check_photo(photo: Photo, capabilities: Capabilities, *, name: str) -> None:
    """Raise InputError when a side of the photo is shorter than the fill `name` accepts."""
    smallest = max(SMALLEST_PX, capabilities.smallest_px)
    if min(photo.height, photo.width) < smallest:
        raise InputError(
            f"{photo.name}: {photo.width} x {photo.height} pixels are too few; {name} needs at least {smallest} a side"
        )


def cut_of(photo: Photo, capabilities: Capabilities) -> Cut:
    """Return what cuts rectangles out of a photo for a fill that can do this.

    One that reads holes sees the whole photo; where that is wholly transparent it sees gray.
    """
    alpha = photo.alpha
    if alpha is None or not capabilities.reads_hole:
        return photo.array

    def cut(region: Region) -> Pixels:
        pixels: Pixels = photo.array(region)
        pixels[alpha[region.slices] == 0] = 0.5
        return pixels

    return cut


def unknown(photo: Photo, hole: Hole) -> Hole:
    """Return the hole and every pixel that is wholly transparent: the color that is stored there is nobody's."""
    return hole if photo.alpha is None else hole | (photo.alpha == 0)


def filled(photo: Photo, completed: NDArray[np.floating[Any]], hole: Hole, *, opaque: bool) -> Photo:
    """Return the photo with a fill (H, W, 3) in its hole, which becomes opaque where that is wanted."""
    result = photo.with_fill(completed, hole)
    return opaque_in(result, hole) if opaque else result


def opaque_in(photo: Photo, hole: Hole) -> Photo:
    """Return the photo, opaque in a hole (H, W)."""
    if photo.alpha is None:
        return photo
    alpha = photo.alpha.copy()
    alpha[hole] = white_of(alpha.dtype)
    return replace(photo, alpha=alpha)


def check_hole(photo: Photo, hole: Hole, capabilities: Capabilities, *, name: str, opaque: bool = False) -> None:
    """Raise MaskError when the hole, which is not empty, leaves nothing known to a fill that needs it; warn of less."""
    if unknown(photo, hole).all():
        what = "the whole photo" if hole.all() else "all of the photo that is not transparent"
        if capabilities.needs_known:
            raise MaskError(f"{photo.name}: the mask covers {what}, and {name} works from known pixels")
        left = "nothing of it stays" if capabilities.blind else f"{name} has nothing to go by"
        _log.warning("%s: the mask covers %s, so %s", photo.name, what, left)
    if photo.alpha is not None and not opaque:
        unseen = float((photo.alpha[hole] == 0).mean())
        if unseen > 0:
            _log.warning(
                "%s: %.0f %% of the hole is transparent and stays so: the fill does not show there (--opaque shows it)",
                photo.name,
                100 * unseen,
            )


def fitted_plane(drawn: PlaneArray, plane: Plane, height: int, width: int, *, name: str) -> PlaneArray:
    """Return what a file says of a plane (H, W) or (H, W, C) at a photo's size, (height, width, ...).

    Where it is larger than the photo, lines stay lines and colors are not mixed with what is not given.

    Args:
        drawn: In [0, 1].
        plane: What it is.
        height: Of the photo.
        width: Of the photo.
        name: Names the file in messages.

    Raises:
        MaskError: It has another shape than the photo, not only another scale.
    """

    def smaller(found: PlaneArray, size: tuple[int, int]) -> PlaneArray:
        return reduced_plane(found.reshape(*found.shape[:2], -1).astype(np.float32), size, plane.scales)

    return fit_to(drawn, height, width, name=name, what=plane.name, smaller=smaller)


def check_guidance(inpainter: Inpainter | Described, names: Iterable[str]) -> None:
    """Raise UsageError when planes are given to a fill that does not take them."""
    accepted = inpainter.capabilities.guidance
    for name in names:
        if name not in accepted:
            valid = ", ".join(sorted(accepted)) or "none"
            raise UsageError(f"{inpainter.name} does not accept '{name}'; guidance it accepts: {valid}")


def _warn_of(name: str, views: Sequence[Sequence[Painting]]) -> None:
    """Warn of what the fills of a photo, one after the other for each of its views, say against themselves."""
    for view, paintings in enumerate(views, start=1):
        for number, painting in enumerate(paintings, start=1):
            image = f"image {view} of {len(views)}: " if len(views) > 1 else ""
            fill = f"fill {number}: " if len(paintings) > 1 else ""
            for text in painting.warnings:
                _log.warning("%s: %s%s%s", name, image, fill, text)


def _paintings(
    photo: Photo, hole: Hole, inpainter: Inpainter, planes: Mapping[str, PlaneArray], **asked: Any
) -> list[Painting]:
    """Return the fills that were asked for, checked; `asked` goes to `StrategicFill.fill_photo`."""
    guidance = {name: plane.reshape(*plane.shape[:2], -1).astype(np.float32) for name, plane in planes.items()}
    strategic = StrategicFill.around(inpainter)
    if remark := strategic.remark(hole):
        _log.warning("%s: %s", photo.name, remark)
    cut = cut_of(photo, strategic.capabilities)
    paintings = strategic.fill_photo(cut, hole, guidance=guidance, **asked)
    _log.info("%s: %s", photo.name, paintings[0].strategy)
    if not all(np.isfinite(painting.colors[hole]).all() for painting in paintings):
        raise InpaintError(f"{photo.name}: {inpainter.name} painted values that are not finite; its weights may be bad")
    return paintings
