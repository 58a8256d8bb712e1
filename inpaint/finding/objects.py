"""The object in a box: GrabCut (Rother et al. 2004), which learns the colors inside and outside from the box alone."""

from __future__ import annotations

import cv2
import numpy as np

from inpaint.finding.damage import Image
from inpaint.images.mask_rules import Hole
from inpaint.images.regions import Region

LONGEST_PX = 640
"""Boxes whose surroundings are larger are looked at in this size."""
ROUNDS = 5
LEAST_SHARE = 0.02


def object_in(image: Image, box: Region) -> Hole:
    """Return the object that a box surrounds, grown by about a hundredth of its side; the box where none stands out.

    Args:
        image: (H, W, 3) RGB.
        box: Around the object, within the image.

    Returns:
        (H, W), True = object; nothing outside the box, apart from what it is grown by.
    """
    size = image.shape[:2]
    around = box.grown(max(box.size) // 2 + 8, size)
    scale = min(1.0, LONGEST_PX / max(around.size))
    part = np.ascontiguousarray(image[around.slices])
    marks = np.full(around.size, cv2.GC_BGD, np.uint8)
    marks[box.moved(-around.top, -around.left).slices] = cv2.GC_PR_FGD
    if scale < 1:
        part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        marks = np.asarray(cv2.resize(marks, part.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
    whole = np.zeros(size, bool)
    whole[box.slices] = True
    if (marks == cv2.GC_BGD).sum() < 16 or (marks == cv2.GC_PR_FGD).sum() < 16:
        return whole  # the box is the image, or a few pixels
    cv2.setRNGSeed(0)  # of this thread: its mixtures of colors begin at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(part, marks, (0, 0, 1, 1), *models, ROUNDS, cv2.GC_INIT_WITH_MASK)  # the rectangle is not read
    inside = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    if inside.sum() < LEAST_SHARE * box.area * scale**2:
        return whole
    side = 2 * max(1, round(0.01 * min(box.size))) + 1
    enlarged = cv2.resize(inside, around.size[::-1], interpolation=cv2.INTER_NEAREST)
    hole = np.zeros(size, bool)
    hole[around.slices] = cv2.dilate(enlarged, np.ones((side, side), np.uint8)).astype(bool)
    return hole
