"""MI-GAN's network: against plain arithmetic, at any size, in both forms, and what its discriminator sees."""

import numpy as np
import pytest
import torch
from scipy.special import expit

from inpaint.errors import ConfigError, InputError
from inpaint.models.migan.config import Channels, Config, resolutions
from inpaint.models.migan.layers import activate, deviation_plane, repeated
from inpaint.models.migan.network import Network, pictures
from inpaint.models.migan.reference import Reference
from inpaint.nn.inference import prepare_for_inference
from inpaint.options import validated

SMALL = Config(resolution=32, channel_base=128, channel_max=12, discriminator=Channels(channel_base=128, channel_max=8))


def sample(height=32, width=32, batch=2):
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64)
    mask = torch.zeros(batch, 1, height, width, dtype=torch.float64)
    mask[..., height // 4 : height // 2, width // 3 :] = 1
    return image, mask


@pytest.fixture
def network(lively):
    return lively(Network(SMALL)).double().eval()


def prepared(network):
    prepare_for_inference(network)
    return network.to(memory_format=torch.channels_last)


@pytest.mark.parametrize("ready", [False, True])
def test_it_paints_what_plain_arithmetic_does(network, ready):
    image, mask = sample()
    with torch.no_grad():
        expected = Reference(network)(image, mask)["raw"]
        got = (prepared(network) if ready else network)(image, mask)["raw"]
    assert expected.std() > 0.1
    assert torch.allclose(got, expected, rtol=1e-10, atol=1e-12)


def test_extreme_features_are_limited_alike_before_and_after_preparing(network):
    image, mask = sample()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.mul_(5000)
        expected = Reference(network)(image, mask)["raw"]
        assert torch.allclose(prepared(network)(image, mask)["raw"], expected, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("size", [(8, 8), (16, 40), (64, 24)])
def test_any_multiple_of_a_quarter_of_the_resolution_is_painted(network, size):
    image, mask = sample(*size)
    with torch.no_grad():
        expected, ready = network(image, mask)["raw"], prepared(network)(image, mask)["raw"]
    assert expected.shape == image.shape
    assert torch.allclose(ready, expected, rtol=1e-10, atol=1e-12)


def test_other_sizes_are_refused(network):
    with pytest.raises(InputError, match="MI-GAN of 32 px needs multiples of 8, got 32x36"):
        network(*sample(32, 36))


@pytest.mark.parametrize("size", [(5, 5), (3, 12), (11, 4)])
def test_noise_repeats_where_an_image_is_larger_and_is_cut_where_it_is_smaller(size):
    noise = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    expected = np.tile(noise.numpy(), (3, 3))[: size[0], : size[1]]
    assert np.array_equal(repeated(noise, torch.zeros(1, 1, *size)).numpy(), expected)


def test_noise_is_drawn_in_training_and_stored_otherwise(network):
    image, mask = sample()
    with torch.no_grad():
        first, again = (network(image, mask)["raw"] for _ in range(2))
        network.train()
        drawn, other = (network(image, mask)["raw"] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(drawn, other)


def test_the_picture_is_the_sum_of_the_colors_of_all_resolutions(network):
    image, mask = sample()
    with torch.no_grad():
        stages = network.stages(image, mask)
        colors = network.generator(network._planes(image, mask))
        sums = pictures(colors)
    assert [plane.shape[-1] for plane in colors] == resolutions(32)[::-1]
    assert {"raw", "colors_32"} == stages.keys()
    assert torch.equal(stages["raw"], sums[-1])
    assert torch.equal(2 * stages["colors_32"], colors[-1])


def test_pictures_below_the_highest_resolution_are_shown_from_32_on(lively):
    network = lively(Network(SMALL.model_copy(update={"resolution": 128}))).eval()
    image, mask = (plane.float() for plane in sample(128, 128, batch=1))
    with torch.no_grad():
        stages, painted = network.stages(image, mask), network(image, mask)
    sides = {name: plane.shape[-1] for name, plane in stages.items()}
    below = {"raw_32": 32, "raw_64": 64}
    assert sides == {"raw": 128, "colors_32": 32, "colors_64": 64, "colors_128": 128, **below}
    assert painted.keys() == stages.keys() - below.keys()


def test_the_deployed_form_paints_what_the_form_of_training_does(network):
    deployed = Network(SMALL.model_copy(update={"form": "deployed"})).double().eval()
    state = network.state_dict()
    for name, layer in network.named_modules():
        if name.endswith(("depth", "mix", "kernel")):
            state[f"{name}.weight"] = layer()
    deployed.load_state_dict(state)
    with torch.no_grad():
        assert torch.allclose(deployed(*sample())["raw"], network(*sample())["raw"], rtol=0, atol=1e-12)


def test_kernels_of_training_have_length_one_whatever_their_tensors(network):
    for name, layer in network.named_modules():
        if name.endswith(("depth", "mix", "kernel")):
            lengths = layer().flatten(1).norm(dim=1)
            assert torch.allclose(lengths, torch.ones_like(lengths), atol=1e-4), name


def test_the_activation_is_limited_at_256():
    y = torch.tensor([-1e6, -1.0, 0.0, 1.0, 1e6], dtype=torch.float64)
    root = 2**0.5
    assert torch.allclose(activate(y), torch.tensor([-256, -0.2 * root, 0, root, 256], dtype=torch.float64))
    half = torch.tensor([-128, -0.1 * root, 0, root / 2, 128], dtype=torch.float64)
    assert torch.allclose(activate(y, 0.5), half)


@pytest.mark.slow
def test_an_exported_network_takes_other_sizes(network):
    network = prepared(network)
    with torch.no_grad():
        expected = network(*sample(16, 40))["raw"]
        sides = {number: 8 * torch.export.Dim(f"eighths_{number}", min=1, max=64) for number in (2, 3)}
        program = torch.export.export(network, sample(), dynamic_shapes=(sides, sides), strict=False)
        got = program.module()(*sample(16, 40))["raw"]
    assert torch.allclose(got, expected, rtol=1e-10, atol=1e-12)


# Discriminator --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("batch", "group"), [(2, 2), (4, 4), (8, 4), (6, 3), (5, 1)])
def test_the_deviation_among_images_of_a_batch_is_numpys(batch, group):
    x = np.random.default_rng(0).normal(size=(batch, 3, 4, 5))
    expected = np.empty((batch, 1, 4, 5))
    for first in range(batch // group):
        numbers = range(first, batch, batch // group)
        expected[list(numbers)] = np.sqrt(x[list(numbers)].var(axis=0) + 1e-8).mean()
    np.testing.assert_allclose(deviation_plane(torch.as_tensor(x)).numpy(), expected, rtol=1e-10)


def test_the_discriminator_sees_image_mask_and_the_others_of_its_batch(lively):
    discriminator = lively(Network.discriminators(SMALL)["discriminator"]).double()
    image, mask = sample(batch=4)
    with torch.no_grad():
        logits = discriminator(image, mask).logits
        alone = discriminator(image[:1], mask[:1]).logits
        moved = discriminator(image, mask.roll(4, -2)).logits
    assert logits.shape == (4, 1)
    assert expit(logits.numpy()).std() > 0
    assert not torch.allclose(alone, logits[:1])
    assert not torch.allclose(moved, logits)
    with pytest.raises(InputError, match="the discriminator reads images of 32x32, got 64x32"):
        discriminator(*sample(64, 32))


# Configuration --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "expected"), [(256, 256), (512, 512), (64, 64), (96, "auto")])
def test_the_resolution_follows_the_crops_where_these_are_a_power_of_two(side, expected):
    assert Config().for_crop(side).resolution == expected
    assert Config(resolution=128).for_crop(side).resolution == 128


@pytest.mark.parametrize("resolution", [4, 96, 0])
def test_a_resolution_that_is_no_power_of_two_is_refused(resolution):
    with pytest.raises(ConfigError, match="must be a power of two and at least 8"):
        validated(Config, {"resolution": resolution}, key="model")


@pytest.mark.parametrize(("resolution", "parameters"), [(256, 5_943_617), (512, 5_973_366)])
def test_the_published_networks_have_the_published_parameters(resolution, parameters):
    with torch.device("meta"):
        network = Network(Config(resolution=resolution, form="deployed"))
    fixed = {256: 78_112, 512: 80_208}[resolution]  # filters, which the files count
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters - fixed
