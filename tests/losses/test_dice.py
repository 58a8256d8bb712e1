import numpy as np
import pytest
import torch

from inpaint.losses import parse_losses


def loss(logits, mask, **options):
    block = {"found": {"kind": "dice", "of": "mask_logits", "weight": 1.0, **options}}
    return parse_losses(block).of_record({"mask_logits": logits, "mask": mask, "hole_share": mask.mean()})["found"]


def test_it_is_the_mean_over_images_of_what_numpy_finds():
    rng = np.random.default_rng(0)
    logits, mask = rng.normal(size=(2, 3, 5, 7)), (rng.random((2, 1, 5, 7)) < 0.3).astype(float)
    overlaps = []
    for found, true in zip(1 / (1 + np.exp(-logits)), np.repeat(mask, 3, axis=1), strict=True):
        overlaps.append(2 * (found * true).sum() / ((found**2).sum() + 0.5 + (true**2).sum() + 0.5))
    value = loss(torch.from_numpy(logits), torch.from_numpy(mask), smooth=0.5)
    assert value.item() == pytest.approx(1 - np.mean(overlaps), rel=1e-12)


def test_a_mask_that_is_found_costs_nothing_and_one_that_is_missed_everything():
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    mask[..., :4] = 1
    assert loss(200 * (mask - 0.5), mask).item() == pytest.approx(0, abs=1e-4)
    assert loss(200 * (0.5 - mask), mask).item() == pytest.approx(1, abs=1e-4)
