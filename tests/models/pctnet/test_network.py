"""PCT-Net's parts: transform, attentions, and that no detail is lost at any size."""

import numpy as np
import pytest
import torch

from inpaint.errors import ConfigError, UsageError
from inpaint.models.feedforward import FeedForward
from inpaint.models.pctnet.config import Config
from inpaint.models.pctnet.network import MEAN, STD, Network, gaussian, normalized
from inpaint.models.pctnet.reference import Reference
from inpaint.models.pctnet.transform import MATRICES, ColorTransform
from inpaint.nn.inference import prepare_for_inference
from inpaint.options import validated


def small(**options):
    return Config(**{**Config.SMALL, **options})


@pytest.fixture
def pair():
    """A composite (2, 3, 25, 37) and its mask, float64."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(2, 1, 25, 37, dtype=torch.float64)
    mask[0, :, 5:15, 8:20] = 1
    mask[1, :, 10:, 20:] = 1
    return torch.rand(2, 3, 25, 37, generator=generator, dtype=torch.float64), mask


@pytest.mark.parametrize("depth", [2, 4])
def test_the_network_computes_what_the_plain_arithmetic_does(lively, pair, depth):
    network = lively(Network(small(depth=depth, norm_from=1, attention_from=0))).double().eval()
    with torch.no_grad():
        expected = Reference(network)(*pair)["raw"]
        assert (network(*pair)["raw"] - expected).abs().max() < 1e-10
        prepare_for_inference(network)
        assert (network(*pair)["raw"] - expected).abs().max() < 1e-10
    assert (expected - pair[0]).abs().max() > 1e-2


def test_the_plain_arithmetic_is_that_of_the_published_transform_alone():
    with pytest.raises(UsageError, match="linear, with offset"):
        Reference(Network(small(transform="polynomial")))


@pytest.mark.parametrize("kind", list(MATRICES))
def test_a_transform_is_a_matrix_of_each_pixel_s_own(kind):
    rng, transform = np.random.default_rng(0), ColorTransform(kind, offset=True)
    x, numbers = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((2, transform.count, 4, 5))
    found = transform(torch.from_numpy(x), lambda some: torch.from_numpy(numbers[:, some])).numpy()
    for place in np.ndindex(2, 4, 5):
        color, own = x[place[0], :, place[1], place[2]], numbers[place[0], :, place[1], place[2]]
        if kind == "linear":
            expected = own[:9].reshape(3, 3) @ color + own[9:]
        elif kind == "symmetric":
            a, b, c, d, e, f = own[:6]
            expected = np.array([[a, d, f], [d, b, e], [f, e, c]]) @ color + own[6:]
        else:
            r, g, b = color
            terms = np.array([r, g, b, r * g, r * b, g * b, r * r, g * g, b * b])
            expected = own[:27].reshape(3, 9) @ terms + own[27:]
        assert np.allclose(found[place[0], :, place[1], place[2]], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", list(MATRICES))
def test_numbers_of_the_identity_give_back_the_colors(kind):
    image = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    for offset in (True, False):
        transform = ColorTransform(kind, offset=offset)
        numbers = transform.identity(MEAN, STD).view(1, -1, 1, 1).expand(1, -1, 6, 7)
        found = transform(normalized(image), lambda some, numbers=numbers: numbers[:, some])
        shift = 0.0 if offset else torch.tensor(MEAN).view(1, 3, 1, 1)
        assert torch.allclose(found + shift, image, atol=1e-6)


def test_what_is_predicted_is_the_same_however_large_the_image_is_and_every_detail_stays(lively):
    network = lively(Network(small(clamp=False))).eval()
    with torch.no_grad():
        network.generator.numbers.weight.zero_()  # one transform for all places
        network.generator.attention.weight.zero_()
        fine = torch.rand(1, 3, 90, 70, generator=torch.Generator().manual_seed(0))  # much finer than 16 px
        raw = network(fine, torch.ones(1, 1, 90, 70))["raw"]
    colors = torch.cat((fine, torch.ones(1, 1, 90, 70)), dim=1).flatten(2)[0].T.double()
    fit = torch.linalg.lstsq(colors, raw.flatten(2)[0].T.double()).solution
    assert (colors @ fit - raw.flatten(2)[0].T).abs().max() < 1e-4


def test_the_blur_is_gaussian_of_sum_1_and_part_of_the_weights():
    kernel = gaussian()[0, 0].numpy()
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    assert kernel[3, 4] / kernel[3, 3] == pytest.approx(np.exp(-0.5), rel=1e-5)
    state = Network(small()).state_dict()
    assert [name for name in state if name.endswith("blur")] == ["generator.up.2.attention.blur"]


def test_where_nothing_is_pasted_nothing_changes_and_the_object_is_read(lively, pair):
    fill = FeedForward(lively(Network(small())), name="pctnet", dtype=torch.float64).fill
    image, mask = pair
    (done,) = fill(image, mask)
    outside = mask.expand_as(image) == 0
    assert torch.equal(done.completed[outside], image[outside])
    darker = torch.where(mask > 0, image / 2, image)
    assert not torch.allclose(fill(darker, mask)[0].completed, done.completed)


def test_a_working_size_that_cannot_be_halved_is_refused():
    with pytest.raises(ConfigError, match="working_px=20 must be a multiple of 8"):
        validated(Config, {"working_px": 20})
