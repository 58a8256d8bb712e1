"""EraseNet's networks: shapes, the plain reference, and what is prepared for inference."""

from __future__ import annotations

import pytest
import torch

from inpaint.errors import InputError
from inpaint.models.erasenet.config import Config
from inpaint.models.erasenet.network import Network, found_map
from inpaint.models.erasenet.reference import Reference
from inpaint.nn.inference import prepare_for_inference


@pytest.fixture
def network(lively):
    return lively(Network(Config(**Config.SMALL, mask_planes=2))).double().eval()


@pytest.fixture
def image():
    return torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_outputs_have_the_sizes_of_their_names(network, image):
    sizes = {name: tuple(plane.shape[1:]) for name, plane in network.generator(image).items()}
    assert sizes == {
        "raw": (3, 64, 96),
        "unet": (3, 64, 96),
        "scale_1_2": (3, 32, 48),
        "scale_1_4": (3, 16, 24),
        "mask_logits": (2, 64, 96),
    }


def test_what_is_asked_for_alone_is_what_is_computed_with_the_rest(network, image):
    whole = network.generator(image)
    assert torch.equal(network.find_mask(image), found_map(whole["mask_logits"]))
    assert torch.equal(network(image, image[:, :1])["raw"], whole["raw"])


@pytest.mark.parametrize("ready", [False, True])
def test_it_computes_what_the_plain_form_does(network, image, ready):
    with torch.no_grad():
        expected = Reference(network)(image, image[:, :1], find=True)
        if ready:
            prepare_for_inference(network)
        found = network.generator(image)
    assert found.keys() == expected.keys()
    for name, plane in expected.items():
        assert torch.allclose(found[name], plane, rtol=0, atol=1e-11), name


def test_sides_that_are_no_multiple_of_32_are_refused(network):
    with pytest.raises(InputError, match="multiples of 32, got 48x64"):
        network.find_mask(torch.zeros(1, 3, 48, 64, dtype=torch.float64))
