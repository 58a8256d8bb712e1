import numpy as np
import pytest
import torch
from torch import nn

from inpaint.losses import parse_losses


def term(kind, **options):
    losses = parse_losses({"it": {"kind": kind, "of": "completed", "weight": 1.0, **options}})
    return losses.terms["it"]


@pytest.fixture
def hinge():
    return term("hinge")


@pytest.fixture
def logits():
    return torch.randn(2, 2, 1, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 3


def test_hinge_of_the_discriminator_matches_numpy(hinge):
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(2, 2, 4, 3, 5))
    expected = (np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean()) / 2
    assert hinge.discriminator_loss(torch.as_tensor(real), torch.as_tensor(fake)).item() == pytest.approx(expected)


def test_an_undecided_discriminator_loses_one(hinge):
    nothing = torch.zeros(2, 3)
    assert hinge.discriminator_loss(nothing, nothing).item() == 1.0


def test_logits_beyond_the_margin_cost_the_discriminator_nothing(hinge):
    assert hinge.discriminator_loss(torch.full((2, 3), 1.5), torch.full((2, 3), -2.0)).item() == 0.0


def test_the_generator_gains_what_its_logits_gain(hinge):
    logits = torch.tensor([[1.0, -3.0], [0.5, 2.5]], requires_grad=True)
    hinge.generator_loss(logits).backward()
    assert torch.equal(logits.grad, torch.full_like(logits, -0.25))


def test_the_non_saturating_loss_is_the_cross_entropy_of_the_sigmoid(logits):
    loss, entropy = term("nsgan"), nn.BCELoss()
    real, fake = logits
    true, false = torch.ones_like(real), torch.zeros_like(real)
    expected = (entropy(real.sigmoid(), true) + entropy(fake.sigmoid(), false)) / 2
    assert loss.discriminator_loss(real, fake).item() == pytest.approx(expected.item(), rel=1e-12)
    assert loss.generator_loss(fake).item() == pytest.approx(entropy(fake.sigmoid(), true).item(), rel=1e-12)


def test_the_non_saturating_loss_keeps_its_gradient_where_a_sigmoid_has_none():
    hopeless = torch.tensor([-200.0], requires_grad=True)
    loss = term("nsgan").generator_loss(hopeless)
    loss.backward()
    assert loss.item() == pytest.approx(200.0)
    assert hopeless.grad.item() == pytest.approx(-1.0)


@pytest.mark.parametrize("sigmoid", [False, True])
def test_least_squares_is_the_squared_distance_from_the_labels(logits, sigmoid):
    loss, squares = term("lsgan", sigmoid=sigmoid), nn.MSELoss()
    real, fake = logits
    outputs = [s.sigmoid() if sigmoid else s for s in logits]
    true, false = torch.ones_like(real), torch.zeros_like(real)
    expected = (squares(outputs[0], true) + squares(outputs[1], false)) / 2
    assert loss.discriminator_loss(real, fake).item() == pytest.approx(expected.item(), rel=1e-12)
    assert loss.generator_loss(fake).item() == pytest.approx(squares(outputs[1], true).item(), rel=1e-12)


def test_wasserstein_is_the_difference_of_the_means(logits):
    loss = term("wgan_gp")
    real, fake = logits.numpy()
    assert loss.discriminator_loss(*logits).item() == pytest.approx(fake.mean() - real.mean(), rel=1e-12)
    assert loss.generator_loss(logits[1]).item() == pytest.approx(-fake.mean(), rel=1e-12)
