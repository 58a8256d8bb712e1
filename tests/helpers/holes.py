"""Holes for photos of any size: rectangles, specks, and a collection of both."""

import numpy as np


def holes(shape, *boxes):
    hole = np.zeros(shape, bool)
    for top, bottom, left, right in boxes:
        hole[top:bottom, left:right] = True
    return hole


def specks(shape, count, seed=0):
    rng = np.random.default_rng(seed)
    hole = np.zeros(shape, bool)
    for top, left in zip(rng.integers(0, shape[0] - 4, count), rng.integers(0, shape[1] - 4, count), strict=True):
        hole[top : top + rng.integers(1, 5), left : left + rng.integers(1, 5)] = True
    return hole


MASKS = {
    "one": holes((400, 500), (200, 240, 100, 130)),
    "corner": holes((400, 500), (0, 20, 480, 500)),
    "far apart": holes((900, 1000), (20, 60, 30, 50), (800, 840, 900, 990), (450, 455, 10, 400)),
    "one within another": holes((500, 500), (100, 300, 100, 104), (100, 104, 100, 300), (200, 210, 200, 210)),
    "specks": specks((900, 1300), 300),
    "half of all pixels": np.random.default_rng(0).random((300, 310)) < 0.5,
    "everything": np.ones((60, 70), bool),
}
