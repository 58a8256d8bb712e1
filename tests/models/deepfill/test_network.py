import numpy as np
import pytest
import torch
from pydantic import ValidationError

from inpaint.errors import InputError
from inpaint.models.deepfill.config import AttentionConfig, Config
from inpaint.models.deepfill.network import Network
from inpaint.models.deepfill.reference import Port, Reference
from inpaint.nn.inference import prepare_for_inference

# The fields in which the public programs differ from the official one, with small widths.
VARIANTS = {
    "official": {},
    "symmetric zeros": {"padding": "zero", "attention": {"sampling": "floor", "mask_sampling": "floor8"}},
    "unfused": {"attention": {"fuse": False, "mask_sampling": "aligned8"}},
    "range 01": {
        "value_range": "01",
        "hole_fill": 1.0,
        "stage1_input": "image_mask",
        "stage2_input": "image_mask",
        "gate_output": True,
        "attention": {"norm_eps": "inside"},
    },
    "reflect": {
        "padding": "reflect",
        "stage2_input": "image_ones_mask",
        "gate_output": True,
        "pre_attention_activation": "elu",
        "decoder_widths": (12, 6, 4, 2),
        "attention": {"masked": "inf", "overlap": "count"},
    },
    "sketch": {"sketch": True},
}


@pytest.fixture
def make(lively):
    """`make(**fields)` builds a small network of that configuration whose signals are neither dead nor saturated."""
    return lambda width=8, dtype=torch.float64, **fields: (
        lively(Network(Config(width=width, **fields))).to(dtype).eval()
    )


def sample(height=72, width=80, batch=2, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64)
    mask = torch.zeros(batch, 1, height, width, dtype=torch.float64)
    for number in range(batch):
        mask[number, :, 8 + 16 * number : 40, 16 * number : 32 + 8 * number] = 1
    return image.to(dtype), mask.to(dtype)


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 4_052_478),
        (VARIANTS["range 01"] | {"width": 96}, 16_174_956),
        (VARIANTS["reflect"] | {"decoder_widths": (128, 64, 32, 16)}, 4_414_908),
    ],
    ids=["official", "csqiangwen", "mmagic"],
)
def test_the_generator_has_as_many_parameters_as_the_public_program(fields, count):
    network = Network(Config(**fields))
    assert parameters(network) == count
    assert all(name.startswith("generator.") for name in network.state_dict())


def test_stage_one_has_the_official_share_of_the_parameters():
    state = Network(Config()).generator.state_dict()
    assert sum(value.numel() for name, value in state.items() if name.startswith("conv")) == 1_631_151


def test_the_discriminator_has_the_official_number_of_parameters():
    networks = Network.discriminators(Config())
    assert list(networks) == ["discriminator"]
    assert parameters(networks["discriminator"]) == 5_946_816
    guided = Network.discriminators(Config(sketch=True))["discriminator"]
    assert parameters(guided) == 5_946_816 + 64 * 5 * 5


@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_a_batch_equals_its_samples_alone(make, fields):
    network, (image, mask) = make(**fields), sample()
    together = network(image, mask)
    assert together["raw"].std() > 0.1
    for number in range(2):
        alone = network(image[number : number + 1], mask[number : number + 1])
        for name in ("raw", "coarse"):
            assert torch.allclose(together[name][number], alone[name][0], rtol=0, atol=1e-11)


@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_what_the_hole_holds_is_never_looked_at(make, fields):
    network, (image, mask) = make(**fields), sample()
    expected = network(image, mask)
    for content in (0.0, 7.0, torch.nan, torch.inf):
        got = network(image.masked_fill(mask > 0, content), mask)
        assert all(torch.equal(got[name], expected[name]) for name in ("raw", "coarse"))


def test_no_gradient_reaches_the_image_in_the_hole(make):
    network, (image, mask) = make(), sample(64, 64)
    image = image.masked_fill(mask > 0, torch.nan).requires_grad_()
    network(image, mask)["raw"].square().sum().backward()
    assert torch.isfinite(image.grad).all()
    assert not (image.grad * mask).any()
    assert (image.grad * (1 - mask)).any()


def test_the_refined_image_sends_its_gradient_into_stage_one(make):
    network, (image, mask) = make(), sample(64, 64)
    network(image, mask)["raw"].square().mean().backward()
    assert network.generator.conv1.weight.grad.abs().sum() > 0
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())
    network.zero_grad()
    network(image, mask)["coarse"].square().mean().backward()
    assert network.generator.allconv11.weight.grad is None


@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("content", ["all hole", "no hole", "black"])
def test_extreme_inputs_give_finite_images_and_gradients(make, fields, content):
    network, (image, mask) = make(dtype=torch.float32, **fields), sample(72, 72, dtype=torch.float32)
    mask = {"all hole": torch.ones_like(mask), "no hole": torch.zeros_like(mask), "black": mask}[content]
    painted = network(torch.zeros_like(image) if content == "black" else image, mask)
    painted["raw"].sum().backward()
    assert torch.isfinite(painted["raw"]).all()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_outputs_lie_within_the_range_of_the_hyperbolic_tangent_on_our_scale(make):
    image, mask = sample(64, 64)
    for value_range, low in (("pm1", 0.0), ("01", -1.0)):
        network = make(value_range=value_range)
        with torch.no_grad():
            for name in ("conv17", "allconv17"):
                getattr(network.generator, name).weight.mul_(1e4)
            painted = network(image, mask)
        for output in painted.values():
            assert output.min() == pytest.approx(low, abs=1e-6)
            assert output.max() == pytest.approx(1.0, abs=1e-6)


def test_the_two_ranges_are_one_network_on_two_scales(make):
    # With both last layers constant, tanh gives one number, which each range maps to its own scale.
    image, mask = sample(64, 64)
    values = {}
    for value_range in ("pm1", "01"):
        network = make(value_range=value_range)
        with torch.no_grad():
            network.generator.allconv17.weight.zero_()
            network.generator.allconv17.bias.fill_(0.3)
        values[value_range] = network(image, mask)["raw"].unique().item()
    assert values["01"] == pytest.approx(np.tanh(0.3))
    assert values["pm1"] == pytest.approx((np.tanh(0.3) + 1) / 2)


def test_the_hole_is_gray_for_the_official_program_and_white_where_hole_fill_is_one(make):
    image, mask = sample(64, 64)
    for fields, value in (({}, 0.0), (VARIANTS["range 01"], 1.0)):
        network, seen = make(**fields), []
        network.generator.conv1.register_forward_hook(lambda module, inputs, output, seen=seen: seen.append(inputs[0]))
        network(image, mask)
        hole = mask[:, 0] > 0
        assert (seen[0][:, :3].movedim(1, -1)[hole] == value).all()
        assert torch.equal(seen[0][:, -1:], mask)


def test_stage_two_sees_the_coarse_image_in_the_hole_and_the_photo_outside(make):
    image, mask = sample(64, 64)
    network, seen = make(), []
    network.generator.xconv1.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    coarse = network(image, mask)["coarse"]
    pasted = torch.where(mask > 0, coarse, image)
    assert seen[0].shape[1] == 3
    assert torch.allclose((seen[0] + 1) / 2, pasted, atol=1e-12)


def test_a_sketch_counts_in_the_hole_only(make):
    network, (image, mask) = make(sketch=True), sample(64, 64)
    lines = torch.zeros_like(mask)
    without = network(image, mask)["raw"]
    assert torch.equal(network(image, mask, sketch=lines)["raw"], without)
    lines[..., 20:24, :] = 1
    drawn = network(image, mask, sketch=lines)["raw"]
    assert (drawn - without).abs().max() > 0.01
    outside = lines.clone()
    outside[mask == 0] = torch.nan
    assert torch.equal(network(image, mask, sketch=outside)["raw"], drawn)


def test_a_sketch_for_a_network_without_that_plane_is_refused(make):
    image, mask = sample(64, 64)
    with pytest.raises(InputError, match="sketch=false"):
        make()(image, mask, sketch=mask)
    with pytest.raises(InputError, match="sketch=false"):
        Network.discriminators(Config(width=8))["discriminator"](image, mask, mask)


@pytest.mark.parametrize("padding", ["same_tf", "zero", "symmetric", "replicate"])
def test_the_smallest_image_is_eight_by_eight(make, padding):
    network = make(padding=padding)
    assert network.minimum_px == 8
    image, mask = sample(8, 16)
    assert network(image, mask)["raw"].shape == (2, 3, 8, 16)


def test_reflecting_needs_72_pixels(make):
    network = make(padding="reflect")
    assert network.minimum_px == 72
    image, mask = sample(72, 72)
    network(image, mask)
    with pytest.raises(InputError, match="multiples of 8 and at least 72, got 64x72"):
        network(image[..., :64, :], mask[..., :64, :])


@pytest.mark.parametrize("size", [(68, 72), (72, 100), (0, 8)])
def test_sides_that_are_no_multiples_of_eight_are_refused(make, size):
    image, mask = torch.zeros(1, 3, *size), torch.zeros(1, 1, *size)
    with pytest.raises(InputError, match=f"multiples of 8 and at least 8, got {size[0]}x{size[1]}"):
        make(dtype=torch.float32)(image, mask)


def glorot_bound(weight):
    outputs, inputs, height, width = weight.shape
    return np.sqrt(6 / ((inputs + outputs) * height * width))


@pytest.mark.parametrize("fields", [{}, VARIANTS["reflect"]], ids=["official", "reflect"])
def test_every_convolution_starts_glorot_uniform_with_zero_bias(fields):
    networks = {"generator": Network(Config(width=16, **fields)), **Network.discriminators(Config(width=16))}
    checked = 0
    for network in networks.values():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1:
                assert not parameter.any(), name
                continue
            bound = glorot_bound(parameter)
            assert parameter.abs().max() <= bound, name
            # Of a uniform distribution, within five standard errors.
            error = 5 * bound**2 / np.sqrt(5 * parameter.numel())
            assert parameter.square().mean().item() == pytest.approx(bound**2 / 3, abs=error), name
            checked += 1
    assert checked == 42 + 6


def test_kaiming_starts_every_convolution_of_the_generator_by_its_inputs():
    for name, parameter in Network(Config(width=16, initialization="kaiming")).named_parameters():
        if parameter.ndim == 4:
            expected = 2 / parameter[0].numel()
            error = 5 * expected * np.sqrt(2 / parameter.numel())
            assert parameter.square().mean().item() == pytest.approx(expected, abs=error), name


def test_initialization_depends_on_its_seed_and_on_nothing_else():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, discriminator = (
        Network(Config(width=8), seed=3),
        Network.discriminators(Config(width=8), seed=3)["discriminator"],
    )
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again, discriminator_again = (
        Network(Config(width=8), seed=3),
        Network.discriminators(Config(width=8), seed=3)["discriminator"],
    )
    for one, other in ((first, again), (discriminator, discriminator_again)):
        assert all(
            torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        )
    assert not torch.equal(first.generator.conv1.weight, Network(Config(width=8), seed=4).generator.conv1.weight)


@pytest.mark.parametrize("padding", ["same_tf", "zero"])
@pytest.mark.parametrize("size", [(64, 128), (72, 40), (8, 8)])
def test_the_discriminator_scores_every_place_of_its_last_map(padding, size):
    config = Config(width=8, discriminator={"width": 4, "padding": padding})
    discriminator = Network.discriminators(config)["discriminator"]
    logits = discriminator(torch.rand(2, 3, *size), torch.zeros(2, 1, *size)).logits
    assert logits.shape == (2, 16, -(-size[0] // 64), -(-size[1] // 64))


def test_the_discriminator_scores_may_take_both_signs_and_are_leaky_after_the_last_layer():
    discriminator = Network.discriminators(Config(width=8, discriminator={"width": 4}))["discriminator"].eval()
    image, mask = sample(64, 64, dtype=torch.float32)
    last: list[torch.Tensor] = []
    discriminator.layers[-1].register_forward_hook(lambda module, inputs, output: last.append(output))
    scores = discriminator(image, mask).logits
    assert torch.equal(scores, torch.where(last[0] > 0, last[0], 0.2 * last[0]))
    assert scores.min() < 0 < scores.max()


def test_the_discriminator_sees_images_between_minus_one_and_one_and_the_sketch_in_the_hole():
    discriminator = Network.discriminators(Config(width=8, sketch=True, discriminator={"width": 4}))[
        "discriminator"
    ].eval()
    image, mask = sample(64, 64, dtype=torch.float32)
    seen = []
    discriminator.layers[0].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    discriminator(image, mask, torch.ones_like(mask))
    discriminator(image, mask)
    assert torch.allclose(seen[0][:, :3], image * 2 - 1)
    assert torch.equal(seen[0][:, 3:4], mask)
    assert torch.equal(seen[0][:, 4:], mask)
    assert not seen[1][:, 4:].any()


@pytest.mark.parametrize(
    "fields", [{"width": 50}, {"padding": "same"}, {"atention": {}}, {"attention": {"overlap": 3}}, {"width": 4}]
)
def test_a_configuration_that_makes_no_sense_is_refused(fields):
    with pytest.raises(ValidationError):
        Config(**fields)


def test_a_configuration_survives_the_way_through_json():
    config = Config(width=8, decoder_widths=(12, 6, 4, 2), attention=AttentionConfig(overlap="count"))
    assert Config(**config.model_dump(mode="json")) == config
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_under_autocast_images_come_back_in_the_type_of_the_input(make):
    image, mask = sample(64, 64, dtype=torch.float32)
    network = make(dtype=torch.float32)
    expected = network(image, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = network(image, mask)
    for name in ("raw", "coarse"):
        assert got[name].dtype == torch.float32
        assert 0 < (got[name] - expected[name]).abs().mean() < 0.05


def test_channels_last_and_the_usual_layout_paint_the_same(make):
    image, mask = sample(64, 64)
    network = make()
    expected = network(image, mask)["raw"]
    got = network.to(memory_format=torch.channels_last)(image, mask)["raw"]
    assert torch.allclose(got, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_a_network_prepared_for_inference_paints_the_same(make, fields):
    network, (image, mask) = make(**fields), sample()
    state = set(network.state_dict())
    with torch.inference_mode():
        expected = network(image, mask)
        prepare_for_inference(network)
        got = network.to(memory_format=torch.channels_last)(image, mask)
    for name in ("raw", "coarse"):
        assert torch.allclose(got[name], expected[name], rtol=0, atol=1e-11)
    assert set(network.state_dict()) == state
    network.train()
    assert all(buffer is None for module in network.modules() for buffer in module._buffers.values())


@pytest.mark.parametrize("plain", [Reference, Port])
@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_the_network_equals_the_plain_arithmetic_of_the_papers_program_and_of_its_ports(make, fields, plain):
    network, (image, mask) = make(**fields), sample()
    sketch = {"sketch": (torch.rand_like(mask) > 0.5).double()} if "sketch" in fields else {}
    with torch.inference_mode():
        expected = plain(network)(image, mask, **sketch)
        got = network(image, mask, **sketch)
    assert expected["raw"].std() > 0.1
    for name in ("raw", "coarse"):
        assert torch.allclose(got[name], expected[name], rtol=0, atol=1e-10)
