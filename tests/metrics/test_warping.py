"""The warping error: nothing for what moves with the film, the flicker's size for flicker."""

import math

import numpy as np
import pytest

from inpaint.metrics.warping import warping_error


def film(count=4):
    """A texture that moves 2 pixels to the left with every frame."""
    rng = np.random.default_rng(0)
    wide = np.kron(rng.integers(40, 210, (9, 16, 3)), np.ones((8, 8, 1)))
    smooth = (wide + np.roll(wide, 3, 0) + np.roll(wide, 3, 1) + np.roll(wide, (3, 3), (0, 1))) / 4
    return [smooth[4:68, 10 + 2 * k : 90 + 2 * k].astype(np.uint8) for k in range(count)]


def test_what_moves_with_the_film_does_not_flicker():
    frames = film()
    found = warping_error((frame, 255 - frame) for frame in frames)
    assert found.rms < 4
    assert found.pairs == 3
    assert found.share > 0.6


def test_flicker_is_measured_by_its_size():
    frames = film()
    steady = warping_error((frame, frame) for frame in frames).rms
    painted = [frame + np.uint8(20 * (k % 2)) for k, frame in enumerate(frames)]
    found = warping_error(zip(frames, painted, strict=True)).rms
    assert found == pytest.approx(math.hypot(20, steady), rel=0.1)


def test_a_single_frame_has_no_error():
    found = warping_error([(film(1)[0],) * 2])
    assert math.isnan(found.rms)
    assert found.pairs == 0
