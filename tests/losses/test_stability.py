"""Losses of stability: what a small change of the content may change in the result."""

import numpy as np
import pytest
import torch

from inpaint.losses import parse_losses

RNG = np.random.default_rng(0)
RAW, OTHER = RNG.random((2, 2, 3, 5, 7))


def value(kind, **record):
    losses = parse_losses({"it": {"kind": kind, "weight": 1.0}})
    return losses.of_record({name: torch.from_numpy(array) for name, array in record.items()})["it"].item()


def test_noise_stability_is_the_mean_squared_difference_of_two_results():
    assert value("noise_stability", raw=RAW, noisy=OTHER) == pytest.approx(((RAW - OTHER) ** 2).mean(), rel=1e-12)


def test_flow_stability_counts_what_can_be_compared_alone():
    traceable = (RNG.random((2, 1, 5, 7)) < 0.5).astype(float)
    inside = np.broadcast_to(traceable == 1, RAW.shape)
    expected = ((RAW - OTHER) ** 2)[inside].mean()
    record = {"flowed": RAW, "flowed_raw": OTHER}
    assert value("flow_stability", **record, traceable=traceable) == pytest.approx(expected, rel=1e-12)
    assert value("flow_stability", **record, traceable=np.zeros((2, 1, 5, 7))) == 0
