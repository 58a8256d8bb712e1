"""How well what is found meets what was drawn: text, scratches and dust put into photos, pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inpaint.finding.table import find
from inpaint.images.hole_files import hole_over
from inpaint.images.mask_rules import Hole
from inpaint.images.photo import Photo, photo_of_array, to_uint8
from inpaint.images.sheets import Rgb

Damage: TypeAlias = Callable[[np.random.Generator, int, int], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""From (rng, height, width) to colors (H, W, 3), 0 to 255, and their opacity (H, W), 0 to 1."""

CHANGED = 8  # of 255: a pixel that changed by more is damaged
NEAR_PX = 3  # so far from damage a found pixel still counts as near: finders take a margin
WORDS = ("Sample", "preview", "copyright", "by", "the", "quick", "brown", "fox", "lazy", "dog", "2024", "SALE", "York")


@dataclass(frozen=True, kw_only=True)
class Score:
    """How well the damage of one photo was found.

    Args:
        precision: Share of what was found that is damaged.
        near: Share of what was found that lies within 3 pixels of damage.
        recall: Share of the damage that was found.
        false_alarm: Share of the photo without damage in which something was found.
    """

    precision: float
    near: float
    recall: float
    false_alarm: float


def score(found: Hole, damaged: Hole, found_without: Hole) -> Score:
    """Return the score of a hole (H, W); shares of nothing are 1."""
    side = 2 * NEAR_PX + 1
    around = cv2.dilate(damaged.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)

    def share(part: Hole, whole: Hole) -> float:
        return float(part[whole].mean()) if whole.any() else 1.0

    return Score(
        precision=share(damaged, found),
        near=share(around, found),
        recall=share(found, damaged),
        false_alarm=float(found_without.mean()),
    )


def measured(
    what: str, photos: Iterable[tuple[str, Photo]], *, sensitivity: float, seed: int
) -> Iterator[tuple[str, Score, Rgb]]:
    """Damage every photo, look for the damage, and yield name, score and what a sheet shows of it.

    A sheet shows the damaged photo, and beside it what was found in red and what was missed in green.

    Args:
        what: A key of `DAMAGES`, which is what is looked for as well.
        photos: With names; the damage depends on the name and the seed alone.
        sensitivity: Of the finder.
        seed: Of the damage.
    """
    for name, photo in photos:
        image = to_uint8(photo.pixels)
        rng = np.random.default_rng([seed, crc32(f"{what} {Path(name).stem}".encode())])
        colors, opacity = DAMAGES[what](rng, *image.shape[:2])
        mixed = image * (1 - opacity[..., None]) + colors * opacity[..., None]
        worse = photo_of_array(np.rint(mixed).astype(np.uint8))
        damaged = np.abs(worse.pixels.astype(np.int16) - image).max(axis=2) > CHANGED
        found = find(what, worse, sensitivity=sensitivity)
        without = find(what, photo_of_array(image), sensitivity=sensitivity)
        shown = hole_over(worse, found)
        shown[damaged & ~found] = (0, 255, 0)
        yield name, score(found, damaged, without), np.concatenate([worse.pixels, shown], axis=1)


# What is drawn --------------------------------------------------------------------------------------------------------


def _text(rng: np.random.Generator, height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One to four lines in white, black, yellow or any color, some with an outline, some a quarter transparent."""
    inner, outer = Image.new("L", (width, height)), Image.new("L", (width, height))
    for _ in range(int(rng.integers(1, 5))):
        size = max(8, round(min(height, width) * rng.uniform(0.05, 0.14)))
        font, words = ImageFont.load_default(size), " ".join(rng.choice(WORDS, int(rng.integers(1, 5))))
        corner = (int(rng.uniform(0, 0.5) * width), int(rng.uniform(0.02, 0.9) * (height - size)))
        ImageDraw.Draw(inner).text(corner, words, fill=255, font=font)
        ImageDraw.Draw(outer).text(corner, words, fill=255, font=font, stroke_width=max(1, size // 14))
    any_color = rng.integers(0, 256, 3).tolist()
    color = np.array([(255, 255, 255), (0, 0, 0), (255, 220, 0), any_color][int(rng.integers(4))], np.float64)
    outlined, opaque = rng.random() < 0.4, rng.random() < 0.7
    letters = np.asarray(inner, np.float64)[..., None] / 255
    around = np.zeros(3) if color.sum() > 380 else np.full(3, 255.0)
    colors = color * letters + around * (1 - letters) if outlined else np.broadcast_to(color, (height, width, 3))
    opacity = np.asarray(outer if outlined else inner, np.float64) / 255
    return colors, opacity * (1.0 if opaque else 0.75)


def _scratches(rng: np.random.Generator, height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two to five bent lines of 1 to 3 pixels, bright or dark, a third to the whole of the longer side long."""
    opacity = np.zeros((height, width))
    for _ in range(int(rng.integers(2, 6))):
        angle, length = rng.uniform(0, np.pi), rng.uniform(0.3, 1.0) * max(height, width)
        along, bend = np.linspace(-0.5, 0.5, 40) * length, rng.normal(0, 0.02)
        across = bend * along**2 / length * 4
        x = rng.uniform(0, width) + np.cos(angle) * along - np.sin(angle) * across
        y = rng.uniform(0, height) + np.sin(angle) * along + np.cos(angle) * across
        drawn = np.zeros((height, width), np.uint8)
        points = np.rint(np.stack([x, y], axis=1)).astype(np.int32)
        cv2.polylines(drawn, [points], False, 255, int(rng.integers(1, 4)), cv2.LINE_AA)
        opacity = np.maximum(opacity, drawn / 255)
    return np.full((height, width, 3), rng.choice([245.0, 15.0])), 0.9 * opacity


def _dust(rng: np.random.Generator, height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Twenty to eighty ellipses of 1 to 3 pixels radius, bright or dark."""
    drawn = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(20, 81))):
        center, axes = rng.integers(0, (width, height)).tolist(), rng.integers(1, 4, 2).tolist()
        cv2.ellipse(drawn, center, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
    return np.full((height, width, 3), rng.choice([245.0, 15.0])), 0.9 * drawn / 255


DAMAGES: Mapping[str, Damage] = {"text": _text, "scratches": _scratches, "dust": _dust}
"""What is drawn into photos, by the name under which it is looked for."""
