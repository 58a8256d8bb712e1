import numpy as np
import pytest
import torch
from torch import nn

from inpaint.errors import InputError, UsageError
from inpaint.models.edgeconnect.config import Config, FillOptions
from inpaint.models.edgeconnect.network import Network, PatchDiscriminator, convolutions
from inpaint.models.edgeconnect.reference import Reference
from inpaint.models.feedforward import FeedForward
from inpaint.nn.inference import prepare_for_inference
from inpaint.nn.spectral import stored_weight
from inpaint.options import validated

VARIANTS = {
    "official": {},
    "raw edges": {"composite_edges": False},
    "mask channel": {"mask_channel": True},
}


@pytest.fixture
def make(lively):
    """`make(**fields)` builds a small network of that configuration with lively weights, in float64."""

    def build(**fields):
        network = lively(Network(Config(**{"width": 4, "blocks": 2, **fields})), gain=1.5)
        for layer in convolutions(network):  # spectral norms of the weights that are there now
            if hasattr(layer, "parametrizations"):
                layer.train()
                for _ in range(3):
                    _ = layer.weight
        return network.double().eval()

    return build


def sample(height=40, width=56, batch=2):
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(batch, 3, height // 8, width // 8, generator=generator, dtype=torch.float64)
    image = nn.functional.interpolate(small, size=(height, width), mode="nearest")  # has edges
    mask = torch.zeros(batch, 1, height, width, dtype=torch.float64)
    for number in range(batch):
        mask[number, :, 6 + 6 * number : 30, 8 * number : 24 + 8 * number] = 1
    return image, mask


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_all_networks_have_as_many_parameters_as_in_the_public_program():
    network, critics = Network(Config()), Network.discriminators(Config())
    assert parameters(network.edge_generator) == 10_761_089
    assert parameters(network.inpaint_generator) == 10_774_595
    assert parameters(critics["edge_discriminator"]) == 2_762_752
    assert parameters(critics["inpaint_discriminator"]) == 2_763_776


def test_every_layer_starts_from_the_deviation_of_the_paper_normalized_ones_included():
    network, critics = Network(Config()), Network.discriminators(Config())
    layers = [layer for part in (network, *critics.values()) for layer in convolutions(part)]
    assert len(layers) == 2 * 22 + 2 * 5
    normalized = [layer for layer in layers if hasattr(layer, "parametrizations")]
    assert len(normalized) == 21 + 2 * 5
    for layer in layers:
        weight = stored_weight(layer).detach()
        tolerance = 5 / (2 * weight.numel()) ** 0.5  # five deviations of an estimated deviation
        assert weight.std().item() == pytest.approx(0.02, rel=tolerance)
        assert abs(weight.mean().item()) < 5 * 0.02 / weight.numel() ** 0.5
        if layer.bias is not None:
            assert not layer.bias.any()


def test_spectral_norm_takes_the_output_channels_as_rows():
    generator = Network(Config(width=4, blocks=1)).edge_generator
    assert not hasattr(generator.head, "parametrizations")
    for name, layer in generator.named_modules():
        if not hasattr(layer, "parametrizations") or not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            continue
        rows = layer.out_channels
        assert layer.parametrizations.weight[0]._u.shape == (rows,), name
        layer.train()
        with torch.no_grad():
            for _ in range(200):
                _ = layer.weight
        layer.eval()
        weight = layer.weight.detach().movedim(1, 0) if isinstance(layer, nn.ConvTranspose2d) else layer.weight.detach()
        assert np.linalg.norm(weight.reshape(rows, -1).numpy(), 2) == pytest.approx(1, abs=1e-3)


def test_each_network_starts_alike_in_every_stage():
    whole = Network(Config(width=4, blocks=1), seed=3).state_dict()
    for stage in ("edge", "inpaint", "edge_inpaint"):
        part = Network(Config(width=4, blocks=1, stage=stage), seed=3).state_dict()
        assert part
        assert all(torch.equal(value, whole[name]) for name, value in part.items())
    heads = [whole[f"{role}.head.weight"] for role in ("edge_generator", "inpaint_generator")]
    assert not torch.equal(heads[0], heads[1][:1])


@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_the_network_computes_what_the_plain_arithmetic_computes(make, fields):
    network, (image, mask) = make(**fields), sample()
    with torch.no_grad():
        plain = Reference(network)(image, mask)
        assert plain["raw"].std() > 0.05
        for prepared in (False, True):
            if prepared:
                prepare_for_inference(network)
                network.to(memory_format=torch.channels_last)
            got = network(image, mask)
            for name in ("raw", "edges"):
                assert torch.allclose(got[name], plain[name], rtol=0, atol=1e-9)


def test_preparing_leaves_no_spectral_norm_and_only_the_last_bias(make):
    network = make()
    prepare_for_inference(network)
    for generator in (network.edge_generator, network.inpaint_generator):
        biased = [name for name, layer in generator.named_modules() if getattr(layer, "bias", None) is not None]
        assert biased == ["head"]
        assert not any("parametrizations" in name for name in generator.state_dict())


@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_a_batch_equals_its_samples_alone(make, fields):
    network, (image, mask) = make(**fields), sample()
    with torch.no_grad():
        together = network(image, mask)
        for number in range(2):
            alone = network(image[number : number + 1], mask[number : number + 1])
            for name in ("raw", "edges"):
                assert torch.allclose(together[name][number], alone[name][0], rtol=0, atol=1e-10)


@pytest.mark.parametrize("fields", VARIANTS.values(), ids=VARIANTS)
def test_what_the_hole_holds_is_never_looked_at(make, fields):
    network, (image, mask) = make(**fields), sample()
    with torch.no_grad():
        expected = network(image, mask)
        for content in (0.0, 7.0, torch.nan):
            got = network(image.masked_fill(mask > 0, content), mask)
            assert all(torch.equal(got[name], expected[name]) for name in ("raw", "edges"))


def test_the_hole_is_white_for_both_networks_and_without_edges_for_the_first(make):
    network, (image, mask) = make(mask_channel=True), sample()
    seen = {}
    for role in ("edge_generator", "inpaint_generator"):
        getattr(network, role).register_forward_pre_hook(
            lambda module, planes, role=role: seen.update({role: planes[0]})
        )
    with torch.no_grad():
        out, derived = network(image, mask), network.derive(image, mask)
    hole = mask.bool()
    gray, known, where = seen["edge_generator"].split(1, dim=1)
    assert (gray[hole] == 1).all()
    assert torch.equal(gray[~hole], derived["gray"][~hole])
    assert not known[hole].any()
    assert torch.equal(known, derived["canny"])
    assert torch.equal(where, mask)
    colors, edges, where = seen["inpaint_generator"].split((3, 1, 1), dim=1)
    assert (colors.movedim(1, -1)[hole[:, 0]] == 1).all()
    assert torch.equal(edges, out["edges"])
    assert torch.equal(where, mask)


def test_known_edges_are_put_around_the_completed_ones_unless_told_otherwise(make):
    network, (image, mask) = make(), sample()
    hole = mask.bool()
    with torch.no_grad():
        derived = network.derive(image, mask)
        completed = network.edges(derived["gray"], derived["canny"], mask)
        composited = network(image, mask)
        network.configure(FillOptions(composite_edges=False))
        raw = network(image, mask)
    assert torch.equal(raw["edges"], completed)
    assert torch.equal(composited["edges"], torch.where(hole, completed, derived["canny"]))
    assert derived["canny"].sum() > 50
    assert (raw["raw"] - composited["raw"]).abs().max() > 1e-3


@pytest.mark.parametrize("composite", [True, False])
def test_drawn_edges_replace_those_of_the_first_stage_in_the_hole_only(make, composite):
    network, (image, mask) = make(composite_edges=composite), sample()
    drawn = torch.zeros_like(mask)
    drawn[..., 15:17, :] = 1
    with torch.no_grad():
        without = network(image, mask)
        given = network(image, mask, edges=drawn)
        outside = network(image, mask, edges=drawn.masked_fill(mask == 0, torch.nan))
    hole = mask.bool()
    assert torch.equal(given["edges"][hole], drawn[hole])
    assert torch.equal(given["edges"][~hole], without["edges"][~hole])
    assert (given["raw"] - without["raw"]).abs().max() > 1e-3
    assert torch.equal(outside["raw"], given["raw"])


def test_edges_drawn_in_the_hole_survive_in_a_fill_of_any_size(make):
    image, mask = sample(40, 56)
    image, mask = image[..., :37, :51].float(), mask[..., :37, :51].float()
    drawn = torch.zeros_like(mask)
    drawn[..., 12:14, :] = 1
    fill = FeedForward(make(), name="edgeconnect").fill(image, mask, guidance={"edges": drawn})[0]
    assert fill.aux["edges"].shape == mask.shape
    assert torch.equal(fill.aux["edges"][mask > 0], drawn[mask > 0].double())
    with pytest.raises(InputError, match=r"does not accept guidance\.sketch; accepted: edges"):
        FeedForward(make(), name="edgeconnect").fill(image, mask, guidance={"sketch": drawn})


def test_edges_are_found_before_the_image_is_rounded_to_half_precision(make):
    noise = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    image, mask = nn.functional.interpolate(noise, size=(64, 64), mode="bicubic").clamp(0, 1), torch.zeros(1, 1, 64, 64)
    network = make()
    exact = network.derive(image, mask)["canny"]
    assert not torch.equal(network.derive(image.bfloat16().float(), mask)["canny"], exact)
    half = FeedForward(network, name="edgeconnect", dtype=torch.bfloat16).fill(image, mask)[0]
    assert torch.equal(half.aux["edges"], exact)


def test_half_precision_paints_nearly_the_same(make):
    image, mask = sample(64, 64)
    network = make(width=16).float()
    with torch.no_grad():
        exact = network(image.float(), mask.float())["raw"]
        prepare_for_inference(network)
        half = network.bfloat16()(image.bfloat16(), mask.bfloat16())["raw"].float()
    assert (half - exact).square().mean().sqrt() < 0.2 * exact.std()


def test_a_network_of_the_first_stage_alone_loads_and_says_what_is_missing(make):
    image, mask = sample()
    network = make(stage="edge")
    assert [name for name, _ in network.named_children()] == ["edge_generator"]
    with pytest.raises(UsageError, match=r"cannot fill: .* stage 'inpaint' is missing.* init\.edge="):
        FeedForward(network, name="edgeconnect").fill(image.float(), mask.float())
    with pytest.raises(UsageError, match="stage 'inpaint' is missing"):
        network(image, mask)


def test_a_network_of_the_second_stage_alone_paints_along_given_edges_or_none(make):
    image, mask = sample()
    network = make(stage="inpaint")
    drawn = torch.zeros_like(mask)
    drawn[..., 15:17, :] = 1
    with torch.no_grad():
        known = network.derive(image, mask)["canny"]
        assert torch.equal(network(image, mask)["edges"], known)
        assert torch.equal(network(image, mask, edges=drawn)["edges"], torch.where(mask > 0, drawn, known))


@pytest.mark.parametrize("content", ["all hole", "no hole", "black"])
def test_extreme_inputs_give_finite_images_and_gradients(make, content):
    network, (image, mask) = make().float().train(), sample(32, 32)
    image, mask = image.float(), mask.float()
    mask = {"all hole": torch.ones_like(mask), "no hole": torch.zeros_like(mask), "black": mask}[content]
    painted = network(torch.zeros_like(image) if content == "black" else image, mask)
    painted["raw"].sum().backward()
    assert torch.isfinite(painted["raw"]).all()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_sides_that_the_network_cannot_halve_twice_are_refused(make):
    image, mask = sample()
    for height, width in ((40, 54), (8, 40)):
        with pytest.raises(InputError, match=f"multiples of 4 and at least 12, got {height}x{width}"):
            make()(image[..., :height, :width], mask[..., :height, :width])


def test_a_senseless_sigma_is_refused():
    with pytest.raises(UsageError, match="sigma_px=-1: must be a positive number"):
        validated(FillOptions, {"sigma_px": -1})


def test_another_sigma_finds_other_edges(make):
    image, mask = sample()
    network = make()
    before = network.derive(image, mask)["canny"]
    network.configure(FillOptions(sigma_px=1))
    assert not torch.equal(network.derive(image, mask)["canny"], before)


def test_a_discriminator_sees_patches_of_70_pixels_and_gives_all_its_features():
    discriminator = (
        Network.discriminators(Config(width=4, discriminator={"width": 4}))["inpaint_discriminator"].double().eval()
    )
    image = torch.rand(1, 3, 96, 104, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    output = discriminator(image)
    assert output.logits.shape == (1, 1, 10, 11)
    assert [feature.shape[1] for feature in output.features] == [4, 8, 16, 32, 1]
    assert torch.equal(output.features[-1], output.logits)
    output.logits[0, 0, 5, 5].backward()
    rows, columns = image.grad.abs().sum(dim=(0, 1)).nonzero().unbind(dim=1)
    assert rows.max() - rows.min() + 1 == 70
    assert columns.max() - columns.min() + 1 == 70


def test_too_small_an_image_for_a_discriminator_is_refused():
    discriminator = PatchDiscriminator(3, Config(discriminator={"width": 2}))
    with pytest.raises(InputError, match="sides of at least 24 pixels, got 20x40"):
        discriminator(torch.rand(1, 3, 20, 40))
