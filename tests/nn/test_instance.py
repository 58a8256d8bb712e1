import numpy as np
import pytest
import torch

from inpaint.nn.instance import instance_norm, norm_relu


def sample(batch, layout, dtype=torch.float64):
    x = torch.randn(batch, 3, 5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3 + 2
    return x.to(dtype).contiguous(memory_format=layout)


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_every_channel_of_every_image_is_normalized_on_its_own(layout, batch, grad):
    x = sample(batch, layout)
    values = x.numpy()
    mean, variance = values.mean((2, 3), keepdims=True), values.var((2, 3), keepdims=True)
    expected = (values - mean) / np.sqrt(variance + 1e-5)
    with torch.set_grad_enabled(grad):
        assert np.allclose(instance_norm(x).numpy(), expected, atol=1e-12)
        assert np.allclose(norm_relu(x).numpy(), np.maximum(expected, 0), atol=1e-12)
    assert np.array_equal(x.numpy(), values)  # the input is left alone


def test_channels_last_stay_channels_last_without_gradients():
    for batch in (1, 2):
        with torch.no_grad():
            assert instance_norm(sample(batch, torch.channels_last)).is_contiguous(memory_format=torch.channels_last)


def test_half_precision_takes_its_statistics_in_float32():
    # Near 256 bfloat16 knows even numbers only: a mean kept in it would be off by up to half a deviation.
    x = (256 + 2 * torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(0))).bfloat16()
    expected = instance_norm(x.double())
    for layout in (torch.contiguous_format, torch.channels_last):
        with torch.no_grad():
            got = instance_norm(x.contiguous(memory_format=layout)).double()
        assert (got - expected).abs().max() < 0.06


def test_gradients_reach_the_input():
    x = sample(2, torch.channels_last).requires_grad_()
    assert torch.autograd.gradcheck(norm_relu, (x,))


@pytest.mark.parametrize("of_each", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("gradients", [False, True])
def test_scales_and_shifts_may_be_shared_or_of_every_image(of_each, layout, gradients):
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, 5, 7, generator=draw, dtype=torch.float64)
    shape = (2, 3) if of_each else (3,)
    scale, shift = (torch.randn(shape, generator=draw, dtype=torch.float64) for _ in range(2))
    array = x.numpy()
    expected = (array - array.mean((2, 3), keepdims=True)) / np.sqrt(array.var((2, 3), keepdims=True) + 1e-5)
    expected = expected * scale.expand(2, 3).numpy()[..., None, None] + shift.expand(2, 3).numpy()[..., None, None]
    with torch.set_grad_enabled(gradients):
        found = instance_norm(x.contiguous(memory_format=layout), scale, shift)
    assert np.abs(found.numpy() - expected).max() < 1e-10
