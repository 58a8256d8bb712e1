import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from inpaint.errors import InputError
from inpaint.models.aotgan.config import Config
from inpaint.models.aotgan.network import Network, PatchDiscriminator, opening
from inpaint.models.aotgan.reference import Reference
from inpaint.nn.inference import prepare_for_inference
from inpaint.nn.padding import pad_to
from inpaint.nn.spectral import stored_weight
from lively import enlivened

VARIANTS = {
    "official rates": {},
    "two rates": {"rates": (1, 3)},
    "one rate": {"rates": (2,), "width": 3},
    "wide": {"width": 64, "blocks": 1},  # of more outputs, for which tiles pay
}


@pytest.fixture
def make():
    """`make(**fields)` builds a small network of that configuration, every part of which shows in its output."""

    def build(dtype=torch.float64, **fields):
        return enlivened(Network(Config(**{"width": 4, "blocks": 2, **fields})).to(dtype)).eval()

    return build


def sample(height=40, width=56, batch=2, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64)
    mask = torch.zeros(batch, 1, height, width, dtype=torch.float64)
    mask[0, :, 2 : height // 2, width // 3 :] = 1
    mask[-1, :, height // 3 :, : width // 2] = 1
    return image.to(dtype), mask.to(dtype)


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_both_networks_have_as_many_parameters_as_in_the_public_program():
    with torch.device("meta"):
        network = Network(Config())
        discriminator = Network.discriminators(Config())["discriminator"]
    assert parameters(network) == 15_200_835
    assert parameters(discriminator) == 2_763_777
    assert all(name.startswith("generator.") for name in network.state_dict())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rates": ()}, "at least 1"),
        ({"rates": (0, 1)}, "at least 1"),
        ({"width": 4, "rates": (1, 2, 3)}, "3 rates cannot share 16 channels"),
        ({"blocks": 0}, "greater than 0"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        Config(**fields)


def test_every_layer_starts_from_the_programs_deviation_normalized_ones_included():
    parts = (Network(Config(width=8)), *Network.discriminators(Config()).values())
    layers = [layer for part in parts for layer in part.modules() if isinstance(layer, nn.Conv2d)]
    assert len(layers) == 3 + 8 * 6 + 3 + 5
    for layer in layers:
        weight = stored_weight(layer).detach()
        tolerance = 5 / (2 * weight.numel()) ** 0.5  # five deviations of an estimated deviation
        assert weight.std().item() == pytest.approx(0.02, rel=tolerance)
        if layer.bias is not None:
            assert not layer.bias.any()


def test_a_gate_is_half_open_half_an_unbiased_deviation_above_the_mean_of_its_own_channel_and_image():
    gate = np.random.default_rng(0).normal(size=(2, 3, 5, 7)) * np.arange(1, 7).reshape(2, 3, 1, 1)
    n = (gate - gate.mean(axis=(2, 3), keepdims=True)) / gate.std(axis=(2, 3), keepdims=True, ddof=1)
    expected = 1 / (1 + np.exp(-5 * (2 * n - 1)))
    assert np.allclose(opening(torch.from_numpy(gate)).numpy(), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("value", [0.0, -3.0, 1e4])
def test_a_gate_of_one_value_everywhere_stays_shut_and_has_a_gradient(value):
    gate = torch.full((1, 1, 4, 4), value, requires_grad=True)
    opened = opening(gate)
    assert torch.allclose(opened, torch.tensor(-5.0).sigmoid(), atol=1e-6)
    opened.sum().backward()
    assert gate.grad.isfinite().all()


@pytest.mark.parametrize("prepared", [False, True], ids=["as stored", "prepared for inference"])
@pytest.mark.parametrize("size", [(36, 36), (40, 56), (64, 132)])
@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_every_form_of_the_network_equals_the_plain_arithmetic_of_the_public_program(make, fields, size, prepared):
    network, (image, mask) = make(**fields), sample(*size)
    with torch.inference_mode():
        expected = Reference(network)(image, mask)["raw"]
        if prepared:
            prepare_for_inference(network)
            network.to(memory_format=torch.channels_last)
        got = network(image, mask)["raw"]
    assert expected.std() > 0.05
    assert torch.allclose(got, expected, rtol=0, atol=1e-12)


def test_a_prepared_network_has_the_same_gradients_by_its_input(make):
    network, (image, mask) = make().requires_grad_(False), sample()
    gradients = []
    for prepared in (False, True):
        if prepared:
            prepare_for_inference(network)
        leaf = image.clone().requires_grad_()
        network(leaf, mask)["raw"].square().sum().backward()
        gradients.append(leaf.grad)
    assert gradients[0].abs().max() > 1e-3
    assert torch.allclose(*gradients, rtol=0, atol=1e-10)


def test_what_paints_from_the_features_is_the_rest_of_the_network(make):
    network, (image, mask) = make(), sample()
    with torch.no_grad():
        features, paint = network.split(image, mask)
        assert [tuple(feature.shape) for feature in features] == [(2, 16, 10, 14)]
        assert torch.equal(paint(features), network(image, mask)["raw"])


@pytest.mark.parametrize(
    ("fields", "size", "said"),
    [
        ({}, (40, 42), "multiples of 4 and at least 36, got 40x42"),
        ({}, (32, 64), "at least 36"),
        ({"rates": (1, 3)}, (12, 16), "at least 16"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(make, fields, size, said):
    with pytest.raises(InputError, match=said):
        make(**fields)(*sample(*size))


@pytest.mark.parametrize(("rates", "smallest"), [((1, 2, 4, 8), 36), ((1, 3), 16)])
def test_the_smallest_size_is_painted(make, rates, smallest):
    network = make(rates=rates)
    assert network.minimum_px == smallest
    assert network(*sample(smallest, smallest))["raw"].isfinite().all()


def test_a_place_depends_on_the_whole_image_through_the_gates(make):
    network, (image, mask) = make(blocks=1, rates=(1,)), sample(160, 160, batch=1)
    other = image.clone()
    other[..., -8:, -8:] = 1 - other[..., -8:, -8:]
    with torch.no_grad():
        near, far = (network(each, torch.zeros_like(mask))["raw"][..., :32, :32] for each in (image, other))
    assert (near - far).abs().max() > 1e-8


def test_an_image_that_is_grown_by_mirroring_keeps_the_statistics_of_its_gates():
    """So does the padding of fills: of whole mirror images the mean and the biased deviation are the same."""
    gate = torch.randn(2, 3, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    grown = pad_to(gate, 12, 16)
    assert (opening(grown)[..., :6, :8] - opening(gate)).abs().max() < 0.02
    black = nn.functional.pad(gate, (0, 8, 0, 6))
    assert (opening(black)[..., :6, :8] - opening(gate)).abs().max() > 0.2


def test_gates_are_computed_in_float32_inside_autocast(make):
    network, (image, mask) = make(torch.float32), sample(dtype=torch.float32)
    with torch.no_grad():
        expected = network(image, mask)["raw"]
        with torch.autocast("cpu", torch.bfloat16):
            mixed = network(image, mask)["raw"]
            assert opening(torch.randn(1, 1, 4, 4).bfloat16()).dtype == torch.float32
    assert mixed.dtype == torch.float32
    assert 0 < (mixed - expected).abs().mean() < 0.2 * expected.std()


def test_the_discriminator_refuses_images_that_leave_it_no_patch():
    discriminator = PatchDiscriminator(Config(width=4, discriminator={"width": 4}))
    assert discriminator(torch.rand(1, 3, 24, 32)).logits.shape == (1, 1, 1, 2)
    with pytest.raises(InputError, match="at least 24 pixels, got 16x32"):
        discriminator(torch.rand(1, 3, 16, 32))
