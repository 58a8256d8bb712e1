"""The network of many styles: mixtures, blends from place to place, new styles, and the plain arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inpaint.models.image_transform import ConditionalNorm
from inpaint.models.multistyle.config import Config
from inpaint.models.multistyle.network import Network
from inpaint.models.multistyle.reference import Reference
from inpaint.models.styling import NetworkStylizer
from inpaint.nn.inference import prepare_for_inference
from inpaint.types import LearnedStyle

STYLES = ("dots", "waves", "rain")
CONTENT = np.random.default_rng(0).random((48, 64, 3), dtype=np.float32)


@pytest.fixture
def network_of(lively):
    def make(**options):
        network = lively(Network(Config(**{"width": 4, "blocks": 1, "styles": STYLES, **options})))
        return network.double().eval().requires_grad_(False)

    return make


def image_of(*size):
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def stylize(network, *parts):
    stylizer = NetworkStylizer(network, Config.StyleOptions(), name="multistyle")
    return stylizer.stylize(CONTENT, list(parts)).image


def test_a_style_has_3206_numbers():
    with torch.device("meta"):
        one, two = (sum(p.numel() for p in Network(Config(styles=STYLES[:n])).parameters()) for n in (1, 2))
    assert two - one == 3206


def test_equal_rows_give_one_picture_whatever_the_weights(network_of):
    network = network_of()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith((".gamma", ".beta")):
                parameter.copy_(parameter[:1].expand_as(parameter).clone())
    image = image_of(16, 20)
    one, other = (
        network(image, torch.tensor([w], dtype=torch.float64).expand(2, -1)) for w in ((1, 0, 0), (0.2, 0.5, 0.3))
    )
    assert (one - other).abs().max() < 1e-12


def test_weights_of_every_pixel_that_are_all_alike_are_weights_of_the_image(network_of):
    network, image = network_of(), image_of(17, 22)
    weights = torch.tensor([[0.2, 0.5, 0.3], [1, 0, 0]], dtype=torch.float64)
    whole = network(image, weights)
    each = network(image, weights[:, :, None, None].expand(-1, -1, 17, 22))
    assert (whole - each).abs().max() < 1e-10


def test_parts_are_mixed_by_their_weights(network_of):
    network = network_of()
    dots, waves = (stylize(network, LearnedStyle(name=name)) for name in STYLES[:2])
    assert np.abs(dots - waves).mean() > 1e-3
    mixed = stylize(network, LearnedStyle(name="dots", weight=3), LearnedStyle(name="waves", weight=1))
    content = torch.from_numpy(CONTENT).permute(2, 0, 1)[None].double()
    expected = network(content, torch.tensor([[0.75, 0.25, 0]], dtype=torch.float64))[0].permute(1, 2, 0)
    assert np.abs(mixed - expected.clamp(0, 1).numpy()).max() < 1e-6


def test_masks_become_weights_of_every_pixel(network_of):
    network, left = network_of(), np.zeros(CONTENT.shape[:2], np.float32)
    left[:, :32] = 1
    parts = (LearnedStyle(name="dots", content_mask=left), LearnedStyle(name="rain", content_mask=1 - left))
    weights = torch.zeros(1, 3, *left.shape, dtype=torch.float64)
    weights[0, 0], weights[0, 2] = torch.from_numpy(left), torch.from_numpy(1 - left)
    content = torch.from_numpy(CONTENT).permute(2, 0, 1)[None].double()
    expected = network(content, weights)[0].permute(1, 2, 0).clamp(0, 1).numpy()
    assert np.abs(stylize(network, *parts) - expected).max() < 1e-6


def test_weights_of_every_pixel_mix_scales_and_shifts_there():
    rng = np.random.default_rng(0)
    norm = ConditionalNorm(4, 3).double()
    gamma, beta, x, shares = (
        rng.random((3, 4)),
        rng.random((3, 4)),
        rng.random((2, 4, 5, 6)),
        rng.random((2, 3, 10, 12)),
    )
    norm.load_state_dict({"gamma": torch.from_numpy(gamma), "beta": torch.from_numpy(beta)})
    here = shares.reshape(2, 3, 5, 2, 6, 2).mean(axis=(3, 5))  # features are half as large as the image
    normalized = (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + 1e-5)
    scale, shift = (np.einsum("bnhw,nc->bchw", here, rows) for rows in (gamma, beta))
    with torch.no_grad():
        found = norm(torch.from_numpy(x), torch.from_numpy(shares)).numpy()
    assert np.abs(found - (scale * normalized + shift)).max() < 1e-10


def test_a_network_of_other_styles_takes_over_rows_by_name_and_begins_new_ones_with_their_mean(network_of):
    old, new = network_of(), Network(Config(width=4, blocks=1, styles=("rain", "snow", "dots")))
    state = new.adapted("generator", dict(old.generator.state_dict()), old.config.model_dump(mode="json"))
    before, after = old.generator.norms["up1"].beta, state["norms.up1.beta"]
    assert torch.equal(after[0], before[2])
    assert torch.equal(after[2], before[0])
    assert (after[1] - before.mean(dim=0)).abs().max() < 1e-12
    assert torch.equal(state["convolutions.conv1.weight"], old.generator.convolutions["conv1"].weight)


@pytest.mark.parametrize("options", [{}, {"bias": True, "affine": True, "values": "imagenet"}], ids=["authors", "port"])
def test_the_fast_arithmetic_equals_the_plain_one(network_of, options):
    network, image = network_of(**options), image_of(32, 44)
    weights = torch.tensor([[0.2, 0.5, 0.3], [1, 0, 0]], dtype=torch.float64)
    expected = Reference(network).double()(image, weights)
    prepare_for_inference(network)
    network.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        found = network(image.contiguous(memory_format=torch.channels_last), weights)
    assert (found - expected).abs().max() < 1e-12


def test_coefficients_of_more_styles_than_there_are_are_refused():
    with pytest.raises(ValueError, match="style_coefficients are 2, for 1 styles"):
        Config(styles=("dots",), style_coefficients=(1.0, 2.0))
