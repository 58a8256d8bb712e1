"""The matting residual: nothing for local changes of color, the deviation of grain for grain."""

import pytest
import torch

from inpaint.metrics import Compared
from inpaint.metrics.photorealism import MattingResidual


def measured(completed, image):
    mask = torch.ones_like(image[:, :1])
    (value,) = MattingResidual().values(Compared(completed=completed, image=image, mask=mask)).tolist()
    return value


@pytest.fixture
def image():
    coarse = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, (40, 50), mode="bicubic").clamp(0, 1)


def test_contrast_and_tint_leave_a_photo(image):
    assert measured(image, image) < 0.05  # what slopes cost
    assert (
        measured(0.3 * image.flip(1) + torch.tensor([0.1, 0.2, 0.5]).view(1, 3, 1, 1), image) < 0.05
    )  # what slopes cost


def test_grain_counts_by_its_deviation(image):
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
    # In a window 9 values are fitted by 4 numbers, so 5 / 9 of the variance is left, or a little more where the
    # original is so flat that slopes cost more than they gain.
    assert measured(image + 0.02 * noise, image) == pytest.approx(0.02 * 255 * (5 / 9) ** 0.5, rel=0.1)


def test_a_batch_is_measured_image_by_image(image):
    other = image.flip(2)
    mask = torch.ones(2, 1, 40, 50)
    both = Compared(completed=torch.cat((image, image)), image=torch.cat((image, other)), mask=mask)
    values = MattingResidual().values(both).tolist()
    assert values[0] < 0.05  # what slopes cost
    assert values[1] == pytest.approx(measured(image, other))
