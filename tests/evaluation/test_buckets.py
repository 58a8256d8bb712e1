import numpy as np
import pytest

from inpaint.errors import InputError
from inpaint.evaluation.buckets import TENTHS, bucket, labels

PCONV = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # Liu et al. (2018), section 4.2


def test_every_share_of_a_small_image_lies_in_the_bucket_that_whole_numbers_give_it():
    for hole in range(1, 901):  # of 30 x 30 pixels: above 90 * k, up to 90 * (k + 1)
        tenth = (hole - 1) // 90
        assert bucket(hole / 900) == f"{10 * tenth}-{10 * (tenth + 1)} %"


def test_a_mean_that_lost_its_last_digit_stays_on_its_side_of_an_edge():
    assert {bucket(float(np.nextafter(0.3, side))) for side in (0, 1)} == {bucket(0.3)} == {"20-30 %"}


def test_holes_outside_the_edges_of_a_protocol_have_no_bucket():
    assert [bucket(ratio, PCONV) for ratio in (0.0, 0.01, 0.0101, 0.1, 0.6, 0.61)] == [
        None,
        None,
        "1-10 %",
        "1-10 %",
        "50-60 %",
        None,
    ]


def test_an_image_without_a_hole_lies_in_the_first_bucket_from_zero():
    assert bucket(0.0) == labels()[0] == "0-10 %"
    assert bucket(1.0) == labels()[-1] == "90-100 %"


def test_labels_are_those_that_buckets_get():
    assert labels(PCONV) == [bucket(high, PCONV) for high in PCONV[1:]]
    assert len(labels(TENTHS)) == 10


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_what_is_no_share_is_refused(ratio):
    with pytest.raises(InputError, match="from 0 to 1, got"):
        bucket(ratio)


@pytest.mark.parametrize("edges", [(), (0.5,), (0.2, 0.2), (0.4, 0.1)])
def test_edges_must_rise(edges):
    with pytest.raises(InputError, match="must rise"):
        bucket(0.3, edges)
