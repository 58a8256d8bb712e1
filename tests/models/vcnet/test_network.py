"""VCNet's networks: the plain arithmetic of the public programs, shapes, and what is refused."""

from __future__ import annotations

import pytest
import torch

from inpaint.errors import InputError
from inpaint.models.vcnet.config import Config
from inpaint.models.vcnet.network import Network
from inpaint.models.vcnet.reference import Reference
from inpaint.models.vcnet.weights import AUTHORS, XYFJASON
from inpaint.nn.inference import prepare_for_inference
from lively import enlivened

VARIANTS = {"usual": Config(), "as the authors": AUTHORS, "as xyfJASON": XYFJASON}


def sample(height, width, *, soft, seed=0):
    """Two images, and masks that are known everywhere nearly or fade."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.zeros(2, 1, height, width, dtype=torch.float64)
    mask[0, :, 2 : height // 2, width // 3 :] = 1
    mask[-1, :, height // 3 :, : width // 2] = 1
    if soft:
        mask = (0.2 + 0.6 * mask) * torch.rand(mask.shape, generator=generator, dtype=torch.float64)
    return torch.rand(2, 3, height, width, generator=generator, dtype=torch.float64), mask


def lively(config):
    return enlivened(Network(config.model_copy(update={"width": 4})).double()).eval()


@pytest.mark.parametrize("prepared", [False, True], ids=["", "prepared"])
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_every_form_of_the_network_equals_the_plain_arithmetic_of_the_public_programs(config, soft, prepared):
    network, (image, mask) = lively(config), sample(24, 36, soft=soft)
    with torch.inference_mode():
        expected = Reference(network)(image, mask, find=True)
        if prepared:
            prepare_for_inference(network)
            network.to(memory_format=torch.channels_last)
        painted, logits = network(image, mask)["raw"], network.find(image).logits
    assert min(expected["raw"].std(), expected["mask_logits"].std()) > 0.02
    assert torch.allclose(painted, expected["raw"], rtol=0, atol=1e-10)
    assert torch.allclose(logits, expected["mask_logits"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_the_form_for_export_equals_the_one_that_is_faster(config):
    network, (image, mask) = lively(config), sample(16, 24, soft=True)
    with torch.no_grad():
        expected = network(image, mask)["raw"]
        network.prepare_for_export()
        assert torch.allclose(network(image, mask)["raw"], expected, rtol=0, atol=1e-10)


def test_sides_that_are_no_multiples_of_four_are_refused():
    image, mask = sample(8, 10, soft=False)
    with pytest.raises(InputError, match="multiples of 4, got 8x10"):
        lively(Config())(image, mask)
