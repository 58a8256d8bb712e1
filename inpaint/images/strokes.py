"""A mask as it is drawn on a canvas: strokes of a brush, rectangles, outlines, in their order, each added or erased."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal, TypeAlias, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.errors import InputError, unknown
from inpaint.images.mask_rules import Hole
from inpaint.types import shown

Kind: TypeAlias = Literal["brush", "box", "lasso", "mask"]
Point: TypeAlias = tuple[float, float]

MOST_POINTS: Final = 100_000
"""Of all shapes of one drawing together."""

_SHIFT = 4  # bits behind the point in the coordinates that OpenCV is given
_FARTHEST_PX = 1_000_000.0  # no photo is so large; OpenCV's coordinates are 32 bit
_WIDEST_PX = 32_767  # that OpenCV draws
_FEWEST = {"brush": 1, "box": 2, "lasso": 3, "mask": 0}


@dataclass(frozen=True)
class Shape:
    """One thing drawn.

    Args:
        kind: "brush" (a round one, along the points), "box" (between two corners), "lasso" (inside an outline), or
            "mask" (one that is there already, by its name).
        points: (x, y) in pixels of the photo from its top left corner; they may lie outside.
        width_px: Of the brush.
        erases: Takes away instead of adding.
        mask: The name of a mask.
        layer: What is drawn on: "hole", or the name of a plane.
        color: "#rrggbb" on layers that have colors; empty: black.
    """

    kind: Kind
    points: tuple[Point, ...] = ()
    width_px: float = 1.0
    erases: bool = False
    mask: str = ""
    layer: str = "hole"
    color: str = ""


def parse_shapes(given: object) -> tuple[Shape, ...]:
    """Return shapes from plain values, as JSON has them: a list of objects with the fields of `Shape`.

    Raises:
        InputError: They are something else, or have more than `MOST_POINTS` points.

    Example:
        >>> parse_shapes([{"kind": "box", "points": [[1, 2], [30, 40]]}])[0].points
        ((1.0, 2.0), (30.0, 40.0))
    """
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise InputError(f"shapes must be a list, got {shown(given)}")
    left, shapes = MOST_POINTS, []
    for each in given:
        if not isinstance(each, Mapping):
            raise InputError(f"a shape must be an object with kind and points, got {shown(each)}")
        points = each.get("points", ())
        if not isinstance(points, Sequence) or isinstance(points, str):
            raise InputError(f"points must be a list, got {shown(points)}")
        left -= len(points) + 1
        if left < 0:
            raise InputError(f"the shapes have too many points; at most {MOST_POINTS:,} are taken")
        shapes.append(_shape(each))
    return tuple(shapes)


def _shape(given: Mapping[Any, Any]) -> Shape:
    known = {"kind", "points", "width_px", "erases", "mask", "layer", "color"}
    for name in given.keys() - known:
        raise InputError(unknown("field of a shape", str(name), known))
    kind: Any = given.get("kind")
    if kind not in get_args(Kind):
        raise InputError(unknown("kind of shape", str(kind), get_args(Kind)))
    points = tuple(_point(each) for each in given.get("points", ()))
    if len(points) < _FEWEST[kind]:
        raise InputError(f"a {kind} needs at least {_FEWEST[kind]} points, got {len(points)}")
    return Shape(
        kind=kind,
        points=points,
        width_px=_number("width_px", given.get("width_px", 1.0), least=0.0),
        erases=given.get("erases", False) is True,
        mask=str(given.get("mask", "")),
        layer=str(given.get("layer", "hole")),
        color=_color(given.get("color", "")),
    )


def _point(given: object) -> Point:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:
        raise InputError(f"a point must be a pair x, y, got {shown(given)}")
    x, y = (_number("a coordinate", each, least=-math.inf) for each in given)
    return x, y


def _color(given: object) -> str:
    if not isinstance(given, str) or not re.fullmatch("(#[0-9a-fA-F]{6})?", given):
        raise InputError(f"a color must be written as #rrggbb, got {shown(given)}")
    return given


def _number(name: str, value: Any, *, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < least:
        raise InputError(
            f"{name} must be a finite number{'' if least else f' of at least {least:g}'}, got {shown(value)}"
        )
    return float(min(max(value, -_FARTHEST_PX), _FARTHEST_PX))


def drawn(
    shapes: Sequence[Shape], height: int, width: int, *, masks: Mapping[str, Hole] | None = None, layer: str = "hole"
) -> Hole:
    """Return what the shapes of a layer cover, (H, W) bool.

    Args:
        shapes: In the order in which they were drawn.
        height: Of the photo, in pixels.
        width: Of the photo, in pixels.
        masks: (H, W) each, by name.
        layer: Shapes of other layers are left out.

    Raises:
        InputError: A mask is not there, or of another size.

    Example:
        >>> box = Shape("box", ((1, 1), (4, 3)))
        >>> int(drawn([box], 5, 6).sum())
        6
    """
    canvas = np.zeros((height, width), np.uint8)
    for shape in shapes:
        if shape.layer == layer:
            _draw(canvas, shape, 0 if shape.erases else 1, masks or {})
    return canvas.view(np.bool_)


def colored(shapes: Sequence[Shape], height: int, width: int, *, layer: str) -> NDArray[np.uint8]:
    """Return the colors that the shapes of a layer paint, (H, W, 4): red, green, blue, and 255 where there is one.

    Later shapes cover earlier ones; where nothing is painted all four are 0. Arguments are those of `drawn`. Raises
    InputError for a mask, which has no color.

    Example:
        >>> box = Shape("box", ((1, 1), (4, 3)), layer="color", color="#ff8000")
        >>> colored([box], 5, 6, layer="color")[2, 2].tolist()
        [255, 128, 0, 255]
    """
    canvas = np.zeros((height, width, 4), np.uint8)
    for shape in shapes:
        if shape.layer == layer:
            red, green, blue = bytes.fromhex(shape.color.removeprefix("#") or "000000")
            _draw(canvas, shape, (0, 0, 0, 0) if shape.erases else (red, green, blue, 255), {})
    return canvas


Value: TypeAlias = int | tuple[int, int, int, int]
"""Of a pixel with one or four channels."""


def _draw(canvas: cv2.typing.MatLike, shape: Shape, value: Value, masks: Mapping[str, Hole]) -> None:
    if shape.kind == "mask":
        if shape.mask not in masks:
            raise InputError(unknown("mask", shape.mask, masks))
        if masks[shape.mask].shape != canvas.shape[:2]:
            raise InputError(f"the mask must have the photo's size {canvas.shape[:2]}, got {masks[shape.mask].shape}")
        canvas[masks[shape.mask]] = value
    elif shape.kind == "box":
        _draw_box(canvas, shape.points, value)
    elif shape.kind == "lasso":
        cv2.fillPoly(canvas, [_fixed(shape.points)], value, shift=_SHIFT)
    else:
        thickness = min(max(round(shape.width_px), 1), _WIDEST_PX)
        points = _fixed(shape.points if len(shape.points) > 1 else shape.points * 2)
        for start, end in pairwise(points):
            cv2.line(canvas, start.tolist(), end.tolist(), value, thickness, cv2.LINE_8, _SHIFT)


def _draw_box(canvas: cv2.typing.MatLike, points: Sequence[Point], value: Value) -> None:
    """Draw the pixels whose centers lie between the first and the last point."""
    (x0, y0), (x1, y1) = points[0], points[-1]
    left, right = (max(math.ceil(x - 0.5), 0) for x in sorted((x0, x1)))
    top, bottom = (max(math.ceil(y - 0.5), 0) for y in sorted((y0, y1)))
    canvas[top:bottom, left:right] = value


def _fixed(points: Sequence[Point]) -> cv2.typing.MatLike:
    """Return points as OpenCV's fixed-point numbers; there, a pixel's center is a whole number."""
    return np.rint((np.array(points) - 0.5) * (1 << _SHIFT)).astype(np.int32)
