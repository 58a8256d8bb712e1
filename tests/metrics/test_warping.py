"""The warping error: nothing for what moves with the film, the flicker's size for flicker."""

import math

import numpy as np
import pytest
import torch

from inpaint.errors import InputError
from inpaint.metrics import Compared, measured, measures
from inpaint.metrics.warping import WarpingError, warping_error


def film(count=4):
    """A texture that moves 2 pixels to the left with every frame."""
    rng = np.random.default_rng(0)
    wide = np.kron(rng.integers(40, 210, (9, 16, 3)), np.ones((8, 8, 1)))
    smooth = (wide + np.roll(wide, 3, 0) + np.roll(wide, 3, 1) + np.roll(wide, (3, 3), (0, 1))) / 4
    return [smooth[4:68, 10 + 2 * k : 90 + 2 * k].astype(np.uint8) for k in range(count)]


def compared(frame, painted, before, painted_before):
    """Frames of a batch of two, the second one as it is."""

    def tensor(*images):
        return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).double() / 255

    return Compared(
        completed=tensor(painted, frame),
        image=tensor(frame, frame),
        mask=torch.ones(2, 1, *frame.shape[:2]),
        before=(tensor(before, before), tensor(painted_before, before)),
    )


def test_what_moves_with_the_film_does_not_flicker():
    before, frame = film(2)
    assert warping_error(frame, 255 - frame, before, 255 - before) < 4


def test_flicker_is_measured_by_its_size_frame_by_frame():
    before, frame = film(2)
    flickering, steady = measured(compared(frame, frame + np.uint8(20), before, before), [WarpingError()])[
        "warping_error"
    ].tolist()
    assert flickering == pytest.approx(math.hypot(20, steady), rel=0.1)
    assert steady == pytest.approx(warping_error(frame, frame, before, before))


def test_a_frame_that_shows_nothing_of_the_one_before_does_not_count(monkeypatch):
    before, frame = film(2)
    (measure,) = measures(["warping_error"]).of_images
    case = compared(frame, frame, before, before)
    assert measure.counts(case).tolist() == [True, True]
    monkeypatch.setattr("inpaint.metrics.warping.consistency", lambda flow, back: np.zeros(flow.shape[:2], np.int8))
    other = compared(frame[::-1].copy(), frame, before, before)
    assert measure.counts(other).tolist() == [False, False]
    assert measured(other, [measure])["warping_error"].isnan().all()


def test_the_first_frame_has_nothing_before_it_and_sizes_must_fit():
    before, frame = film(2)
    case = compared(frame, frame, before, before)
    alone = Compared(completed=case.completed, image=case.image, mask=case.mask)
    assert not WarpingError().applies(alone)
    with pytest.raises(InputError, match="before must have the image's shape"):
        Compared(completed=case.completed, image=case.image, mask=case.mask, before=(case.image, case.image[..., 1:]))
