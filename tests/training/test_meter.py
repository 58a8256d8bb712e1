"""Running means of what is logged."""

import math

import pytest
import torch

from inpaint.training.meter import Meter


def test_means_are_those_since_the_last_call():
    meter = Meter()
    for value in (1.0, 2.0, 6.0):
        meter.add("loss", torch.tensor(value))
    assert meter.means()["loss"].item() == 3.0
    assert meter.means() == {}


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_value_that_is_not_finite_spoils_the_mean_unless_it_may_be_left_out(bad):
    meter = Meter()
    for value in (1.0, bad, 2.0):
        meter.add("loss", torch.tensor(value))
        meter.add("norm", torch.tensor(value), if_finite=True)
    means = meter.means()
    assert not means["loss"].isfinite()
    assert means["norm"].item() == 1.5


def test_a_mean_of_nothing_is_no_number():
    meter = Meter()
    meter.add("norm", torch.tensor(math.inf), if_finite=True)
    assert meter.means()["norm"].isnan()
