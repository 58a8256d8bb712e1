"""The cross entropy of a found mask, against NumPy."""

import numpy as np
import pytest
import torch

from inpaint.errors import ConfigError
from inpaint.losses import parse_losses


@pytest.fixture
def record():
    rng = np.random.default_rng(0)
    mask = (rng.random((2, 1, 5, 7)) < np.array([0.2, 0.5]).reshape(2, 1, 1, 1)).astype(float)
    return {
        "mask_logits": torch.as_tensor(3 * rng.standard_normal((2, 1, 5, 7))),
        "mask": torch.as_tensor(mask),
        "hole_share": torch.tensor(mask.mean()),
    }


def loss(record, **options):
    losses = parse_losses({"it": {"kind": "mask_bce", "weight": 1.0, **options}})
    return losses.of_record(record)["it"].item()


def by_numpy(record, hole, clean, least=0.0):
    p = np.clip(1 / (1 + np.exp(-record["mask_logits"].numpy())), least, 1 - least)
    m = record["mask"].numpy()
    return -(hole * m * np.log(p) + clean * (1 - m) * np.log(1 - p)).mean()


def test_hole_and_clean_pixels_weigh_as_the_balance_says(record):
    share = record["hole_share"].item()
    assert loss(record) == pytest.approx(by_numpy(record, (1 - share) / (share + 1e-5), 1), rel=1e-12)
    assert loss(record, balance="none") == pytest.approx(by_numpy(record, 1, 1), rel=1e-12)
    assert loss(record, balance="shares") == pytest.approx(by_numpy(record, 1 - share, share), rel=1e-12)
    each = record["mask"].numpy().mean(axis=(1, 2, 3), keepdims=True)
    expected = by_numpy(record, 1 - each, each)
    assert loss(record, balance="shares", per_image=True) == pytest.approx(expected, rel=1e-12)


def test_probabilities_stay_away_from_0_and_1(record):
    assert loss(record, balance="none", least=0.1) == pytest.approx(by_numpy(record, 1, 1, least=0.1), rel=1e-12)


def test_the_logits_of_a_batch_may_be_averaged_first(record):
    same = {**record, "mask": record["mask"][:1].expand(2, -1, -1, -1)}
    mean = {**record, "mask_logits": record["mask_logits"].mean(dim=0, keepdim=True), "mask": record["mask"][:1]}
    assert loss(same, batch_mean=True) == pytest.approx(loss(mean), rel=1e-12)
    with pytest.raises(ConfigError, match="exclude each other"):
        loss(record, batch_mean=True, per_image=True)


def test_large_logits_give_finite_losses(record):
    assert np.isfinite(loss({**record, "mask_logits": 1e4 * record["mask_logits"].float()}))
