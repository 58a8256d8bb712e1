"""A blind model reads the hole: an evaluation must not show it the truth there."""

import numpy as np
import pytest

from inpaint.evaluation.measure import GRAY, fill_and_measure
from inpaint.fills.array_fill import ArrayFill
from inpaint.types import Capabilities


class Copying(ArrayFill):
    """Paints what it reads, and finds gray."""

    name = "copying"
    capabilities = Capabilities(blind=True, smallest_px=1)

    def find_mask(self, image):
        return (np.abs(image - GRAY / 255).max(axis=1, keepdims=True) < 1e-3).astype(np.float32)

    def paint(self, image, hole, context):
        return image


@pytest.fixture
def photo_and_mask(make_photo):
    mask = np.zeros((40, 56), np.uint8)
    mask[10:20, 12:30] = 1
    return make_photo(40, 56), mask


def test_the_truth_is_hidden_from_a_model_that_reads_the_hole(photo_and_mask):
    photo, mask = photo_and_mask
    measured = fill_and_measure(Copying(), photo, mask, seed=0)
    assert (measured.completed[mask == 1] == GRAY).all()
    assert np.array_equal(measured.completed[mask == 0], photo[mask == 0])


def test_what_is_to_be_removed_is_shown_where_the_truth_is_another_photo(photo_and_mask):
    photo, mask = photo_and_mask
    measured = fill_and_measure(Copying(), photo, mask, seed=0, truth=255 - photo)
    assert np.array_equal(measured.completed, photo)
