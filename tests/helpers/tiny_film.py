"""Films of which everything is known: a textured scene, a thing that moves before it, and its shadow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

HEIGHT, WIDTH = 96, 128
SIDE, SHADOW = 20, 12  # pixels of the thing, and by how much its shadow reaches below it


def scene(seed: int = 0) -> np.ndarray:
    """Return smooth colors with texture, (96, 128, 3) uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(90, 200, (12, 16, 3))
    smooth = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, 12, (HEIGHT, WIDTH, 1)), 40, 230).astype(np.uint8)


@dataclass(frozen=True)
class TinyFilm:
    """A film on disk. empty: the scene. things, shadows: where these are in each frame, (N, H, W) bool."""

    path: Path
    empty: np.ndarray
    things: np.ndarray
    shadows: np.ndarray


def write_film(
    path: Path, *, frames: int = 60, shade: float = 1.0, shift_px: float = 0.0, still: bool = False, noise: float = 1.0
) -> TinyFilm:
    """Write a film in Motion JPEG.

    A red square walks through it, with a shadow below that darkens by the factor `shade`. shift_px: by how much the
    camera sways. still: nothing moves.
    """
    rng = np.random.default_rng(1)
    empty = scene()
    things, shadows = np.zeros((2, frames, HEIGHT, WIDTH), bool)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (WIDTH, HEIGHT))
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, 98)
    for number in range(frames):
        left = 4 + (number * 97) % (WIDTH - SIDE - 8)  # never long in one place
        top = 10 + (number * 13) % 40
        things[number, top : top + SIDE, left : left + SIDE] = not still
        shadows[number, top + SIDE : top + SIDE + SHADOW, left : left + SIDE] = not still and shade < 1
        frame = empty.astype(np.float64)
        frame[shadows[number]] *= shade
        frame[things[number]] = (220, 20, 30)
        frame += rng.normal(0, noise, frame.shape)
        if shift_px:
            angle = number * 2.4
            moved = np.float32([[1, 0, shift_px * np.cos(angle)], [0, 1, shift_px * np.sin(angle)]])
            frame = cv2.warpAffine(frame, moved, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
        writer.write(np.clip(frame, 0, 255).round().astype(np.uint8)[..., ::-1])
    writer.release()
    return TinyFilm(path, empty, things, shadows)
