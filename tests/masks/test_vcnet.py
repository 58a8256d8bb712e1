"""VCNet's strokes, against a mask that its program drew from a seed of NumPy's old generator."""

from pathlib import Path

import numpy as np
import pytest

from inpaint.masks.vcnet import VCNetStrokes

CASES = Path(__file__).resolve().parents[3] / "shared/parity/vcnet/cases.npz"


class OldGenerator:
    """NumPy's generator of old, asked as the new one is: number after number."""

    def __init__(self, seed):
        self.state = np.random.RandomState(seed)

    def integers(self, low, high, size=None):
        shape = np.broadcast_shapes(np.shape(low), np.shape(high), size or ())
        pairs = zip(np.broadcast_to(low, shape).flat, np.broadcast_to(high, shape).flat, strict=True)
        return np.array([self.state.randint(*pair) for pair in pairs], int).reshape(shape)


def test_from_its_seed_the_program_s_mask_is_drawn():
    if not CASES.is_file():
        pytest.skip("the public programs' outputs (../shared/parity) are not here")
    expected = np.load(CASES)["train_mask_256"] > 127
    drawn = VCNetStrokes().draw(OldGenerator(0), 256, 256) == 1
    assert (drawn != expected).sum() <= 20  # OpenCV's versions differ in single pixels


def test_strokes_reach_all_of_a_long_image():
    rng = np.random.default_rng(0)
    for height, width in ((32, 96), (96, 32)):
        shares = np.mean([VCNetStrokes().draw(rng, height, width) for _ in range(150)], axis=0)
        along = shares.mean(axis=0 if width > height else 1).reshape(3, 32).mean(axis=1)
        assert along.min() > 0.6 * along.max()
        assert along[0] == pytest.approx(along[2], rel=0.3)
