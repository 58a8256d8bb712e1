import pytest
import torch
import torch.nn.functional as F

from inpaint.nn.winograd import (
    convolved,
    frozen_convolution,
    outputs,
    transformed_kernels,
    transformed_tiles,
    turned,
)


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("size", [(8, 12), (7, 9), (2, 2), (3, 17), (4, 5)])
@pytest.mark.parametrize(("dtype", "largest"), [(torch.float64, 1e-13), (torch.float32, 1e-5)], ids=str)
def test_products_of_tiles_are_the_mirrored_convolution_of_all_maps(size, dtype, largest):
    first, second = draw(2, 3, *size, dtype=dtype), draw(2, 5, *size, seed=1, dtype=dtype)
    weight = draw(4, 8, 3, 3, seed=2, dtype=dtype) / 8
    both = torch.cat((first, second), dim=1).double()
    expected = F.conv2d(F.pad(both, (1, 1, 1, 1), mode="reflect"), weight.double())
    tiles = transformed_tiles((first, second.to(memory_format=torch.channels_last)))
    got = outputs(tiles @ transformed_kernels(weight), (2, *size))
    assert got.dtype == dtype
    assert (got - expected).abs().max() < largest * expected.std()


@pytest.mark.parametrize("mirrored", [True, False], ids=["mirrored", "zeros"])
@pytest.mark.parametrize("size", [(8, 12), (7, 9), (2, 2), (3, 17), (21, 4)])
@pytest.mark.parametrize(("dtype", "largest"), [(torch.float64, 1e-13), (torch.float32, 1e-5)], ids=str)
def test_a_whole_convolution_of_several_maps_is_computed_a_few_rows_at_a_time(
    size, mirrored, dtype, largest, monkeypatch
):
    monkeypatch.setattr("inpaint.nn.winograd.TILES", 3)  # the last rows are fewer
    first, second = draw(2, 3, *size, dtype=dtype), draw(2, 5, *size, seed=1, dtype=dtype)
    weight, bias = draw(4, 8, 3, 3, seed=2, dtype=dtype) / 8, draw(4, seed=3, dtype=dtype)
    both = torch.cat((first, second), dim=1).double()
    padded = F.pad(both, (1, 1, 1, 1), mode="reflect" if mirrored else "constant")
    expected = F.conv2d(padded, weight.double(), bias.double())
    got = convolved(
        (first, second.to(memory_format=torch.channels_last)), transformed_kernels(weight), bias, mirrored=mirrored
    )
    assert got.dtype == dtype
    assert (got - expected).abs().max() < largest * expected.std()


def test_a_frozen_convolution_has_the_gradient_of_the_convolution():
    x, weight, bias = draw(2, 5, 7, 10).requires_grad_(), draw(6, 5, 3, 3, seed=1), draw(6, seed=2)
    found = frozen_convolution(x, transformed_kernels(weight), transformed_kernels(turned(weight)), bias)
    expected = F.conv2d(x, weight, bias, padding=1)
    torch.testing.assert_close(found, expected)
    along = draw(2, 6, 7, 10, seed=3)
    torch.testing.assert_close(*(torch.autograd.grad(y, x, along)[0] for y in (found, expected)))
