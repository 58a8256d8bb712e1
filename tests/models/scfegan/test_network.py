import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from inpaint.errors import InputError
from inpaint.models.options import SamplingOptions
from inpaint.models.sampling import Sampling
from inpaint.models.scfegan.config import Config, FillOptions
from inpaint.models.scfegan.layers import GatedUp, ResponseGatedConv2d, seen_places
from inpaint.models.scfegan.network import GuidedDiscriminator, Network, guidance_planes
from inpaint.models.scfegan.reference import Reference
from inpaint.nn.inference import prepare_for_inference
from inpaint.nn.padding import same_amount

VARIANTS = {
    "own gates, colors given": {},
    "as the public weights": {"up_gate": "activated", "color_given": False},
    "binary noise": {"noise": "binary", "levels": 2},
    "deeper": {"levels": 5, "dilations": (2, 16)},
}


@pytest.fixture
def make(lively):
    """`make(**fields)` builds a small network of that configuration, every part of which shows in its output."""

    def build(dtype=torch.float64, **fields):
        return lively(Network(Config(**{"width": 6, "levels": 3, **fields})).to(dtype)).eval()

    return build


def sample(height=64, width=96, batch=2, dtype=torch.float64, seed=0):
    """Image, mask, and the planes by name."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(channels):
        return torch.rand(batch, channels, height, width, generator=generator, dtype=torch.float64).to(dtype)

    mask = torch.zeros(batch, 1, height, width, dtype=dtype)
    mask[0, :, 2 : height // 2, width // 3 :] = 1
    mask[-1, :, height // 3 :, : width // 2] = 1
    color = drawn(4)
    color[:, 3] = (color[:, 3] > 0.5).to(dtype)
    noise = torch.randn(mask.shape, generator=generator, dtype=torch.float64).to(dtype)
    return drawn(3), mask, {"sketch": (drawn(1) > 0.8).to(dtype), "color": color, "noise": noise}


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_form_of_the_public_weights_has_as_many_parameters_as_their_graph():
    with torch.device("meta"):
        network = Network(Config(up_gate="activated", color_given=False))
        usual = Network(Config())
    unused = sum((512, 512, 512, 256, 128, 64, 3))  # biases of gates that the program overwrites
    assert parameters(network) == 92_886_100 - unused
    gates = sum(i * o * 25 + o for i, o in ((512, 512),) * 3 + ((512, 256), (256, 128), (128, 64), (64, 3)))
    given = 49 * 128 + 9 * 6  # one more plane, read by the first and the last layer
    assert parameters(usual) == parameters(network) + gates + given


@pytest.mark.parametrize(
    ("fields", "said"), [({"levels": 1}, "at least 2|greater than or equal to 2"), ({"dilations": ()}, "at least 1")]
)
def test_a_configuration_that_makes_no_sense_is_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        Config(**fields)


@pytest.mark.parametrize("prepared", [False, True], ids=["as stored", "prepared for inference"])
@pytest.mark.parametrize("size", [(64, 64), (32, 96), (160, 64)])
@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_every_form_of_the_network_equals_the_plain_arithmetic_of_the_public_program(make, fields, size, prepared):
    network, (image, mask, planes) = make(**fields), sample(*size)
    with torch.inference_mode():
        expected = Reference(network)(image, mask, **planes)["raw"]
        if prepared:
            prepare_for_inference(network)
            network.to(memory_format=torch.channels_last)
        got = network(image, mask, **planes)["raw"]
    assert expected.std() > 0.05
    assert torch.allclose(got, expected, rtol=0, atol=1e-11)


def test_a_prepared_network_has_the_same_gradients_by_its_input(make):
    network, (image, mask, planes) = make().requires_grad_(False), sample(32, 32)
    gradients = []
    for prepared in (False, True):
        if prepared:
            prepare_for_inference(network)
        leaf = image.clone().requires_grad_()
        network(leaf, mask, **planes)["raw"].square().sum().backward()
        gradients.append(leaf.grad)
    assert gradients[0].abs().max() > 1e-3
    assert torch.allclose(*gradients, rtol=0, atol=1e-10)


@pytest.mark.parametrize("dilation", [1, 2, 16])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (4, 4), (8, 9), (20, 3)])
def test_leaving_out_places_of_the_kernel_that_meet_no_pixel_changes_nothing(lively, size, dilation):
    layer = lively(ResponseGatedConv2d(5, 4, dilation=dilation).double())
    x = torch.randn(2, 5, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    layer.plain = True
    expected = layer(x)
    layer.plain = False
    assert torch.allclose(layer(x), expected, rtol=0, atol=1e-13)
    with torch.no_grad():
        assert torch.allclose(layer(x), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("side", range(1, 12))
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (3, 1, 2), (3, 1, 16), (5, 2, 1), (7, 2, 1)])
def test_places_that_are_seen_are_those_that_meet_a_pixel_in_some_step(side, kernel, stride, dilation):
    before, _ = same_amount(side, kernel, stride=stride, dilation=dilation)
    steps = range(-(-side // stride))
    met = [p for p in range(kernel) if any(0 <= i * stride + p * dilation - before < side for i in steps)]
    found = seen_places(side, kernel, stride=stride, dilation=dilation)
    assert found == (before - met[0] * dilation, slice(met[0], met[-1] + 1))


@pytest.mark.parametrize("gate", ["own", "activated"])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (9, 8)])
def test_a_transposed_convolution_is_the_gradient_of_tensorflows_convolution(lively, size, gate):
    """Of the strided convolution with SAME padding whose input has twice the size."""
    layer = lively(GatedUp(3, 4, gate=gate).double())
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    larger = torch.zeros(2, layer.out_channels, 2 * size[0], 2 * size[1], dtype=torch.float64, requires_grad=True)
    smaller = nn.functional.conv2d(nn.functional.pad(larger, (1, 2, 1, 2)), layer.weight, stride=2)
    (both,) = torch.autograd.grad(smaller, larger, x)
    both = (both + layer.bias.detach().view(-1, 1, 1)).numpy()
    feature = both[:, :4]
    activated = np.where(feature > 0, feature, 0.2 * feature)
    opened = both[:, 4:] if gate == "own" else activated
    expected = activated / (1 + np.exp(-opened))
    with torch.no_grad():
        assert np.allclose(layer(x).numpy(), expected, rtol=0, atol=1e-12)
        prepare_for_inference(layer)
        assert np.allclose(layer(x).numpy(), expected, rtol=0, atol=1e-12)


def test_a_color_is_read_where_it_is_given_in_the_hole_and_elsewhere_stands_black_or_nothing():
    hole = torch.tensor([1.0, 1.0, 0.0]).view(1, 1, 1, 3)
    color = torch.tensor([[0.25, 0.5, 1.0, 1.0], [0.25, 0.5, 1.0, 0.0], [0.25, 0.5, 1.0, 1.0]]).T.view(1, 4, 1, 3)
    lines, colors, given = guidance_planes(hole, torch.ones(1, 1, 1, 3), color, given=True)
    assert lines.flatten().tolist() == [1, 1, 0]
    assert colors[0, :, 0].T.tolist() == [[-0.5, 0, 1], [-1, -1, -1], [0, 0, 0]]
    assert given.flatten().tolist() == [1, 0, 0]
    nothing = guidance_planes(hole, None, None, given=False)
    assert [plane.flatten().tolist() for plane in nothing] == [[0, 0, 0], [-1, -1, 0] * 3]


def test_a_black_stroke_is_told_from_no_stroke_only_by_the_plane_that_says_so(make):
    image, mask, planes = sample()
    black = torch.zeros_like(planes["color"])
    black[:, 3] = 1
    for given in (True, False):
        network = make(color_given=given)
        with torch.no_grad():
            one, other = (network(image, mask, color=color)["raw"] for color in (black, None))
        assert bool((one - other).abs().max() > 1e-3) is given


@pytest.mark.parametrize("name", ["sketch", "color", "noise"])
def test_each_plane_counts_inside_the_hole_alone(make, name):
    network, (image, mask, planes) = make(), sample()
    other = planes[name].clone()
    other[:, :3] = 1 - other[:, :3]
    outside = torch.where(mask > 0, planes[name], other)
    with torch.no_grad():
        painted, inverted, same = (
            network(image, mask, **{**planes, name: plane})["raw"] for plane in (planes[name], other, outside)
        )
    assert (painted - inverted).abs().max() > 1e-3
    assert torch.equal(painted, same)


def test_fills_differ_by_sample_follow_guidance_and_do_not_without_noise(make):
    network, (image, mask, planes) = make(torch.float32), sample(50, 70, dtype=torch.float32)
    guidance = {name: planes[name] for name in ("sketch", "color")}
    fill = Sampling(network, name="scfegan").fill
    one, other = fill(image, mask, guidance=guidance, samples=2, seed=3)
    (again,) = fill(image, mask, guidance=guidance, seed=3)
    (free,) = fill(image, mask, seed=3)
    assert torch.equal(one.raw, again.raw)
    assert (one.raw - other.raw).abs().max() > 1e-3
    assert (one.raw - free.raw).abs().max() > 1e-3
    mean = Sampling(network, name="scfegan", options=SamplingOptions(latent="mean"))
    same, alike = mean.fill(image, mask, guidance=guidance, samples=2)
    assert torch.equal(same.raw, alike.raw)


def test_noise_may_be_chosen_for_fills(make):
    network, (image, mask, planes) = make(), sample()
    rounded = {**planes, "noise": (planes["noise"] >= 1).double()}
    with torch.no_grad():
        gaussian, as_rounded = (network(image, mask, **each)["raw"] for each in (planes, rounded))
        network.configure(FillOptions())
        assert torch.equal(network(image, mask, **planes)["raw"], gaussian)
        network.configure(FillOptions(noise="binary"))
        binary = network(image, mask, **planes)["raw"]
    assert torch.allclose(binary, as_rounded, rtol=0, atol=1e-12)
    assert (binary - gaussian).abs().max() > 1e-3


def test_latents_are_the_noise_of_the_padded_size_and_paint_what_the_network_does(make):
    network, (image, mask, planes) = make(torch.float32), sample(50, 70, dtype=torch.float32)
    fill = Sampling(network, name="scfegan")
    guidance = {name: planes[name] for name in ("sketch", "color")}
    mu, sigma = fill.encode(image, mask, guidance)
    assert mu.shape == (2, 1, 56, 72)
    assert not mu.any()
    assert torch.equal(sigma[..., :50, :70], mask)
    drawn = torch.randn(mu.shape, generator=torch.Generator().manual_seed(0))
    found = fill.decode(image, mask, z=drawn, guidance=guidance)
    other = fill.decode(image, mask, z=drawn)
    assert (found.raw - other.raw).abs().max() > 1e-3
    assert torch.equal(found.completed[mask.expand_as(image) == 0], image[mask.expand_as(image) == 0])


def test_sizes_that_do_not_fit_are_refused(make):
    image, mask, _ = sample(64, 60)
    with pytest.raises(InputError, match="multiples of 8, got 64x60"):
        make()(image, mask)


def test_features_and_gates_start_from_distributions_of_their_own():
    network = Network(Config(width=16, levels=3))
    for layer in network.modules():
        if isinstance(layer, ResponseGatedConv2d):
            features = layer.weight.shape[0] // 2
            bound = (6 / ((layer.in_channels + features) * layer.kernel_size[0] ** 2)) ** 0.5
            for half in layer.weight.detach().chunk(2):
                assert 0.95 * bound < half.abs().max() <= bound
        elif isinstance(layer, GatedUp):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
        else:
            continue
        assert not layer.bias.any()


def test_the_discriminator_sees_what_was_asked_for_in_the_hole(lively):
    discriminator = lively(GuidedDiscriminator(Config(width=4, discriminator={"width": 4})).double()).eval()
    image, mask, planes = sample(64, 128)
    asked = {name: planes[name] for name in ("sketch", "color")}
    with torch.no_grad():
        logits = discriminator(image, mask, **asked).logits
        assert logits.shape == (2, 16, 1, 2)
        for name in asked:
            other = {**asked, name: 1 - asked[name]}
            outside = {**asked, name: torch.where(mask > 0, asked[name], 1 - asked[name])}
            assert (discriminator(image, mask, **other).logits - logits).abs().max() > 1e-4
            assert torch.equal(discriminator(image, mask, **outside).logits, logits)
