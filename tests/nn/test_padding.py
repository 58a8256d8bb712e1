import numpy as np
import pytest
import torch

from inpaint.nn.padding import PaddedConv2d, pad, pad_to, padded_side, same_amount


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "amounts"),
    [
        (8, 3, 2, 1, (0, 1)),  # even side, stride 2: nothing before
        (8, 5, 2, 1, (1, 2)),
        (7, 3, 2, 1, (1, 1)),
        (7, 5, 2, 1, (2, 2)),
        (1, 3, 2, 1, (1, 1)),
        (2, 3, 2, 1, (0, 1)),
        (6, 5, 1, 1, (2, 2)),
        (6, 3, 1, 16, (16, 16)),
    ],
)
def test_same_puts_the_smaller_half_first(size, kernel, stride, dilation, amounts):
    assert same_amount(size, kernel, stride=stride, dilation=dilation) == amounts


def test_same_at_stride_two_equals_sums_counted_by_hand():
    conv = PaddedConv2d(1, 1, 3, stride=2, padding="same_tf")
    torch.nn.init.ones_(conv.weight)
    torch.nn.init.zeros_(conv.bias)
    x = torch.arange(16.0).view(1, 1, 4, 4)
    # Windows begin at rows and columns 0 and 2; the second ones reach one row and column beyond the border.
    assert conv(x).tolist() == [[[[45.0, 39.0], [66.0, 50.0]]]]
    symmetric = PaddedConv2d(1, 1, 3, stride=2, padding="zero")
    symmetric.load_state_dict(conv.state_dict())
    assert symmetric(x).tolist() == [[[[10.0, 24.0], [51.0, 90.0]]]]


@pytest.mark.parametrize(
    ("mode", "numpy_mode"), [("reflect", "reflect"), ("symmetric", "symmetric"), ("replicate", "edge")]
)
def test_padding_equals_numpy(mode, numpy_mode):
    x = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    expected = np.pad(x.numpy(), ((0, 0), (0, 0), (3, 4), (1, 2)), mode=numpy_mode)
    assert np.array_equal(pad(x, (1, 2, 3, 4), mode=mode).numpy(), expected)


@pytest.mark.parametrize("mode", ["zero", "same_tf", "symmetric", "replicate"])
def test_padding_may_exceed_the_image(mode):
    x = torch.rand(1, 1, 2, 3, generator=torch.Generator().manual_seed(0))
    padded = pad(x, (9, 8, 7, 10), mode=mode)
    assert torch.equal(padded[..., 7:9, 9:12], x)
    if mode == "symmetric":
        assert np.array_equal(padded.numpy(), np.pad(x.numpy(), ((0, 0), (0, 0), (7, 10), (9, 8)), mode="symmetric"))


@pytest.mark.parametrize("mode", ["zero", "same_tf", "reflect", "symmetric", "replicate"])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (5, 1, 1), (3, 2, 1), (5, 2, 1), (3, 1, 4)])
def test_every_mode_keeps_the_size_divided_by_the_stride_rounded_up(mode, kernel, stride, dilation):
    conv = PaddedConv2d(2, 3, kernel, stride=stride, dilation=dilation, padding=mode)
    for height, width in ((8, 12), (9, 7)):
        assert conv(torch.zeros(1, 2, height, width)).shape == (1, 3, -(-height // stride), -(-width // stride))


@pytest.mark.parametrize("mode", ["zero", "same_tf", "reflect", "symmetric", "replicate"])
def test_away_from_the_border_a_convolution_of_stride_one_is_the_same_in_every_mode(mode):
    x = torch.rand(1, 2, 9, 11, generator=torch.Generator().manual_seed(0))
    conv = PaddedConv2d(2, 3, 3, dilation=2, padding=mode)
    plain = torch.nn.functional.conv2d(x, conv.weight, conv.bias, dilation=2)
    assert torch.allclose(conv(x)[..., 2:-2, 2:-2], plain, atol=1e-6)


@pytest.mark.parametrize("mode", ["zero", "same_tf"])
@pytest.mark.parametrize(("stride", "dilation"), [(2, 1), (1, 1), (1, 2)])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1)])
def test_a_single_row_or_column_meets_the_middle_of_the_kernel_alone(mode, stride, dilation, size):
    torch.manual_seed(0)
    conv, x = PaddedConv2d(3, 4, 5, stride=stride, dilation=dilation, padding=mode), torch.randn(2, 3, *size)
    around = 2 * dilation
    expected = torch.nn.functional.conv2d(x, conv.weight, conv.bias, stride, around, dilation)
    assert torch.allclose(conv(x), expected, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (4, 1)])
def test_the_gradient_of_a_kernel_that_hangs_over_a_single_column_is_whole_in_half_precision(size):
    torch.manual_seed(0)
    conv, x = PaddedConv2d(32, 32, 5, stride=2), torch.randn(8, 32, *size)
    for _ in range(20):
        leftovers = [torch.full((50_000 * size,), torch.nan, dtype=torch.bfloat16) for size in range(1, 5)]
        del leftovers  # memory that the next tensors are given
        conv.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            conv(x).sum().backward()
        rest = conv.weight.grad.clone()
        rest[..., 2] = 0
        assert not rest.any()


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="kernel must be odd, got 4"):
        PaddedConv2d(1, 1, 4)


@pytest.mark.parametrize(
    ("side", "multiple", "minimum", "expected"),
    [(8, 8, 1, 8), (9, 8, 1, 16), (9, 8, 72, 72), (1, 1, 1, 1), (73, 8, 72, 80)],
)
def test_a_side_grows_to_the_next_multiple_and_at_least_the_minimum(side, multiple, minimum, expected):
    assert padded_side(side, multiple=multiple, minimum=minimum) == expected


def test_growing_keeps_the_image_at_the_top_left():
    x = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    grown = pad_to(x, 16, 8)
    assert grown.shape == (2, 3, 16, 8)
    assert torch.equal(grown[..., :5, :7], x)
    assert torch.equal(grown[..., 5, :7], x[..., 4, :])
    assert pad_to(x, 5, 7) is x
