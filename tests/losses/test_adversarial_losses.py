import numpy as np
import pytest
import torch

from inpaint.losses import parse_losses


@pytest.fixture
def hinge():
    return parse_losses({"game": {"kind": "hinge", "of": "completed", "weight": 1.0}}).adversarial["game"]


def test_hinge_of_the_discriminator_matches_numpy(hinge):
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(2, 2, 4, 3, 5))
    expected = (np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean()) / 2
    assert hinge.for_discriminator(torch.as_tensor(real), torch.as_tensor(fake)).item() == pytest.approx(expected)


def test_an_undecided_discriminator_loses_one(hinge):
    nothing = torch.zeros(2, 3)
    assert hinge.for_discriminator(nothing, nothing).item() == 1.0


def test_scores_beyond_the_margin_cost_the_discriminator_nothing(hinge):
    assert hinge.for_discriminator(torch.full((2, 3), 1.5), torch.full((2, 3), -2.0)).item() == 0.0


def test_the_generator_gains_what_its_scores_gain(hinge):
    scores = torch.tensor([[1.0, -3.0], [0.5, 2.5]], requires_grad=True)
    hinge.for_generator(scores).backward()
    assert torch.equal(scores.grad, torch.full_like(scores, -0.25))
