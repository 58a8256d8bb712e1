"""Poisson image editing: an image's differences inside a mask, another image's values around it.

Perez, Gangnet and Blake, "Poisson Image Editing", 2003. Over the pixels f of the mask, the sum over neighbors p and q
of (f_p - f_q - v_pq)^2 becomes least, where f is the target outside the mask; pairs beyond the frame are left out. v is
the guidance field (`guidance`).
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import ndimage  # type: ignore[import-untyped]

import inpaint.arguments as arguments
from inpaint.classical.poisson.grid import Mask, Plane, PlaneSolver, is_singular
from inpaint.classical.poisson.guidance import RULES, Mode, Rule, Setting, luma_planes, right_side
from inpaint.classical.poisson.solving import Method, solver_for
from inpaint.errors import InputError, MaskError, UsageError
from inpaint.errors import unknown as unknown_name
from inpaint.images.regions import Region
from inpaint.types import shown

Image: TypeAlias = NDArray[Any]
Boundary: TypeAlias = Literal["outside", "inside"]


def blended(
    source: Image,
    target: Image,
    mask: NDArray[Any],
    *,
    mode: Mode = "import",
    boundary: Boundary = "outside",
    source_share: float = 0.5,
    edges: NDArray[Any] | None = None,
    screen: float = 0.0,
    method: Method = "auto",
    dtype: DTypeLike = np.float32,
) -> Image:
    """Return the target with the source blended into the mask, in the gradient domain.

    Args:
        source: (H, W) or (H, W, C), in the target's frame and on its scale. Read in the mask and, with boundary
            "outside", one pixel around it.
        target: As the source. Nothing of it changes outside the mask, bit for bit.
        mask: (H, W), 1 where the source goes, 0 elsewhere; any shape, up to the whole frame. Where it is the whole
            frame, the result keeps the target's mean.
        mode: The guidance field: "import", the source's differences; "mixed", between each two neighbors those of
            source or target that are stronger, per channel; "average", the mean of both; "monochrome", those of the
            source's luma in all channels; "flatten", the target's at the edges and none elsewhere.
        boundary: Where the target is held: at the pixels around the mask, or "inside", at the mask's own outermost
            pixels.
        source_share: Of the source in "average", in [0, 1].
        edges: (H, W), 1 at the edges that "flatten" keeps.
        screen: Weight of (f - base)^2 at each pixel, which holds the result near the source (in "average" near the
            average of the images, in "flatten" near the target).
        method: How to solve, see `inpaint.classical.poisson.solve`.
        dtype: Of the arithmetic, float32 or float64.

    Returns:
        An array of the target's shape and type. Integers are rounded, and clipped to the range of the type; floating
        numbers are not clipped.

    Raises:
        InputError: Shapes or types do not fit, or a number that is read is not finite.
        MaskError: The mask does not fit the target, or holds other values than 0 and 1.
        UsageError: There is no such mode, boundary or method.

    Example:
        >>> target = np.full((5, 6), 0.2)
        >>> source = np.tile(np.linspace(0, 1, 6) ** 2, (5, 1))
        >>> mask = np.zeros((5, 6), bool)
        >>> mask[1:4, 2:4] = True
        >>> blended(source, target, mask)[2].round(3)
        array([0.2  , 0.2  , 0.143, 0.143, 0.2  , 0.2  ])
    """
    working = _working_type(dtype)
    if mode not in RULES:
        raise UsageError(unknown_name("mode", mode, RULES))
    if boundary not in ("outside", "inside"):
        raise UsageError(unknown_name("boundary", boundary, ["outside", "inside"]))
    if mode == "flatten" and edges is None:
        raise InputError("mode 'flatten' needs edges, a mask (H, W) of the edges that stay")
    _check_images(source, target)
    setting = Setting(_share(source_share), None if edges is None else _checked_mask("edges", edges, target))
    screen = arguments.number("screen", screen)
    unknown = _checked_mask("mask", mask, target)
    if boundary == "inside":
        unknown = ndimage.binary_erosion(unknown, border_value=1)
    result = np.array(target, order="C")
    if unknown.any():
        near = Region.around(unknown).grown(1, unknown.shape).slices
        if setting.edges is not None:
            setting = Setting(setting.source_share, setting.edges[near])
        planes = (*unknown.shape, -1)
        _blend_into(
            result.reshape(planes)[near],
            source.reshape(planes)[near],
            unknown[near],
            RULES[mode],
            setting,
            solver_for(unknown[near], working, screen=screen, method=method),
            working,
            free=is_singular(unknown, screen),
        )
    return result


def membrane(target: Image, mask: NDArray[Any], *, method: Method = "auto", dtype: DTypeLike = np.float32) -> Image:
    """Return the target with the smoothest surface in the mask, the guidance field that is zero.

    Args:
        target: (H, W) or (H, W, C), not read in the mask.
        mask: (H, W), 1 where the surface goes; at least one pixel lies outside.
        method: As in `blended`.
        dtype: As in `blended`.

    Returns:
        As `blended`.

    Raises:
        MaskError: The mask is the whole frame, or none.
    """
    hole = _checked_mask("mask", mask, target)
    if hole.all():
        raise MaskError("a membrane needs known pixels around it, but the mask is the whole image")
    empty = np.zeros((), target.dtype)
    surface = blended(
        np.broadcast_to(empty, target.shape),
        np.where(hole[(...,) + (None,) * (target.ndim - 2)], empty, target),
        hole,
        method=method,
        dtype=dtype,
    )
    return surface


def _blend_into(
    target: Image,
    source: Image,
    unknown: Mask,
    rule: Rule,
    setting: Setting,
    solver: PlaneSolver,
    dtype: np.dtype[Any],
    *,
    free: bool,
) -> None:
    """Write the result into the unknown pixels of target (H, W, C), channel by channel so that one is in memory.

    free: nothing is known, so the mean is the target's.
    """
    if rule.gray:
        source = luma_planes(source)
    for channel in range(target.shape[2]):
        own = target[..., channel].astype(dtype)
        field = rule.field(source[..., channel].astype(dtype), own, setting)
        right = right_side(field, own, unknown)
        if not np.isfinite(right).all():
            row, column = np.argwhere(~np.isfinite(right))[0]
            place = f"row {row}, column {column} of the mask's box"
            raise InputError(f"source or target is not finite at {place}, or beside it")
        found = solver.solve(right)
        if free:
            found += np.mean(own - field.base, dtype=np.float64).astype(dtype)
        found += field.base
        target[..., channel][unknown] = _stored(found[unknown], target.dtype)


def _stored(values: Plane, dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)


def _working_type(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise InputError(f"dtype must be float32 or float64, got {shown(dtype)}") from None
    if found not in (np.float32, np.float64):
        raise InputError(f"dtype must be float32 or float64, got {found}")
    return found


def _share(value: object) -> float:
    share = arguments.number("source_share", value)
    if share > 1:
        raise InputError(f"source_share must lie in [0, 1], got {share:g}")
    return share


def _check_images(source: object, target: object) -> None:
    for name, image in (("source", source), ("target", target)):
        if not isinstance(image, np.ndarray) or image.dtype.kind not in "uif" or image.ndim not in (2, 3):
            raise InputError(f"{name} must be an array (H, W) or (H, W, C) of real numbers, got {shown(image)}")
    if source.shape != target.shape:  # type: ignore[attr-defined]
        raise InputError(
            f"source must have the target's shape {target.shape}, got {source.shape}"  # type: ignore[attr-defined]
        )


def _checked_mask(name: str, mask: NDArray[Any], target: Image) -> Mask:
    if not isinstance(mask, np.ndarray) or mask.shape != target.shape[:2]:
        raise MaskError(f"{name} must be an array {target.shape[:2]} to match the target, got {shown(mask)}")
    if mask.dtype == np.bool_:
        return mask
    inside: Mask = mask == 1
    odd = ~(inside | (mask == 0))
    if odd.any():
        raise MaskError(f"{name} must be 0 or 1 everywhere, got {mask[odd][0].item():g}")
    return inside
