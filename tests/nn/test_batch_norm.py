import pytest
import torch
from torch import nn

from inpaint.nn.batch_norm import ConvNorm, scale_and_shift
from inpaint.nn.inference import prepare_for_inference
from inpaint.nn.padding import PaddedConv2d

LAYERS = {
    "plain": lambda: nn.Conv2d(3, 5, 3, stride=2, padding=1),
    "mirrored border": lambda: PaddedConv2d(3, 5, 3, padding="reflect", bias=False),
    "transposed": lambda: nn.ConvTranspose2d(3, 5, 3, stride=2, padding=1, output_padding=1),
}


def lively(norm):
    generator = torch.Generator().manual_seed(0)
    for part in (norm.weight, norm.bias, norm.running_mean):
        part.data = torch.randn(part.shape, generator=generator, dtype=torch.float64)
    norm.running_var = torch.rand(norm.bias.shape, generator=generator, dtype=torch.float64) + 0.5
    return norm


@pytest.fixture
def x():
    return torch.randn(2, 3, 8, 11, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_scale_and_shift_are_what_the_norm_does(x):
    norm = lively(nn.BatchNorm2d(3).double()).eval()
    scale, shift = scale_and_shift(norm)
    assert torch.allclose(norm(x), x * scale.view(3, 1, 1) + shift.view(3, 1, 1), rtol=0, atol=1e-13)


@pytest.mark.parametrize("slope", [0.0, 0.2, None])
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_a_prepared_layer_computes_the_same(layer, slope, x):
    both = ConvNorm(layer(), slope=slope).double().eval()
    lively(both.norm)
    with torch.no_grad():
        expected = both(x)
        prepare_for_inference(both)
        assert both.kernel is not None
        assert torch.allclose(both(x), expected, rtol=0, atol=1e-12)


def test_a_layer_in_half_precision_computes_in_the_type_it_is_asked_for(x):
    both = ConvNorm(nn.Conv2d(3, 5, 1, bias=False)).double().eval()
    lively(both.norm)
    both.to(torch.bfloat16)
    with torch.no_grad():
        exact = both.exactly(x)
        assert exact.dtype == torch.float64
        both.double()
        assert torch.allclose(exact, both(x), rtol=0, atol=1e-12)


def test_what_was_prepared_is_forgotten_when_training_begins():
    both = ConvNorm(nn.Conv2d(3, 5, 1))
    prepare_for_inference(both)
    assert both.train().kernel is None
