"""Plain forms: the same numbers as NumPy and as the forms that are made for speed, at sizes of every kind."""

import numpy as np
import pytest
import torch

from inpaint.nn.attention import ContextualAttention
from inpaint.nn.fourier import from_plain_spectrum, plain_spectrum
from inpaint.nn.gated import GatedConv2d
from inpaint.nn.plain import box_sums, use_plain_forms


def draw(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize(("height", "width"), [(1, 2), (5, 8), (6, 7), (16, 33)])
def test_matrices_transform_as_numpy_does_and_back(height, width):
    x = draw(2, 3, height, width)
    planes = plain_spectrum(x)
    expected = np.fft.rfft2(x.numpy(), norm="ortho")
    assert np.allclose(planes.numpy(), np.concatenate((expected.real, expected.imag), axis=1), atol=1e-12)
    # Planes of no real map: what stands for real numbers loses its imaginary part.
    other = draw(*planes.shape, seed=1)
    complexes = other[:, :3].numpy() + 1j * other[:, 3:].numpy()
    expected = np.fft.irfft2(complexes, s=(height, width), norm="ortho")
    assert np.allclose(from_plain_spectrum(other, height, width).numpy(), expected, atol=1e-12)


def test_matrices_of_long_sides_keep_their_precision_in_float32():
    x = draw(1, 1, 2, 3001).float()
    expected = np.fft.rfft2(x.numpy().astype(float), norm="ortho")
    planes = plain_spectrum(x).numpy()
    assert np.abs(planes - np.concatenate((expected.real, expected.imag), axis=1)).max() < 2e-5


@pytest.mark.parametrize("plain", [False, True])
def test_windows_are_summed_with_zeros_beyond_the_border(plain):
    x = draw(2, 1, 6, 9)
    padded = np.pad(x.numpy()[:, 0], ((0, 0), (1, 1), (1, 1)))
    expected = [[padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].sum((1, 2)) for j in range(5)] for i in range(3)]
    sums = box_sums(x, 3, stride=2, around=1, plain=plain)
    assert np.allclose(sums[:, 0].numpy(), np.transpose(expected, (2, 0, 1)), atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fuse": False, "masked": "inf", "norm_eps": "inside"},
        {"overlap": "count", "sampling": "floor", "mask_sampling": "floor8"},
    ],
)
@pytest.mark.parametrize(("h", "w"), [(1, 1), (1, 4), (5, 3), (6, 7)])
def test_attention_in_one_piece_pastes_what_attention_in_blocks_does(options, h, w):
    features, mask = draw(2, 4, 2 * h, 2 * w), torch.zeros(2, 1, 8 * h, 8 * w, dtype=torch.float64)
    mask[:, :, : 3 * h, : 4 * w] = 1
    layer = ContextualAttention(**options)
    with torch.no_grad():
        expected = layer(features, mask)
        use_plain_forms(layer)
        assert torch.allclose(layer(features, mask), expected, atol=1e-12)


@pytest.mark.parametrize("upsample", [False, True])
def test_a_gated_convolution_has_a_plain_form(upsample):
    layer = GatedConv2d(3, 4, 3, upsample=upsample).double().eval().to(memory_format=torch.channels_last)
    x = draw(2, 3, 5, 6).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        layer.prepare_for_inference()
        expected = layer(x)
        use_plain_forms(layer)
        assert torch.allclose(layer(x), expected, atol=1e-12)
