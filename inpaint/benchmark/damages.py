"""What is drawn into photos to be found again: text, scratches, dust, dates, watermarks, objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from PIL import Image

from inpaint.finding.objects import object_in
from inpaint.finding.table import find, find_in_all
from inpaint.images.lettering import Layer, Lettering, font_at, write
from inpaint.images.mask_rules import Hole
from inpaint.images.photo import Photo, to_uint8
from inpaint.images.regions import Region
from inpaint.images.sheets import Rgb

Draw: TypeAlias = Callable[[np.random.Generator, Rgb], Layer]
"""From the random numbers and the photo (H, W, 3), whose size counts and, for objects, whose content."""
Look: TypeAlias = Callable[[Sequence[Photo], Sequence[Hole], float], list[Hole]]
"""From photos of one size, the damage (H, W) of each and a sensitivity to what is found in each."""

WORDS = ("Sample", "preview", "copyright", "by", "the", "quick", "brown", "fox", "lazy", "dog", "2024", "SALE", "York")
SEGMENTS = ((0, 0, 1, 0), (1, 0, 1, 1), (1, 1, 1, 2), (0, 2, 1, 2), (0, 1, 0, 2), (0, 0, 0, 1), (0, 1, 1, 1))
"""Of a figure one wide and two high: from x, y to x, y; from the top around to the left, the middle one last."""
LIT = (0x3F, 0x06, 0x5B, 0x4F, 0x66, 0x6D, 0x7D, 0x07, 0x7F, 0x6F)
"""Segments of each figure, a bit each."""
BOX_MARGIN = 0.15
"""How much larger than an object the box around it is at each side, of the object's larger side."""


@dataclass(frozen=True, kw_only=True)
class Damage:
    """Something that is drawn into photos and looked for.

    Args:
        draw: What is laid over a photo.
        look: What is found.
        shared: All photos of a size get the same, and are looked at together.
        solid: All that is covered is damage, also where it happens to look like what it covers.
        boxed: It is looked for in a box around the damage, so there is nothing to find in a photo without.
    """

    draw: Draw
    look: Look
    shared: bool = False
    solid: bool = False
    boxed: bool = False


def _alone(what: str) -> Look:
    return lambda photos, _, sensitivity: [find(what, photo, sensitivity=sensitivity) for photo in photos]


def _together(what: str) -> Look:
    return lambda photos, _, sensitivity: [find_in_all(what, photos, sensitivity=sensitivity)] * len(photos)


def _in_boxes(photos: Sequence[Photo], damaged: Sequence[Hole], _: float) -> list[Hole]:
    """Return the object in a box that is a little larger than the damage; GrabCut knows no sensitivity."""
    found = []
    for photo, hole in zip(photos, damaged, strict=True):
        box = Region.around(hole)
        image = to_uint8(photo.pixels)
        found.append(object_in(image, box.grown(round(BOX_MARGIN * max(box.size)), image.shape[:2])))
    return found


def _text(rng: np.random.Generator, image: Rgb) -> Layer:
    """One to four lines in white, black, yellow or any color, some with an outline, some a quarter transparent."""
    height, width = image.shape[:2]
    inner, outer = Image.new("L", (width, height)), Image.new("L", (width, height))
    for _ in range(int(rng.integers(1, 5))):
        size = max(8, round(min(height, width) * rng.uniform(0.05, 0.14)))
        font, words = font_at("", size), " ".join(rng.choice(WORDS, int(rng.integers(1, 5))))
        corner = (int(rng.uniform(0, 0.5) * width), int(rng.uniform(0.02, 0.9) * (height - size)))
        write(inner, words, corner, font)
        write(outer, words, corner, font, outline_px=max(1, size // 14))
    any_color = rng.integers(0, 256, 3).tolist()
    color = np.array([(255, 255, 255), (0, 0, 0), (255, 220, 0), any_color][int(rng.integers(4))], np.float64)
    outlined, opaque = rng.random() < 0.4, rng.random() < 0.7
    letters = np.asarray(inner)
    around = np.zeros(3) if color.sum() > 380 else np.full(3, 255.0)
    colors, opacity = Lettering(letters, np.asarray(outer) if outlined else letters).ink(color, around)
    return colors, opacity * (1.0 if opaque else 0.75)


def _scratches(rng: np.random.Generator, image: Rgb) -> Layer:
    """Two to five bent lines of 1 to 3 pixels, bright or dark, a third to the whole of the longer side long."""
    height, width = image.shape[:2]
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


def _dust(rng: np.random.Generator, image: Rgb) -> Layer:
    """Twenty to eighty ellipses of 1 to 3 pixels radius, bright or dark."""
    height, width = image.shape[:2]
    drawn = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(20, 81))):
        center, axes = rng.integers(0, (width, height)).tolist(), rng.integers(1, 4, 2).tolist()
        cv2.ellipse(drawn, center, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
    return np.full((height, width, 3), rng.choice([245.0, 15.0])), 0.9 * drawn / 255


def _date(rng: np.random.Generator, image: Rgb) -> Layer:
    """A date of seven-segment figures in a corner, orange to red, glowing, 3 to 5 % of the shorter side high."""
    height, width = image.shape[:2]
    side = min(height, width)
    tall = max(8.0, side * rng.uniform(0.03, 0.05))
    wide, stroke = 0.5 * tall, max(1, round(tall / 9))
    figures = f"{rng.integers(100):02d}{rng.integers(1, 13):2d}{rng.integers(1, 32):2d}"
    across, away = 1.5 * wide * (len(figures) + 1.2), side * rng.uniform(0.04, 0.08)
    left = away if rng.random() < 0.3 else width - away - across
    drawn = np.zeros((height, width), np.uint8)
    for place, figure in enumerate(figures):
        if figure == " ":
            continue
        # Day, month and year stand apart.
        corner = (left + 1.5 * wide * (place + 0.6 * (place // 2)), height - away - tall)
        for number, ends in enumerate(SEGMENTS):
            if LIT[int(figure)] >> number & 1:
                first, last = (
                    tuple(round(16 * (corner[axis] + ends[end + axis] * wide)) for axis in (0, 1)) for end in (0, 2)
                )
                cv2.line(drawn, first, last, 255, stroke, cv2.LINE_AA, 4)
    glow = np.asarray(cv2.GaussianBlur(drawn, (0, 0), 0.12 * tall), np.float64) / 255
    color = np.array((255, rng.uniform(70, 170), rng.uniform(0, 50)))
    return np.broadcast_to(color, image.shape), np.clip(np.maximum(drawn / 255, 1.2 * glow), 0, 0.95)


def _watermark(rng: np.random.Generator, image: Rgb) -> Layer:
    """A word across the middle, at an angle, in white or black, a quarter to a half opaque, with a ring around it."""
    height, width = image.shape[:2]
    drawn = Image.new("L", (width, height))
    size = round(min(height, width) * rng.uniform(0.12, 0.2))
    word = str(rng.choice(WORDS)).upper()
    write(drawn, word, (width / 2, height / 2), font_at("", size), anchor="mm")
    ring = (width // 2, height // 2), round(0.4 * min(height, width))
    covered = np.array(drawn.rotate(float(rng.uniform(-40, 40)), Image.Resampling.BILINEAR))
    cv2.circle(covered, *ring, 255, max(2, size // 12), cv2.LINE_AA)
    color = np.full(image.shape, rng.choice([255.0, 0.0]))
    return color, covered / 255 * rng.uniform(0.25, 0.5)


def _object(rng: np.random.Generator, image: Rgb) -> Layer:
    """A rounded shape, a sixth to a third of the shorter side wide, that shows the photo upside down, re-colored."""
    height, width = image.shape[:2]
    radius = min(height, width) * rng.uniform(1 / 12, 1 / 6)
    center = [rng.uniform(2 * radius, length - 2 * radius) for length in (width, height)]
    angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    waves = [rng.normal(0, 0.3 / order) * np.sin(order * angles + rng.uniform(0, 2 * np.pi)) for order in (2, 3, 4)]
    reach = radius * np.clip(1 + np.sum(waves, axis=0), 0.4, 1.8)
    outline = np.stack([center[0] + reach * np.cos(angles), center[1] + reach * np.sin(angles)], axis=1)
    drawn = np.zeros((height, width), np.uint8)
    cv2.fillPoly(drawn, [np.rint(16 * outline).astype(np.int32)], 255, cv2.LINE_AA, 4)
    colors = image[::-1, ::-1].astype(np.float64) * rng.uniform(0.4, 1.6, 3)
    return np.clip(colors, 0, 255), drawn / 255


DAMAGES: Mapping[str, Damage] = {
    "text": Damage(draw=_text, look=_alone("text")),
    "scratches": Damage(draw=_scratches, look=_alone("scratches")),
    "dust": Damage(draw=_dust, look=_alone("dust")),
    "date": Damage(draw=_date, look=_alone("date")),
    "watermark": Damage(draw=_watermark, look=_together("watermark"), shared=True),
    "object": Damage(draw=_object, look=_in_boxes, solid=True, boxed=True),
}
"""What is drawn into photos, by the name under which it is looked for."""
