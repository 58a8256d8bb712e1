"""The network of fast style transfer: its forms, its ranges, and the plain arithmetic of the public example."""

from __future__ import annotations

import pytest
import torch

from inpaint.models.johnson.config import Config
from inpaint.models.johnson.network import Network
from inpaint.models.johnson.reference import Reference
from inpaint.nn.inference import prepare_for_inference

FORMS = [
    {},
    {"border": "start"},
    {"upsampling": "transposed"},
    {"norm": "batch", "values": "caffe", "output": "tanh"},
    {"output": "tanh"},
    {"values": "unit", "output": "sigmoid"},
]


def network_of(**options):
    return Network(Config(**{"width": 4, "blocks": 2, **options})).double().eval().requires_grad_(False)


def image_of(*size):
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_usual_network_has_the_example_s_parameters():
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in Network(Config()).parameters()) == 1_679_235


@pytest.mark.parametrize("options", FORMS, ids=str)
@pytest.mark.parametrize("size", [(32, 44), (33, 46)])
def test_every_form_gives_an_image_of_the_content_s_size(options, size):
    painted = network_of(**options)(image_of(*size))
    assert painted.shape == (2, 3, *size)
    assert painted.isfinite().all()


@pytest.mark.parametrize(("output", "least", "most"), [("sigmoid", 0, 1), ("tanh", 0.5 - 150 / 255, 0.5 + 150 / 255)])
def test_bounded_outputs_stay_in_their_range(output, least, most):
    network = network_of(output=output)
    with torch.no_grad():
        network.generator.convolutions["out"].weight.mul_(1e6)
    painted = network(image_of(24, 24))
    assert painted.min().item() == pytest.approx(least, abs=1e-9)
    assert painted.max().item() == pytest.approx(most, abs=1e-9)


def test_colors_of_caffe_s_range_are_read_and_written_in_their_own_order():
    network = network_of(values="caffe")
    seen = []
    network.generator.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0]) or inputs[0])
    image = image_of(16, 16)
    assert (network(image) - image).abs().max() < 1e-12  # what is read, given back
    blue = 255 * image[:, 2] - 103.939
    assert (seen[0][:, 0] - blue).abs().max() < 1e-9


def test_the_fast_arithmetic_equals_the_plain_one():
    network, image = network_of(), image_of(32, 44)
    expected = Reference(network).double()(image)
    prepare_for_inference(network)
    network.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        found = network(image.contiguous(memory_format=torch.channels_last))
    assert (found - expected).abs().max() < 1e-12
    assert network.generator.convolutions["up1"].factors is not None


def test_the_plain_arithmetic_of_other_forms_is_refused():
    with pytest.raises(ValueError, match="instance norm, nearest neighbors and mirrored borders"):
        Reference(network_of(upsampling="transposed"))
