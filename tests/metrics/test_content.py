"""The content distance: zero for the same, more for worse, one pair at a time."""

import pytest
import torch

from inpaint.metrics import Compared
from inpaint.metrics.content import ContentDistance
from inpaint.system.extras import is_installed


def compared(spread, *, weights_seed=0, count=2, side=(64, 49)):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 5, 6, generator=generator)
    image = torch.nn.functional.interpolate(coarse, size=side, mode="bicubic").clamp(0, 1)
    mask = torch.zeros(count, 1, *side)
    mask[..., 20:40, 10:30] = 1
    completed = (image + spread * mask * torch.randn(image.shape, generator=generator)).clamp(0, 1)
    return Compared(completed=completed, image=image, mask=mask)


@pytest.mark.parametrize(
    "weights",
    [
        "random",
        pytest.param(
            "public", marks=pytest.mark.skipif(not is_installed("offline-features"), reason="needs the extra")
        ),
    ],
)
def test_the_same_is_at_distance_zero_and_more_noise_is_farther(weights):
    measure = ContentDistance(weights)
    same, near, far = (measure.values(compared(spread)) for spread in (0, 0.03, 0.3))
    assert same.tolist() == pytest.approx([0, 0], abs=1e-6)
    assert (same < near).all()
    assert (near < far).all()
    assert (far < 2).all()


def test_it_is_the_mean_of_one_minus_the_cosine_over_positions_and_scales():
    from inpaint.metrics.extractors import lite0

    case = compared(0.2)
    network = lite0(torch.device("cpu"), "random")
    expected = []
    for one, other in zip(case.completed, case.image, strict=True):
        ours, theirs = (network((each[None] * 255 - 127) / 128).scales for each in (one, other))
        pairs = zip(ours, theirs, strict=True)
        cosines = [((x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1))).mean().item() for x, y in pairs]
        assert len(cosines) == 5
        expected.append(1 - sum(cosines) / 5)
    values = ContentDistance("random").values(case)
    assert values.dtype == torch.float64
    assert values.tolist() == pytest.approx(expected, abs=1e-5)


def test_a_pair_has_the_same_bytes_alone():
    case = compared(0.2)
    alone = Compared(completed=case.completed[1:], image=case.image[1:], mask=case.mask[1:])
    measure = ContentDistance("random")
    assert measure.values(alone)[0].item() == measure.values(case)[1].item()


def test_images_below_32_pixels_have_no_number():
    measure = ContentDistance("random")
    assert not measure.applies(compared(0.1, side=(31, 64)))
    assert measure.applies(compared(0.1, side=(32, 64)))
