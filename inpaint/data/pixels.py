"""The pixel work of a sample: resize, crop, flip, through Albumentations, seeded per sample."""

from __future__ import annotations

import os
import random
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# Albumentations otherwise asks the network for a newer version when it is imported.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A
import cv2

ImageArray = NDArray[np.uint8]


class RandomView:
    """A square of `size` pixels out of a photo: cropped at random, flipped with probability `flip`.

    crop="random" cuts at native resolution and enlarges photos whose shorter side is below `size`; crop="resize" brings
    the shorter side to `size` first. color_jitter: strength of random changes of brightness, contrast and saturation
    (factors 1 - s to 1 + s) and hue (at most s half turns), 0 = none.
    """

    def __init__(self, size: int, *, crop: Literal["random", "resize"], flip: float, color_jitter: float = 0.0) -> None:
        self.size = size
        self.crop = crop
        self.fit = A.Compose([_shorter_side(size)])
        transforms: list[Any] = [A.RandomCrop(size, size), A.HorizontalFlip(p=flip)]
        if color_jitter:
            span = (1 - color_jitter, 1 + color_jitter)
            hue = (-color_jitter / 2, color_jitter / 2)
            transforms.append(A.ColorJitter(brightness=span, contrast=span, saturation=span, hue=hue, p=1.0))
        self.cut = A.Compose(transforms)

    def __call__(
        self, image: ImageArray, companion: ImageArray | None, rng: np.random.Generator
    ) -> tuple[ImageArray, ImageArray | None]:
        """Cut image (H, W, 3) and companion (H, W) alike. Returns (size, size, 3) and (size, size)."""
        if self.crop == "resize" or min(image.shape[:2]) < self.size:
            image, companion = _apply(self.fit, image, companion)
        # One generator for all transforms: seeding each with the same number would correlate crop and flip.
        self.cut.set_random_state(rng, random.Random(int(rng.integers(2**63))))
        return _apply(self.cut, image, companion)


class CenterView:
    """The middle of a photo, for validation: the shorter side becomes `size`, the longer is cut on both ends."""

    def __init__(self, size: int) -> None:
        self.cut = A.Compose([_shorter_side(size), A.CenterCrop(size, size)])

    def __call__(self, image: ImageArray, companion: ImageArray | None) -> tuple[ImageArray, ImageArray | None]:
        """Cut image (H, W, 3) and companion (H, W) alike. Returns (size, size, 3) and (size, size)."""
        return _apply(self.cut, image, companion)


def _shorter_side(size: int) -> Any:
    """Return what resizes the shorter side to `size`: by area downwards, so that nothing aliases, cubic upwards."""
    cubic = {"interpolation": cv2.INTER_CUBIC, "mask_interpolation": cv2.INTER_CUBIC}
    return A.SmallestMaxSize(size, **cubic, area_for_downscale="image_mask")


def _apply(
    transform: A.Compose, image: ImageArray, companion: ImageArray | None
) -> tuple[ImageArray, ImageArray | None]:
    both = transform(image=image, mask=companion)
    return both["image"], both["mask"]
