"""What in an image is the hole: the rule by which every mask is read, in the order in which its parts are tried.

1. Alpha of only 0 and full over many colors: the photo with its hole erased. Transparent is the hole.
2. One color in any strength or opacity on transparent or black, as brushes paint it: above half of its largest value.
3. Exactly two values: the one that is neither black nor transparent; black, where it lies on transparent.
4. Palettes and integers of more than two values are labels: one must be named.
5. Gray: above half of the type's range.

Everything else is no mask, and so is what these parts would take but shows a photo.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint.errors import MaskError, NotAMaskError, UsageError
from inpaint.images.photo import BT601, white_of
from inpaint.images.regions import Region

Hole: TypeAlias = NDArray[np.bool_]
Plane: TypeAlias = NDArray[Any]
Label: TypeAlias = int | str
"""An integer, a color such as "#ff0000", or "transparent"."""

NEAR = 16 / 255
"""Of the range: so far apart two values may be and count as one, as lossy formats leave them."""
FEW_COLORS = 16
"""A image of fewer colors was drawn, one of more was photographed."""
SOFT_SHARE = 0.05
"""Most of an erased photo that may be half transparent, as the edge of a soft eraser is."""
PHOTO_ROUGHNESS = 4 / 255
"""Mean absolute Laplacian of gray values, of their range, above which they are a photo's and no gradient's."""

TRANSPARENT = "transparent"
WAYS = "a mask is white on black, one color on black or on transparent, or the photo with its hole erased"
LINES = "lines are white on black, or of one color on black or on transparent"


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawing:
    """A image that is to be a mask, as it is stored.

    Args:
        name: For messages.
        values: (H, W) gray or (H, W, 3) RGB, uint8 or uint16.
        alpha: (H, W) of the same type, or None.
        entries: (H, W), the entries of a palette; None without one.
        lossy: Whether the format leaves values only near to what they were.
    """

    name: str
    values: Plane
    alpha: Plane | None = None
    entries: Plane | None = None
    lossy: bool = False

    @property
    def white(self) -> int:
        """The largest value of the type; of a 16-bit image that holds 8 bits, as programs write them, 255."""
        white = white_of(self.values.dtype)
        return 255 if white == 65535 and self.alpha is None and self.values.max() <= 255 else white


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """The hole of a drawing.

    Args:
        hole: (H, W), True = hole.
        rule: How it was found, "" for white on black and nothing else.
        strength: (H, W), what was cut at half to find it; None where nothing was.
        lossy: As of the drawing.
    """

    hole: Hole
    rule: str = ""
    strength: Plane | None = None
    lossy: bool = False

    def soft_edge_px(self) -> int:
        """Return how many pixels beyond the hole its soft edge reaches; 0 where edges are hard."""
        if self.strength is None or not self.hole.any() or self.hole.all():
            return 0
        top = int(self.strength.max())
        window = Region.around(self.strength > 0).slices
        strength, hole = self.strength[window], np.ascontiguousarray(self.hole[window])
        # Compression, also an earlier one, leaves faint ringing around hard edges; soft ones have their middle, too.
        between = np.count_nonzero((strength > 0.1 * top) & (strength < 0.9 * top))
        ringing = self.lossy or 2 * between < np.count_nonzero((strength > 0) & (strength < top))
        middle = np.count_nonzero((strength > 0.3 * top) & (strength < 0.7 * top))
        inner = cv2.erode(hole.view(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
        rim = np.count_nonzero(hole) - np.count_nonzero(inner)
        if ringing and middle < 0.2 * rim:
            return 0
        blurred = middle > 0.8 * rim and not self.lossy
        traces = strength > (top / 4 if ringing and not blurred else 0)
        # Faint specks elsewhere belong to no edge of the hole.
        count, pieces = cv2.connectedComponents(traces.view(np.uint8), connectivity=8)
        beside_hole = np.zeros(count, bool)
        beside_hole[pieces[hole]] = True
        edges = traces & ~hole & beside_hole[pieces]
        if not edges.any():
            return 0
        distance: NDArray[Any] = cv2.distanceTransform(1 - hole.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return int(np.ceil(distance[edges].max() - 1e-3))


def hole_of_drawing(drawing: Drawing, *, label: Label | None = None, what: str = "mask") -> Decision:
    """Return the hole of a drawing by the rule of this file.

    Args:
        drawing: The image.
        label: What is the hole, instead of the rule.
        what: Names the image in messages.

    Raises:
        MaskError: It is no mask, or does not say which of its values is the hole; or it lacks the label.
        UsageError: The label is none.
    """
    if label is not None:
        return _labeled(drawing, label)
    values, alpha = _gray_if_gray(drawing.values, drawing.white), drawing.alpha
    if alpha is not None and alpha.min() != alpha.max():  # the same everywhere, it says nothing
        return _with_alpha(drawing, values, alpha, what)
    return _gray(drawing, values, what) if values.ndim == 2 else _colored(drawing, values, what)


def parse_label(label: Label) -> int | tuple[int, int, int] | None:
    """Return a label as an integer, a color of 8 bits a channel, or None for transparent.

    Raises:
        UsageError: It is none of these.
    """
    text = str(label).strip()
    if re.fullmatch(r"\d{1,9}", text):
        return int(text)
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
    if text == TRANSPARENT:
        return None
    raise UsageError(f"the label '{label}' is none; valid: an integer, a color such as '#ff0000', or '{TRANSPARENT}'")


def _labeled(drawing: Drawing, label: Label) -> Decision:
    wanted, values = parse_label(label), drawing.values
    if wanted is None:
        if drawing.alpha is None:
            raise MaskError(f"{drawing.name}: nothing in it is transparent; its {_listed(drawing)}")
        hole = drawing.alpha == 0
    elif isinstance(wanted, tuple):
        colors = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
        hole = (colors == np.array(wanted) * (white_of(values.dtype) // 255)).all(axis=2)
        if drawing.alpha is not None:
            hole &= drawing.alpha > 0
    else:
        labels = drawing.entries if drawing.entries is not None else _gray_if_gray(values, drawing.white)
        if labels.ndim == 3:
            raise MaskError(f"{drawing.name}: it has colors, not numbers: its {_listed(drawing)}")
        hole = labels == wanted
    if not hole.any():
        raise MaskError(f"{drawing.name}: nothing in it has the label {label}; its {_listed(drawing)}")
    return Decision(hole=hole, rule=f"label {label} is the hole")


def _with_alpha(drawing: Drawing, values: Plane, alpha: Plane, what: str) -> Decision:
    """Parts 1 to 3 of the rule, for images of which something is transparent."""
    white = drawing.white
    seen = alpha > 0
    shown = values[seen]  # (N,) or (N, 3)
    if (shown.max(axis=0).astype(np.int64) - shown.min(axis=0)).max() <= NEAR * white:
        color = _color_name(shown.mean(axis=0), white)
        return _above_half(drawing, alpha, f"{color} on transparent; {color} is the hole")
    brightest = shown if shown.ndim == 1 else _brightest(shown)
    one = shown.ndim == 1 or _one_hue(values, white, seen)
    painted = one and not _mostly_between(brightest, white)
    if not painted and _number_of_colors(shown) >= FEW_COLORS:
        between = (alpha > NEAR * white) & (alpha < (1 - NEAR) * white)
        if np.count_nonzero(between) > SOFT_SHARE * alpha.size:
            raise NotAMaskError(
                f"{drawing.name}: no {what}: a photo that is half transparent in places; erase the hole wholly, or "
                "draw a mask that is white on black"
            )
        transparent = 2 * alpha.astype(np.int64) <= white
        rule = "a photo with its hole erased; transparent is the hole"
        return Decision(hole=transparent, rule=rule, strength=white - alpha)
    if not one:
        raise MaskError(f"{drawing.name}: several colors on transparent; its {_listed(drawing)}")
    value = values if values.ndim == 2 else _brightest(values)
    strength = (value.astype(np.float32) * alpha / white).round().astype(values.dtype)
    return _above_half(drawing, strength, _painted(shown, brightest, white, "black and transparent"))


def _colored(drawing: Drawing, values: Plane, what: str) -> Decision:
    """Parts 2 to 4 of the rule, for opaque images with colors."""
    white, strength = drawing.white, _brightest(values)
    colors = _colors_of(values)
    painted = strength > NEAR * white
    if len(colors) == 2 and not painted.all():
        color = _color_name(values[painted].mean(axis=0), white)
        return Decision(hole=painted, rule=f"{color} on black; {color} is the hole")
    shown = values[painted]
    if drawing.entries is not None and len(colors) > 2 and _is_label_map(strength, drawing):
        raise MaskError(_labels_message(drawing))
    if not painted.all() and _one_hue(values, white):
        if not _shows_photo(strength, white):
            return _above_half(drawing, strength, _painted(shown, strength[painted], white, "black"))
    elif len(colors) < FEW_COLORS:
        raise MaskError(f"{drawing.name}: its colors do not say which is the hole; its {_listed(drawing)}")
    raise NotAMaskError(f"{drawing.name}: no {what} but an image of many colors, as a photo is; {_ways(what)}")


def _ways(what: str) -> str:
    """Return how a mask is drawn, or what is read as one."""
    return WAYS if what == "mask" else LINES


def _gray(drawing: Drawing, values: Plane, what: str) -> Decision:
    """Parts 2 to 5 of the rule, for opaque images without colors."""
    white = drawing.white
    counts = _histogram(values)
    levels = np.flatnonzero(counts)
    low, top = int(levels[0]), int(levels[-1])
    black = low == 0 or (low <= NEAR * white and 2 * top >= white)
    slack = int(NEAR * white) if drawing.lossy else 0
    if top <= slack:
        return Decision(hole=np.zeros(values.shape, bool))  # black, as lossy formats leave it
    if len(levels) == 1:
        return Decision(hole=values > (0 if top == 1 else white / 2))
    if len(levels) == 2:
        if not black:
            raise MaskError(f"{drawing.name}: neither of its two values is black; its {_listed(drawing)}")
        rule = "" if top >= (1 - NEAR) * white_of(values.dtype) else f"two values, {low} and {top}; {top} is the hole"
        return Decision(hole=values == top, rule=rule)
    if _is_label_map(values, drawing):
        raise MaskError(_labels_message(drawing))
    if _shows_photo(values, white):
        raise NotAMaskError(f"{drawing.name}: no {what} but a gray image, as a photo is; {_ways(what)}")
    # A brush leaves most of what it touches at full strength.
    strong, touched = counts[-(-7 * top // 8) - slack :].sum(), counts[top // 8 + 1 :].sum()
    if black and top >= FEW_COLORS and 2 * strong > touched:
        bright = top >= (1 - NEAR) * white
        return _above_half(drawing, values, "" if bright else f"gray {top} on black; it is the hole")
    return _above_half(drawing, values, "gray; the brighter half of the range is the hole", top=white)


def _above_half(drawing: Drawing, strength: Plane, rule: str, *, top: int | None = None) -> Decision:
    """Return what is above half of `top`, by default of the largest value."""
    if top is None:
        top = int(strength.max())
        if drawing.lossy:  # its largest values are overshoot beside edges
            top = int(np.median(strength[2 * strength.astype(np.int64) > top])) if top else 0
    hole = strength > top / 2
    return Decision(hole=hole, rule=rule, strength=strength, lossy=drawing.lossy)


def _gray_if_gray(values: Plane, white: int) -> Plane:
    """Return (H, W) where red, green and blue are within 16 levels of each other, else the colors."""
    if values.ndim == 2:
        return values
    red, green, blue = cv2.split(values)
    if np.array_equal(red, green) and np.array_equal(red, blue):
        gray: Plane = red
        return gray
    low, high = np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)
    if (high - low).max() > NEAR * white:
        return values
    luma = values.astype(np.float32) @ np.array(BT601, np.float32)
    return np.rint(luma).astype(values.dtype)


def _one_hue(values: Plane, white: int, seen: Hole | None = None) -> bool:
    """Return whether the pixels of (H, W, 3) that are seen and not black are one color in several strengths.

    Lossy formats keep colors on a grid coarser than the pixels, so means of blocks may tell it where pixels do not.
    """
    colors = values if seen is None else values * seen[..., None].astype(values.dtype)
    if _along_one_line(colors[:: max(len(colors) // 500, 1)].reshape(-1, 3), white) and _along_one_line(
        colors.reshape(-1, 3), white
    ):
        return True
    height, width = colors.shape[0] // 8, colors.shape[1] // 8
    if min(height, width) < 2:
        return False
    means = cv2.resize(colors[: 8 * height, : 8 * width], (width, height), interpolation=cv2.INTER_AREA)
    return _along_one_line(means.reshape(-1, 3), white)


def _along_one_line(colors: Plane, white: int) -> bool:
    """Return whether colors (N, 3) are multiples of one, as far as lossy formats keep it."""
    strength = _brightest(colors)
    touched = strength > NEAR * white
    if not touched.any():
        return True
    colors, strength = colors[touched], strength[touched]
    hue = colors[2 * strength.astype(np.int64) >= int(strength.max())].mean(axis=0)
    hue /= hue.max()
    away = np.abs(colors - strength[:, None] * hue.astype(np.float32)).max(axis=1)
    return float(away.max()) <= 6 * NEAR * white and bool(np.count_nonzero(away > NEAR * white) <= 0.2 * len(away))


def _mostly_between(strength: Plane, white: int) -> bool:
    """Return whether most values that are not black are far from the largest as well."""
    top = int(strength.max())
    touched = strength > NEAR * white
    return bool(2 * np.count_nonzero(touched & (strength < 7 / 8 * top)) > np.count_nonzero(touched))


def _shows_photo(values: Plane, white: int) -> bool:
    """Return whether gray values (H, W) are a photo's: mostly neither black nor white, and rough."""
    between = (values > white / 8) & (values < white * 7 / 8)
    if 2 * np.count_nonzero(between) <= between.size or min(values.shape) < 3:
        return False
    rough = np.abs(cv2.Laplacian(values.astype(np.float32), cv2.CV_32F, ksize=1))
    return float(rough[between].mean()) > PHOTO_ROUGHNESS * white


def _is_label_map(values: Plane, drawing: Drawing) -> bool:
    """Return whether gray values (H, W) of more than two levels name areas, instead of being strengths of one thing.

    Strengths between the lowest and the highest lie along edges or change little by little; labels are areas of one
    value with nothing between them.
    """
    counts = _histogram(values)
    levels = np.flatnonzero(counts)
    if drawing.lossy or len(levels) < 3:
        return False
    low, top = int(levels[0]), int(levels[-1])
    kernel = np.ones((3, 3), np.uint8)
    flat = values[cv2.erode(values, kernel) == cv2.dilate(values, kernel)]
    flat = flat[(flat > low) & (flat < top)]
    between = int(counts[low + 1 : top].sum())
    palette = drawing.entries is not None
    if 2 * len(flat) < between:
        return top < FEW_COLORS and not palette  # nobody paints in so few of 256 levels
    if len(levels) > FEW_COLORS:
        steps = np.abs(np.diff(values.astype(np.int64), axis=1))
        if float(np.median(steps[steps > 0])) < 2:  # a gradient
            return False
    if palette or int(flat.min()) < drawing.white / 8:
        return True
    return len(levels) > 3 and bool(2 * between > np.count_nonzero(values > low))


def _histogram(values: Plane) -> NDArray[np.int64]:
    if values.dtype == np.uint8:
        return np.asarray(cv2.calcHist([values], [0], None, [256], [0, 256]), np.float64).ravel().astype(np.int64)
    return np.bincount(values.ravel(), minlength=1)


def _packed(colors: Plane) -> NDArray[np.int64]:
    """Return colors (..., 3) as one integer each."""
    red, green, blue = (colors[..., channel].astype(np.int64) for channel in range(3))
    return (red << 32) | (green << 16) | blue


def _brightest(values: Plane) -> Plane:
    """Return the largest channel (H, W)."""
    return np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2])


def _colors_of(values: Plane) -> list[int]:
    """Return the distinct colors of (H, W, 3), packed; some of them where they are no fewer than FEW_COLORS."""
    packed = _packed(values).ravel()
    found = np.unique(packed[:: max(len(packed) // 100_000, 1)])
    if len(found) < FEW_COLORS:
        found = np.union1d(found, packed[~np.isin(packed, found)])
    return [int(color) for color in found]


def _number_of_colors(shown: Plane) -> int:
    step = max(len(shown) // 100_000, 1)
    return len(np.unique(shown[::step] if shown.ndim == 1 else _packed(shown[::step])))


def _painted(shown: Plane, strength: Plane, white: int, ground: str) -> str:
    """Say that one color, of the pixels that are shown, is the hole."""
    color = _color_name(shown[2 * strength.astype(np.int64) >= int(strength.max())].mean(axis=0), white)
    return f"{color} on {ground}; {color} is the hole"


_NAMES = {
    (1, 0, 0): "red",
    (0, 1, 0): "green",
    (0, 0, 1): "blue",
    (1, 1, 0): "yellow",
    (1, 0, 1): "magenta",
    (0, 1, 1): "cyan",
    (1, 1, 1): "white",
}


def _color_name(color: Any, white: int) -> str:
    """Return a word for a color, (3,) or one gray value, or its hexadecimal digits."""
    levels = np.rint(np.broadcast_to(np.asarray(color, np.float64), (3,)) * 255 / white).astype(int)
    if levels.max() <= 255 * NEAR:
        return "black"
    if all(level <= 255 * NEAR or level >= 255 * (1 - NEAR) for level in levels):
        return _NAMES[tuple(int(level > 127) for level in levels)]  # type: ignore[index]
    return "#" + "".join(f"{level:02x}" for level in levels)


def _labels_message(drawing: Drawing) -> str:
    return f"{drawing.name}: labels of more than two values; its {_listed(drawing)}"


def _listed(drawing: Drawing) -> str:
    """Say which labels there are, and how the hole is named among them."""
    gray = _gray_if_gray(drawing.values, drawing.white)
    if drawing.entries is not None:
        found: Sequence[str] = [str(level) for level in np.unique(drawing.entries)]
    elif gray.ndim == 2:
        found = [str(level) for level in np.unique(gray)]
    else:
        factor = white_of(gray.dtype) // 255
        found = [
            "'#" + "".join(f"{(each >> shift & 65535) // factor:02x}" for shift in (32, 16, 0)) + "'"
            for each in _colors_of(gray)
        ]
    if drawing.alpha is not None and drawing.alpha.min() == 0:
        found = [*found, TRANSPARENT]
    listed = ", ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
    return f"labels are {listed}: name the hole, as by --label {found[min(1, len(found) - 1)]}"
