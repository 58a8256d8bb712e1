"""Masks and images that the tests of the solver and of the editing share."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

PARITY = Path(__file__).resolve().parents[4] / "shared" / "parity" / "poisson" / "cases.npz"


@pytest.fixture(scope="session")
def parity():
    """Solutions of the definition by sparse direct solves, 22 x 26 and 48 x 64."""
    if not PARITY.exists():
        pytest.skip("the reference solutions (../shared/parity/poisson) are not here")
    with np.load(PARITY) as cases:
        return dict(cases)


def _blob(height, width, seed=0):
    """About half of the frame, of any shape, cut by the frame."""
    noise = np.random.default_rng(seed).standard_normal((height, width))
    return ndimage.gaussian_filter(noise, min(height, width) / 14) > 0


def _box(height, width):
    mask = np.zeros((height, width), bool)
    mask[height // 4 : height // 2, width // 5 : -width // 5] = True
    return mask


MASKS = {
    "blob": _blob,
    "box": _box,
    "corner": lambda h, w: np.add.outer(np.arange(h), np.arange(w)) < (h + w) // 3,
    "ring": lambda h, w: (np.hypot(*np.ogrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]) // 0.3) == 1,
    "noise": lambda h, w: np.random.default_rng(1).random((h, w)) < 0.6,
    "dots": lambda h, w: np.random.default_rng(2).random((h, w)) < 0.02,
    "all but one": lambda h, w: np.arange(h * w).reshape(h, w) != w + 3,
}


@pytest.fixture(params=MASKS)
def mask(request):
    """One mask of each kind, 45 x 61."""
    return MASKS[request.param](45, 61)


@pytest.fixture
def make_mask():
    """`make_mask(name, height, width)` draws a mask of a kind."""
    return lambda name, height, width: MASKS[name](height, width)
