import numpy as np
import pytest
import torch
from torch import nn

from inpaint.losses.penalties import gradient_penalty, r1_penalty


@pytest.fixture
def images():
    return torch.rand(2, 2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def numeric_gradient(discriminator, image, step=1e-5):
    """The gradient of the sum of each image's logits by central differences."""
    gradient = torch.zeros_like(image)
    flat = image.flatten()
    for i in range(flat.numel()):
        ahead, behind = flat.clone(), flat.clone()
        ahead[i] += step
        behind[i] -= step
        rise = discriminator(ahead.view_as(image)).sum() - discriminator(behind.view_as(image)).sum()
        gradient.view(-1)[i] = rise / (2 * step)
    return gradient


def lively_discriminator(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Softplus(), nn.Conv2d(4, 1, 3)).double()


def test_penalties_of_a_linear_discriminator_have_a_closed_form(images):
    direction = torch.arange(60, dtype=torch.float64).view(1, 3, 4, 5) / 100
    length = np.linalg.norm(direction.numpy())

    def discriminator(image):
        return (image * direction).sum(dim=(1, 2, 3))

    assert r1_penalty(discriminator, images[0]).item() == pytest.approx(length**2 / 2, rel=1e-12)
    assert gradient_penalty(discriminator, *images).item() == pytest.approx((length - 1) ** 2, rel=1e-12)
    mask = torch.zeros(2, 1, 4, 5, dtype=torch.float64)
    mask[..., 1:3, 2:] = 1
    inside = np.linalg.norm((direction * mask[:1]).numpy())
    assert gradient_penalty(discriminator, *images, mask=mask).item() == pytest.approx((inside - 1) ** 2, rel=1e-12)


def test_r1_matches_finite_differences(images):
    discriminator = lively_discriminator()
    with torch.no_grad():
        expected = (numeric_gradient(discriminator, images[0]) ** 2).sum().item() / 2 / len(images[0])
    assert r1_penalty(discriminator, images[0]).item() == pytest.approx(expected, rel=1e-6)


def test_the_gradient_penalty_matches_finite_differences_at_the_points_drawn(images):
    discriminator = lively_discriminator()
    real, fake = images
    torch.manual_seed(5)
    found = gradient_penalty(discriminator, real, fake).item()
    torch.manual_seed(5)
    shares = torch.rand(2, 1, 1, 1, dtype=torch.float64)
    with torch.no_grad():
        gradient = numeric_gradient(discriminator, real * (1 - shares) + fake * shares).numpy()
    expected = np.mean([(np.linalg.norm(one) - 1) ** 2 for one in gradient])
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "penalty", [r1_penalty, lambda discriminator, real: gradient_penalty(discriminator, real, 1 - real)]
)
def test_penalties_move_the_weights_of_the_discriminator(images, penalty):
    discriminator = lively_discriminator()
    weight = discriminator[0].weight
    torch.manual_seed(9)
    penalty(discriminator, images[0]).backward()
    values, step = [], 1e-6
    for shift in (step, -2 * step):
        with torch.no_grad():
            weight.view(-1)[7] += shift
        torch.manual_seed(9)
        values.append(penalty(discriminator, images[0]).item())
    assert weight.grad.view(-1)[7].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)
