import itertools

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn import functional as F

from inpaint.errors import ConfigError, InputError
from inpaint.models.glcic.config import Config, DiscriminatorConfig
from inpaint.models.glcic.layers import Layer, apart, together
from inpaint.models.glcic.network import (
    ContextDiscriminator,
    Network,
    anywhere,
    around_hole,
    cut,
    first_places,
    windows,
)
from inpaint.models.glcic.reference import Reference
from inpaint.nn.inference import prepare_for_inference
from inpaint.nn.padding import PaddedConv2d
from lively import enlivened

VARIANTS = {
    "usual": {},
    "as otenim": {"order": "relu_norm", "value_range": "01", "mean": (0.4, 0.5, 0.6)},
    "as mmagic": {"value_range": "pm1", "output": "linear", "mean": (0.5, 0.5, 0.5)},
}


def sample(height, width, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.zeros(batch, 1, height, width, dtype=torch.float64)
    mask[0, :, 2 : height // 2, width // 3 :] = 1
    mask[-1, :, height // 3 :, : width // 2] = 1
    return torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64), mask


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_networks_have_as_many_parameters_as_the_public_port():
    port = Config(order="relu_norm", discriminator={"global_px": 160, "local_px": 96, "global_convs": 5})
    places = Config(order="relu_norm")
    with torch.device("meta"):
        assert parameters(Network(port)) == 6_072_131
        assert parameters(Network.discriminators(port)["discriminator"]) == 39_557_121
        assert parameters(Network.discriminators(places)["discriminator"]) == 45_063_681
        without_biases = [parameters(Network(Config())), parameters(Network.discriminators(Config())["discriminator"])]
    assert without_biases == [6_069_155, 45_060_225]


@pytest.mark.parametrize("prepared", [False, True], ids=["as stored", "prepared for inference"])
@pytest.mark.parametrize("size", [(4, 8), (36, 52), (64, 40)])
@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_every_form_of_the_network_equals_the_plain_arithmetic_of_public_programs(fields, size, prepared):
    network = enlivened(Network(Config(width=32, **fields)).double()).eval()  # 128 channels: wide enough for tiles
    image, mask = sample(*size)
    with torch.inference_mode():
        expected = Reference(network)(image, mask)["raw"]
        if prepared:
            prepare_for_inference(network)
            network.to(memory_format=torch.channels_last)
        got = network(image, mask)["raw"]
    assert expected.std() > 0.05
    assert torch.allclose(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", ["norm_relu", "relu_norm"])
def test_what_is_prepared_is_not_used_while_weights_learn(order):
    network, (image, mask) = enlivened(Network(Config(width=4, order=order)).double()).eval(), sample(16, 24)
    prepare_for_inference(network)
    network(image, mask)["raw"].mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("order", ["norm_relu", "relu_norm"])
def test_a_prepared_network_has_the_same_gradients_by_its_input(order):
    network = enlivened(Network(Config(width=4, order=order)).double()).eval().requires_grad_(False)
    (image, mask), gradients = sample(16, 24), []
    for prepared in (False, True):
        if prepared:
            prepare_for_inference(network)
        leaf = image.clone().requires_grad_()
        network(leaf, mask)["raw"].square().sum().backward()
        gradients.append(leaf.grad)
    assert gradients[0].abs().max() > 1e-6
    assert torch.allclose(*gradients, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("size", "step"), [((8, 12), 2), ((5, 7), 4), ((3, 3), 8)])
def test_a_dilated_convolution_is_ordinary_ones_on_places_that_lie_apart(size, step):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *size, generator=generator, dtype=torch.float64)
    weight = torch.randn(4, 3, 3, 3, generator=generator, dtype=torch.float64)
    expected = F.conv2d(x, weight, padding=step, dilation=step)
    got = together(F.conv2d(apart(x, step), weight, padding=1), step, size)
    assert torch.allclose(got, expected, rtol=0, atol=1e-12)
    assert torch.equal(together(apart(x, step), step, size), x)


@pytest.mark.parametrize("order", ["norm_relu", "relu_norm"])
@pytest.mark.parametrize("rate", [1, 4])
def test_wide_layers_by_tiles_equal_torchs_own_steps(order, rate):
    bias = order == "relu_norm"
    layer = enlivened(Layer(PaddedConv2d(5, 128, 3, dilation=rate, bias=bias), order=order).double()).eval()
    x = torch.randn(2, 5, 9, 14, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.inference_mode():
        y = F.conv2d(x, layer.conv.weight, layer.conv.bias, padding=rate, dilation=rate)
        expected = F.relu(layer.norm(y)) if order == "norm_relu" else layer.norm(F.relu(y))
        layer.prepare_for_inference()
        got = layer(x)
    assert layer.factors is not None
    assert torch.allclose(got, expected, rtol=0, atol=1e-11)


def test_another_color_in_the_hole_is_another_kernel_of_the_mask():
    """So the color needs no measuring of training photos: the network can learn any, with its first layer alone."""
    colors = (0.1, 0.6, 0.3), (0.5, 0.2, 0.9)
    one, other = (Network(Config(width=4, value_range="01", mean=color)).double().eval() for color in colors)
    other.load_state_dict(one.state_dict())
    first, (image, mask) = other.generator.encoder[0].conv, sample(12, 16)
    with torch.no_grad():
        difference = torch.tensor(colors[0], dtype=torch.float64) - torch.tensor(colors[1], dtype=torch.float64)
        first.weight[:, 3] += (first.weight[:, :3] * difference.view(1, 3, 1, 1)).sum(dim=1)
        assert torch.allclose(one(image, mask)["raw"], other(image, mask)["raw"], rtol=0, atol=1e-12)


def test_what_paints_from_the_features_is_the_rest_of_the_network():
    network, (image, mask) = enlivened(Network(Config(width=4)).double()).eval(), sample(16, 24)
    with torch.no_grad():
        (features,), paint = network.split(image, mask)
        assert features.shape == (2, 16, 4, 6)
        assert torch.equal(paint([features]), network(image, mask)["raw"])


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="multiples of 4, got 16x18"):
        Network(Config(width=4))(*sample(16, 18))
    small = {"width": 4, "features": 8, "global_px": 32, "local_px": 16, "global_convs": 3, "local_convs": 2}
    discriminator = ContextDiscriminator(Config(discriminator=small))
    with pytest.raises(InputError, match="images of 32x32, got 32x40"):
        discriminator(*(plane.float() for plane in sample(32, 40)))


@pytest.mark.parametrize(
    "fields",
    [{"width": 0}, {"order": "both"}, {"discriminator": {"global_px": 64, "local_px": 96}}, {"mean": (0.5, 0.5)}],
)
def test_a_configuration_that_makes_no_sense_is_refused(fields):
    with pytest.raises(ValidationError):
        Config(**fields)


def test_the_discriminator_is_sized_by_the_crops_unless_it_is_told_otherwise():
    assert Config().discriminator.sides == (256, 128)
    assert Config().for_crop(96).discriminator.sides == (96, 48)
    told = Config(discriminator=DiscriminatorConfig(global_px=160, local_px=96))
    assert told.for_crop(160).discriminator.sides == (160, 96)
    with pytest.raises(ConfigError, match=r"global_px=160.*data.size=160, not 256"):
        told.for_crop(256)


# Windows -------------------------------------------------------------------------------------------------------------


def test_a_window_lies_around_the_center_of_its_samples_hole_and_within_the_image():
    mask = torch.zeros(4, 1, 20, 24)
    mask[0, 0, 8:12, 10:14] = 1  # in the middle
    mask[1, 0, 0:3, 20:24] = 1  # in a corner
    mask[2, 0, 5, 2] = mask[2, 0, 15, 12] = 1  # two specks: the center of the box around both
    assert around_hole(mask, 8).tolist() == [[6, 8], [0, 16], [7, 4], [6, 8]]  # the last has no hole
    assert around_hole(mask, 20).tolist() == [[0, 2], [0, 4], [0, 0], [0, 2]]


def test_random_windows_reach_every_corner_and_stay_within_the_image():
    torch.manual_seed(0)
    corners = anywhere((7, 9), 4, count=500, device=torch.device("cpu"))
    assert set(map(tuple, corners.tolist())) == set(itertools.product(range(4), range(6)))


def test_windows_are_cut_where_their_planes_say():
    image = torch.arange(2 * 3 * 6 * 7.0).view(2, 3, 6, 7)
    corners = torch.tensor([[1, 2], [3, 0]])
    assert torch.equal(first_places(windows((6, 7), corners, 3).float()), corners)
    pieces = cut(image, corners, 3)
    assert torch.equal(pieces[0], image[0, :, 1:4, 2:5])
    assert torch.equal(pieces[1], image[1, :, 3:6, 0:3])


def test_the_discriminator_reads_the_window_around_the_hole_or_the_one_that_a_plane_marks():
    options = {"width": 4, "features": 8, "global_px": 32, "local_px": 8, "global_convs": 4, "local_convs": 2}
    discriminator = enlivened(ContextDiscriminator(Config(discriminator=options)).double()).eval()
    image, _ = sample(32, 32)
    mask = torch.zeros(2, 1, 32, 32, dtype=torch.float64)
    mask[..., 4:8, 20:24] = 1
    plane = windows((32, 32), around_hole(mask, 8), 8).double()
    moved = windows((32, 32), torch.tensor([[20, 1], [3, 3]]), 8).double()
    with torch.no_grad():
        by_hole = discriminator(image, mask)
        by_plane = discriminator(torch.cat((image, plane), dim=1), mask)
        elsewhere = discriminator(torch.cat((image, moved), dim=1), mask)
    assert torch.equal(by_hole.logits, by_plane.logits)
    assert torch.equal(by_hole.features[1], elsewhere.features[1])
    assert not torch.equal(by_hole.features[0], elsewhere.features[0])
    assert isinstance(discriminator.last, nn.Linear)
    assert by_hole.logits.shape == (2, 1)
