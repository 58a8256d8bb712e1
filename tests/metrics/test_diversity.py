from itertools import combinations

import numpy as np
import pytest
import torch

from inpaint.errors import InputError
from inpaint.metrics import Compared, measured, measures
from inpaint.metrics.base import Pair
from inpaint.metrics.diversity import Diversity
from inpaint.metrics.lpips import LPIPS

PIXELS = measures(["diversity_l1", "diversity_l1_hole"]).of_images


def compared(samples, mask=None):
    image = torch.zeros_like(samples[0])
    mask = torch.zeros(image.shape[0], 1, *image.shape[2:]) if mask is None else mask
    return Compared(completed=samples[0], image=image, mask=mask, samples=samples)


@pytest.fixture
def samples():
    """Four fills of two images, (4, 2, 3, 33, 40), and masks in which alone they differ."""
    draw = torch.Generator().manual_seed(0)
    image, painted = torch.rand(2, 3, 33, 40, generator=draw), torch.rand(4, 2, 3, 33, 40, generator=draw)
    mask = torch.zeros(2, 1, 33, 40)
    mask[0, :, 4:20, 3:15] = 1
    mask[1, :, 20:, 20:] = 1
    return torch.where(mask > 0, painted, image), mask


def test_of_pixels_it_is_the_mean_over_all_pairs_as_numpy_has_it(samples):
    fills, mask = samples
    values = measured(compared(fills, mask), PIXELS)
    for i in range(2):
        one, hole = fills[:, i].double().numpy(), mask[i, 0].numpy() == 1
        pairs = [np.abs(one[a] - one[b]) for a in range(4) for b in range(a + 1, 4)]
        assert values["diversity_l1"][i].item() == pytest.approx(np.mean(pairs), rel=1e-6)
        in_hole = np.mean([pair[:, hole] for pair in pairs])
        assert values["diversity_l1_hole"][i].item() == pytest.approx(in_hole, rel=1e-6)


@pytest.mark.parametrize("hole", [False, True])
def test_of_features_it_is_the_mean_lpips_over_all_pairs(samples, hole):
    fills, mask = samples
    distance = LPIPS("alex", hole=hole, weights="random")
    case = compared(fills, mask)
    where = case.hole if hole else None
    expected = [distance.of_pair(Pair(a, b), where) for a, b in combinations(fills, 2)]
    measure = Diversity(distance)
    assert measured(case, [measure])[measure.name].tolist() == torch.stack(expected).mean(dim=0).tolist()
    assert (measure.values(case) > 0).all()


def test_equal_fills_have_none_and_fills_farther_apart_have_more(samples):
    fills, mask = samples
    values = [
        measured(compared(fills[:1] + share * (fills - fills[:1]), mask), PIXELS)["diversity_l1_hole"]
        for share in (0.0, 0.5, 1.0)
    ]
    assert values[0].tolist() == [0, 0]
    assert (values[0] < values[1]).all()
    assert (values[1] < values[2]).all()


def test_a_model_with_one_fill_and_an_image_without_a_hole_have_no_number(samples):
    fills, mask = samples
    for measure in PIXELS:
        assert measure.counts(compared(fills[:1], mask)).tolist() == [False, False]
        with pytest.raises(InputError, match="not several fills"):
            measure.values(compared(fills[:1], mask))
    mask[1] = 0
    whole, hole = (measure.counts(compared(fills, mask)).tolist() for measure in PIXELS)
    assert (whole, hole) == ([True, True], [True, False])


def test_it_says_of_its_distance_what_is_to_be_known():
    for measure in measures(["diversity_lpips_alex_hole", "diversity_l1"]).of_images:
        distance = measures([measure.name.removeprefix("diversity_")]).of_images[0]
        assert (measure.low, measure.high, measure.scale) == (distance.low, distance.high, distance.scale)
        assert (measure.smallest_px, measure.better) == (distance.smallest_px, "higher")
