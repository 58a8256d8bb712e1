import numpy as np
import pytest
import torch
from torch import nn

from inpaint.nn.gated import GatedConv2d, gated, initialize_


@pytest.fixture
def x():
    return torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1


def activated(name, values):
    if name == "elu":
        return np.where(values > 0, values, np.exp(np.minimum(values, 0)) - 1)
    if name == "leaky_relu":
        return np.where(values > 0, values, 0.2 * values)
    return np.maximum(values, 0) if name == "relu" else values


@pytest.mark.parametrize("activation", ["elu", "relu", "leaky_relu", "none"])
def test_a_gated_convolution_is_two_convolutions_multiplied(x, activation):
    torch.manual_seed(0)
    layer = GatedConv2d(3, 4, 3, stride=2, activation=activation).double()
    feature, gate = nn.Conv2d(3, 4, 3, 2, 1).double(), nn.Conv2d(3, 4, 3, 2, 1).double()
    feature.load_state_dict({"weight": layer.weight[:4], "bias": layer.bias[:4]})
    gate.load_state_dict({"weight": layer.weight[4:], "bias": layer.bias[4:]})
    with torch.no_grad():
        a, g = feature(x).numpy(), gate(x).numpy()
        expected = activated(activation, a) / (1 + np.exp(-g))
        assert np.allclose(layer(x).numpy(), expected, rtol=0, atol=1e-14)


def test_the_first_half_of_the_channels_is_the_feature():
    x = torch.tensor([2.0, -1e9]).view(1, 2, 1, 1)
    assert gated(x).item() == 0.0
    assert gated(x.flip(1)).item() == pytest.approx(-1 / (1 + np.exp(-2)))


def test_upsampling_repeats_every_pixel_before_the_convolution(x):
    torch.manual_seed(0)
    layer = GatedConv2d(3, 4, upsample=True).double()
    plain = GatedConv2d(3, 4).double()
    plain.load_state_dict(layer.state_dict())
    repeated = torch.from_numpy(x.numpy().repeat(2, axis=-2).repeat(2, axis=-1))
    assert layer(x).shape == (2, 4, 10, 14)
    assert torch.equal(layer(x), plain(repeated))


def test_gradients_of_a_gated_convolution_equal_finite_differences(x):
    torch.manual_seed(0)
    layer = GatedConv2d(3, 2, 3, padding="same_tf", stride=2, upsample=True).double()
    assert torch.autograd.gradcheck(layer, (x[:1, :, :3, :4].clone().requires_grad_(),))


def test_initialize_reaches_every_convolution_below():
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Sequential(GatedConv2d(5, 40, 5), nn.Conv2d(40, 8, 1, bias=False)))
    for parameter in network.parameters():
        nn.init.constant_(parameter, 9.0)
    torch.manual_seed(0)
    initialize_(network)
    for layer in (network[0], network[1][0], network[1][1]):
        outputs, inputs, height, width = layer.weight.shape
        bound = np.sqrt(6 / ((inputs + outputs) * height * width))
        assert 0.9 * bound < layer.weight.abs().max() <= bound
        assert layer.bias is None or not layer.bias.any()


@pytest.mark.parametrize("padding", ["zero", "same_tf", "reflect", "symmetric", "replicate"])
@pytest.mark.parametrize("activation", ["elu", "relu", "leaky_relu", "none"])
def test_four_small_kernels_upsample_like_repeated_pixels(padding, activation):
    torch.manual_seed(0)
    layer = GatedConv2d(3, 5, padding=padding, activation=activation, upsample=True).double().eval()
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    expected = layer(x)
    layer.prepare_for_inference()
    assert torch.equal(layer(x), expected)  # with gradients, still the convolution of the large map
    with torch.inference_mode():
        got = layer(x)
    assert not torch.equal(got, expected)
    assert torch.allclose(got, expected, rtol=0, atol=1e-13)


def test_what_is_prepared_is_no_part_of_the_weights_and_is_forgotten_in_training():
    layer = GatedConv2d(3, 5, upsample=True)
    names = set(layer.state_dict())
    layer.eval().prepare_for_inference()
    assert set(layer.state_dict()) == names
    assert layer.phases is not None
    layer.train()
    assert layer.phases is None


@pytest.mark.parametrize("activation", ["elu", "relu", "leaky_relu", "none"])
def test_without_gradients_and_in_every_layout_the_gate_is_the_same(activation):
    x = torch.randn(2, 14, 5, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = gated(x.clone().requires_grad_(), activation=activation)
    for layout in (torch.contiguous_format, torch.channels_last):
        given = x.contiguous(memory_format=layout)
        kept = given.clone()
        assert torch.allclose(gated(given, activation=activation), expected, rtol=0, atol=1e-15)
        assert torch.equal(given, kept)


@pytest.mark.parametrize("padding", ["zero", "same_tf", "reflect"])
@pytest.mark.parametrize("options", [{"kernel": 5}, {"dilation": 4}, {"upsample": True}, {"stride": 2}])
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_strips_paint_what_the_whole_paints(monkeypatch, padding, options, rows):
    torch.manual_seed(0)
    layer = GatedConv2d(3, 5, padding=padding, **options).double().eval()
    x = torch.randn(2, 3, 11, 6, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    expected = layer(x)
    layer.prepare_for_inference()
    monkeypatch.setattr("inpaint.nn.gated.WHOLE_BYTES", 0)
    monkeypatch.setattr("inpaint.nn.gated.STRIP_BYTES", rows * 2 * 10 * 6 * 8)
    with torch.inference_mode():
        got = layer(x)
    assert torch.allclose(got, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("activation", ["elu", "relu", "leaky_relu", "none"])
def test_gradients_in_channels_last_equal_finite_differences(activation):
    x = torch.randn(1, 6, 3, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: gated(given, activation=activation), (x,))


def test_in_channels_last_the_gradient_keeps_nothing_but_the_input():
    kept = []
    x = torch.randn(1, 8, 4, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.data_ptr()), lambda _: x):
        gated(x)
    assert kept == [x.data_ptr()]
