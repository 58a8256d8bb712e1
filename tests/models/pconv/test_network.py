import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from inpaint import config
from inpaint.errors import ConfigError
from inpaint.models.feedforward import FeedForward
from inpaint.models.options import FeedForwardOptions
from inpaint.models.pconv.config import Config
from inpaint.models.pconv.network import Network
from inpaint.models.pconv.reference import Reference
from inpaint.nn.inference import prepare_for_inference
from lively import enlivened
from lively_pconv import sample

VARIANTS = {
    "paper": {},
    "naoto0804": {"first_bias": False},
    "mmagic": {"value_range": "pm1", "channel_order": "bgr"},
    "plain range, two levels": {"value_range": "01", "levels": 2},
}


@pytest.fixture
def make():
    """`make(**fields)` builds a small network of that configuration, every part of which shows in its output."""

    def build(dtype=torch.float64, **fields):
        return enlivened(Network(Config(**{"levels": 4, "width": 6, **fields})).to(dtype)).eval()

    return build


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


# The architecture ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"levels": 7, "first_bias": False}, 25_779_796),
        ({"levels": 8, "first_bias": False}, 32_859_732),
        ({"levels": 7}, 25_779_796 + 64),
    ],
    ids=["naoto0804 at 256", "naoto0804 at 512", "with a bias in the first layer"],
)
def test_the_network_has_as_many_parameters_as_the_public_program(fields, count):
    network = Network(Config(**fields))
    assert parameters(network) == count
    assert all(name.startswith("generator.") for name in network.state_dict())


@pytest.mark.parametrize(
    ("side", "levels"), [(512, 8), (256, 7), (128, 6), (64, 5), (300, 7), (511, 7), (2048, 8), (16, 3), (8, 2)]
)
def test_levels_follow_the_crop_until_the_deepest_map_has_two_places_a_side(side, levels):
    assert Config().for_crop(side).depth == levels
    assert Config(levels=3).for_crop(side).depth == 3


def test_a_configuration_that_is_kept_says_how_many_levels_there_are():
    assert config.load(["model=pconv", "data.size=512"]).model["levels"] == 8
    assert config.load(["model=pconv", "data.size=64"]).model["levels"] == 5
    assert config.load(["model=pconv", "data.size=64", "model.levels=3"]).model["levels"] == 3
    with pytest.raises(ConfigError, match=r"model\.levels=9"):
        config.load(["model=pconv", "model.levels=9"])


@pytest.mark.parametrize("fields", [{"levels": 1}, {"levels": "many"}, {"phase": 3}, {"width": 0}, {"window": 1}])
def test_a_configuration_that_makes_no_sense_is_refused(fields):
    with pytest.raises(ValidationError):
        Config(**fields)


def test_every_convolution_starts_after_he_by_its_inputs_and_the_slope_before_it():
    network = Network(Config(levels=4, width=16)).generator
    for blocks, slope in ((network.encoder, 0.0), (network.decoder, 0.2)):
        for number, block in enumerate(blocks):
            weight = block.conv.weight
            expected = 2 / (1 + slope**2) / weight[0].numel()
            error = 5 * expected * np.sqrt(2 / weight.numel())
            assert weight.square().mean().item() == pytest.approx(expected, abs=error), number
            assert abs(weight.mean().item()) < 5 * np.sqrt(expected / weight.numel())
            assert (block.conv.bias is not None) == (number == 0)
            assert (block.norm is None) == (number == 0)
            if number == 0:
                assert not block.conv.bias.any()


def test_initialization_depends_on_its_seed_and_on_nothing_else():
    small = Config(levels=2, width=4)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = Network(small, seed=3).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again = Network(small, seed=3).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    name = "generator.encoder.0.conv.weight"
    assert not torch.equal(first[name], Network(small, seed=4).state_dict()[name])


def test_signals_keep_their_size_through_a_fresh_network():
    network = Network(Config(levels=5, width=16)).train()
    image, mask = sample(64, 64, batch=4, dtype=torch.float32)
    raw = network(image, mask)["raw"]
    assert 0.1 < raw.std() < 1


# The arithmetic ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(32, 48), (29, 33), (9, 8)])
@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_every_form_of_the_network_equals_the_plain_arithmetic_of_public_programs(make, fields, size):
    network, (image, mask) = make(**fields), sample(*size)
    with torch.inference_mode():
        expected = Reference(network)(image, mask)["raw"]
        got = network(image, mask)["raw"]
    assert expected.std() > 0.05
    assert torch.allclose(got, expected, rtol=0, atol=1e-11)
    learning = network(image, mask)["raw"]
    assert learning.requires_grad
    assert torch.allclose(learning, expected, rtol=0, atol=1e-11)
    with torch.inference_mode():
        prepare_for_inference(network)
        folded = network.to(memory_format=torch.channels_last)(image, mask)["raw"]
    assert torch.allclose(folded, expected, rtol=0, atol=1e-11)


def test_what_was_folded_is_not_saved_and_is_forgotten_when_training_begins(make):
    network, (image, mask) = make(), sample()
    state = set(network.state_dict())
    prepare_for_inference(network)
    assert set(network.state_dict()) == state
    with torch.no_grad():
        before = network(image, mask)["raw"]
        network.generator.decoder[1].norm.bias.add_(1.0)
        assert torch.equal(network(image, mask)["raw"], before)
        network.train().eval()
        assert not torch.allclose(network(image, mask)["raw"], before)


def test_a_batch_equals_its_samples_alone(make):
    network, (image, mask) = make(), sample()
    together = network(image, mask)["raw"]
    for number in range(2):
        alone = network(image[number : number + 1], mask[number : number + 1])["raw"]
        assert torch.allclose(together[number], alone[0], rtol=0, atol=1e-11)


@pytest.mark.parametrize("size", [(32, 48), (21, 35)])
def test_what_the_hole_holds_is_never_looked_at(make, size):
    network, (image, mask) = make(), sample(*size)
    expected = network(image, mask)["raw"]
    for content in (0.0, 7.0, torch.nan, torch.inf):
        assert torch.equal(network(image.masked_fill(mask > 0, content), mask)["raw"], expected)
    hidden = image.masked_fill(mask > 0, torch.nan).requires_grad_()
    network(hidden, mask)["raw"].square().sum().backward()
    assert torch.isfinite(hidden.grad).all()
    assert not (hidden.grad * mask).any()
    assert (hidden.grad * (1 - mask)).any()


@pytest.mark.parametrize("size", [(21, 35), (8, 8), (33, 16)])
def test_an_image_of_any_size_is_one_with_more_hole_at_the_right_and_the_bottom(make, size):
    network, (image, mask) = make(), sample(*size)
    more = (0, -size[1] % 16, 0, -size[0] % 16)
    larger = network(F.pad(image, more, value=0.7), F.pad(mask, more, value=1.0))["raw"]
    raw = network(image, mask)["raw"]
    assert raw.shape == image.shape
    assert torch.allclose(raw, larger[..., : size[0], : size[1]], rtol=0, atol=1e-12)


def test_masks_are_binarized_where_they_come_in(make):
    network, (image, mask) = make(), sample()
    soft = torch.where(mask > 0, 0.6, 0.4).double()
    assert torch.equal(network(image, soft)["raw"], network(image, mask)["raw"])


def test_the_value_ranges_are_one_network_on_three_scales(make):
    # With all weights 0 but the last bias, the network paints one number, which each range maps to its own scale.
    image, mask = sample()
    expected = {"imagenet": (0.485 + 0.3 * 0.229, 0.456 + 0.3 * 0.224, 0.406 + 0.3 * 0.225)}
    expected |= {"pm1": (0.65,) * 3, "01": (0.3,) * 3}
    for value_range, color in expected.items():
        network = make(value_range=value_range)
        with torch.no_grad():
            network.generator.decoder[0].conv.weight.zero_()
            network.generator.decoder[0].conv.bias.fill_(0.3)
        raw = network(image, mask)["raw"]
        assert raw.amin((0, 2, 3)).tolist() == pytest.approx(color)
        assert raw.amax((0, 2, 3)).tolist() == pytest.approx(color)


def test_the_first_layer_sees_each_range_as_its_program_does(make):
    image, mask = sample()
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = {
        "imagenet": (image - mean.view(3, 1, 1)) / deviation.view(3, 1, 1),
        "pm1": 2 * image - 1,
        "01": image,
    }
    for value_range, scaled in expected.items():
        network, seen = make(value_range=value_range), []
        network.generator.encoder[0].register_forward_hook(
            lambda module, inputs, output, seen=seen: seen.append(inputs)
        )
        network(image, mask)
        assert torch.allclose(seen[0][0][0], scaled * (1 - mask), atol=1e-6)


# Precision -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["float32", "float16", "bfloat16", "autocast", "folded float16", "training"])
@pytest.mark.parametrize("known", ["nothing", "one pixel", "a corner", "everything"])
def test_no_mask_makes_nan_in_any_precision(make, form, known):
    network, (image, mask) = make(dtype=torch.float32), sample(40, 40, dtype=torch.float32)
    mask = {"nothing": torch.ones_like(mask), "everything": torch.zeros_like(mask)}.get(known, torch.ones_like(mask))
    if known == "one pixel":
        mask[..., 20, 21] = 0
    elif known == "a corner":
        mask[..., :2, :2] = 0
    if "16" in form:
        dtype = torch.bfloat16 if form == "bfloat16" else torch.float16
        network, image, mask = network.to(dtype), image.to(dtype), mask.to(dtype)
    if form.startswith("folded"):
        prepare_for_inference(network)
    network.train(form == "training")
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=form == "autocast"):
        raw = network(image, mask)["raw"]
    assert raw.dtype == image.dtype
    assert torch.isfinite(raw).all()
    if "float16" not in form:  # whose gradients need a scaled loss and weights in float32
        raw.float().square().mean().backward()
        assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    with torch.no_grad():
        assert torch.isfinite(network(image, mask)["raw"]).all()


@pytest.mark.parametrize("folded", [False, True])
def test_what_exceeds_half_precision_becomes_its_largest_number_and_never_nan(folded):
    network = Network(Config(levels=7, width=8)).eval()  # whose running statistics hold nothing back yet
    image, mask = torch.full((1, 3, 150, 200), 0.9), torch.ones(1, 1, 150, 200)
    mask[0, 0, 70, 90] = 0
    with torch.no_grad():
        full = network(image, mask)["raw"]
        if folded:
            prepare_for_inference(network)
        half = network.half()(image.half(), mask.half())["raw"]
    assert full.abs().max() > 1e4
    assert half.isfinite().all()


def test_an_image_that_is_all_hole_becomes_one_color(make):
    network, (image, _) = make(), sample()
    raw = network(image, torch.ones_like(image[:, :1]))["raw"]
    assert torch.allclose(raw, torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).view(3, 1, 1).expand_as(raw))


@pytest.mark.parametrize("how", ["autocast", "weights"])
def test_half_precision_stays_near_full_precision(make, how):
    network, (image, mask) = make(dtype=torch.float32), sample(dtype=torch.float32)
    with torch.no_grad():
        expected = network(image, mask)["raw"]
        if how == "weights":
            prepare_for_inference(network.bfloat16())
            got = network(image.bfloat16(), mask.bfloat16())["raw"].float()
        else:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                got = network(image, mask)["raw"]
    assert 0 < (got - expected).abs().mean() < 0.05 * expected.std()


# As a fill -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (9, 33), (37, 91)])
def test_as_a_fill_it_takes_any_size_and_leaves_known_pixels_bit_for_bit(make, size):
    network = make(dtype=torch.float32)
    image, mask = sample(*size, dtype=torch.float32)
    (result,) = FeedForward(network, name="pconv").fill(image, mask)
    known = mask.expand_as(image) == 0
    assert torch.equal(result.completed[known], image[known])
    assert torch.equal(result.completed[~known], result.raw[~known].clamp(0, 1))
    assert torch.allclose(result.raw, network(image, mask)["raw"], atol=1e-6)
    (hidden,) = FeedForward(network, name="pconv").fill(image.masked_fill(mask > 0, torch.nan), mask)
    assert torch.equal(hidden.raw, result.raw)


@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_the_answer_does_not_depend_on_how_the_batch_is_cut(make, chunk):
    network = make()
    image, mask = sample(batch=3)
    (whole,) = FeedForward(network, name="pconv").fill(image, mask)
    (cut,) = FeedForward(network, name="pconv", options=FeedForwardOptions(chunk=chunk)).fill(image, mask)
    assert torch.allclose(cut.raw, whole.raw, rtol=0, atol=1e-11)
