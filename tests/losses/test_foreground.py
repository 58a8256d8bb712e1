"""Foreground-normalized MSE against NumPy."""

import numpy as np
import pytest
import torch

from inpaint.losses import parse_losses


def loss(record, **options):
    losses = parse_losses({"it": {"kind": "foreground_l2", "of": "raw", "weight": 1.0, **options}})
    return losses.of_record(record)["it"].item()


@pytest.fixture
def record():
    """Two images (2, 3, 5, 7) whose masks have 6 and 2 pixels."""
    rng = np.random.default_rng(0)
    found = {name: torch.as_tensor(rng.random((2, 3, 5, 7))) for name in ("image", "raw")}
    mask = torch.zeros(2, 1, 5, 7, dtype=torch.float64)
    mask[0, 0, 1:3, 2:5] = 1
    mask[1, 0, 4, :2] = 1
    return {**found, "mask": mask}


def test_each_image_s_squares_are_divided_by_its_own_area_or_the_least(record):
    squares = ((record["raw"] - record["image"]) ** 2).sum(dim=(1, 2, 3)).numpy()
    assert loss(record, least_px=1) == pytest.approx(np.mean(squares / (3 * np.array([6, 2]))), rel=1e-12)
    assert loss(record, least_px=4) == pytest.approx(np.mean(squares / (3 * np.array([6, 4]))), rel=1e-12)


def test_a_small_object_counts_as_much_as_a_large_one(record):
    off = {**record, "raw": record["image"] + 0.1 * record["mask"]}
    assert loss(off, least_px=1) == pytest.approx(0.01, rel=1e-12)


def test_an_empty_mask_gives_a_finite_number(record):
    assert np.isfinite(loss({**record, "mask": torch.zeros_like(record["mask"])}))
