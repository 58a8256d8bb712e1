import pytest
import torch
from pydantic import ValidationError

from inpaint.errors import InputError
from inpaint.models.lama.config import Config
from inpaint.models.lama.network import Network
from inpaint.models.lama.reference import Reference
from inpaint.nn.inference import prepare_for_inference
from lively import enlivened
from lively_lama import SCALE, sample

VARIANTS = {
    "fourier": {},
    "half global": {"global_share": 0.5},
    "local unit": {"local_unit": True},
    "regular": {"kind": "regular"},
}


@pytest.fixture
def make():
    """`make(**fields)` builds a small network of that configuration, every part of which shows in its output."""

    def build(dtype=torch.float64, **fields):
        return enlivened(Network(Config(**{"width": 4, "blocks": 2, **fields})).to(dtype), scale=SCALE).eval()

    return build


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 50_975_875),
        ({"blocks": 9}, 27_048_835),
        ({"kind": "regular", "blocks": 9}, 45_617_731),
        ({"kind": "regular", "blocks": 15}, 73_947_715),
    ],
    ids=["big-lama", "LaMa-Fourier", "LaMa-Regular", "big-lama-regular"],
)
def test_the_networks_have_as_many_parameters_as_the_public_program(fields, count):
    with torch.device("meta"):
        network = Network(Config(**fields))
    assert parameters(network) == count
    assert all(name.startswith("generator.") for name in network.state_dict())


def test_the_discriminator_has_as_many_parameters_as_the_public_program():
    assert parameters(Network.discriminators(Config())["discriminator"]) == 6_962_369


@pytest.mark.parametrize("fields", [{"blocks": 0}, {"kind": "fast"}, {"global_share": 1.0}, {"width": 0}])
def test_a_configuration_that_makes_no_sense_is_refused(fields):
    with pytest.raises(ValidationError):
        Config(**fields)


@pytest.mark.parametrize("prepared", [False, True], ids=["as stored", "prepared for inference"])
@pytest.mark.parametrize("size", [(32, 48), (64, 96), (32, 80)])
@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_every_form_of_the_network_equals_the_plain_arithmetic_of_the_public_program(make, fields, size, prepared):
    network, (image, mask) = make(**fields), sample(*size)
    if fields.get("local_unit") and size == (32, 80):
        size = (32, 96)
        image, mask = sample(*size)
    with torch.inference_mode():
        expected = Reference(network)(image, mask)["raw"]
        if prepared:
            prepare_for_inference(network)
            network.to(memory_format=torch.channels_last)
        got = network(image, mask)["raw"]
    assert expected.std() > 0.05
    assert torch.allclose(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_a_prepared_network_has_the_same_gradients_by_its_input(make, fields):
    network, (image, mask) = make(**fields).requires_grad_(False), sample(32, 32)
    gradients = []
    for prepared in (False, True):
        if prepared:
            prepare_for_inference(network)
        leaf = image.clone().requires_grad_()
        network(leaf, mask)["raw"].square().sum().backward()
        gradients.append(leaf.grad)
    assert gradients[0].abs().max() > 1e-3
    assert torch.allclose(*gradients, rtol=0, atol=1e-10)


def test_what_is_prepared_is_not_used_while_weights_learn(make):
    network, (image, mask) = make(), sample(32, 32)
    prepare_for_inference(network)
    network(image, mask)["raw"].mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(("kind", "channels"), [("ffc", (8, 24)), ("regular", (32,))])
def test_what_paints_from_the_features_is_the_rest_of_the_network(make, kind, channels):
    network, (image, mask) = make(kind=kind), sample()
    with torch.no_grad():
        features, paint = network.split(image, mask)
        assert tuple(feature.shape[1] for feature in features) == channels
        assert torch.equal(paint(features), network(image, mask)["raw"])


@pytest.mark.parametrize(
    ("fields", "size", "said"),
    [
        ({}, (32, 36), "multiples of 8 and at least 16, got 32x36"),
        ({}, (8, 32), "at least 16"),
        ({"local_unit": True}, (40, 64), "16"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(make, fields, size, said):
    with pytest.raises(InputError, match=said):
        make(**fields)(*sample(*size))


def test_fourier_units_are_computed_in_float32_inside_autocast(make):
    network, (image, mask) = make(torch.float32), sample(48, 64, dtype=torch.float32)
    with torch.no_grad():
        expected = network(image, mask)["raw"]
        kinds = []
        network.generator.blocks[0].conv1.spectral.unit.mix.register_forward_hook(
            lambda module, inputs, output: kinds.extend((inputs[0].dtype, output.dtype))
        )
        with torch.autocast("cpu", torch.bfloat16):
            mixed = network(image, mask)["raw"]
    assert kinds == [torch.float32, torch.float32]
    assert mixed.dtype == torch.float32
    assert 0 < (mixed - expected).abs().mean() < 0.1 * expected.std()


def test_a_place_depends_on_the_whole_image_through_one_block(make):
    network, (image, mask) = make(blocks=1), sample(128, 128, batch=1)
    other = image.clone()
    other[..., -8:, -8:] += 0.3
    mask[:] = 0
    with torch.no_grad():
        local, beyond = (
            network.generator.decode(*network.generator.encode(torch.cat((x, mask), 1))) for x in (image, other)
        )
        regular = make(blocks=1, kind="regular").generator
        near, far = (regular(torch.cat((x, mask), 1)) for x in (image, other))
    assert (local - beyond)[..., :16, :16].abs().max() > 1e-6
    assert torch.equal(near[..., :16, :16], far[..., :16, :16])
