import numpy as np
import pytest
import torch
import torch.nn.functional as F

from inpaint.nn.response_norm import ResponseNorm


def drawn(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("channels", [1, 4, 11, 23])
def test_it_is_torch_s_own_normalization_whose_alpha_divides_by_the_window(channels):
    x = drawn(2, channels, 3, 5)
    expected = F.local_response_norm(x, size=11, alpha=11, beta=0.5, k=5e-5)
    assert torch.allclose(ResponseNorm(channels).double()(x), expected, rtol=1e-12, atol=1e-14)


def test_the_sum_is_cut_at_both_ends_of_the_channels():
    x = drawn(1, 6, 1, 1)
    values = x.flatten().numpy()
    expected = [v / np.sqrt(0.5 + (values[max(c - 2, 0) : c + 3] ** 2).sum()) for c, v in enumerate(values)]
    got = ResponseNorm(6, radius=2, bias=0.5).double()(x).flatten().numpy()
    assert np.allclose(got, expected, rtol=1e-13)


def test_gradients_equal_finite_differences():
    layer = ResponseNorm(13).double()
    assert torch.autograd.gradcheck(layer, (drawn(1, 13, 2, 2).requires_grad_(),))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_squares_are_added_in_float32_where_half_precision_would_overflow(dtype):
    x = 1000 * drawn(1, 12, 2, 3, dtype=dtype)
    expected = ResponseNorm(12)(x.float())
    got = ResponseNorm(12).to(dtype)(x)
    assert got.dtype == dtype
    assert torch.allclose(got.float(), expected, rtol=1e-2, atol=1e-3)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(ResponseNorm(12)(x.float()), expected, rtol=1e-5)


def test_values_without_neighbors_keep_their_size_and_the_bands_are_no_weights():
    x = torch.tensor([0.0, -2.0]).view(1, 2, 1, 1)
    assert ResponseNorm(2, bias=0.0)(x + 1e-12).flatten().tolist() == pytest.approx([0, -1], abs=1e-6)
    assert not ResponseNorm(7).state_dict()
