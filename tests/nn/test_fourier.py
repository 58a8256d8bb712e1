import numpy as np
import pytest
import torch

from inpaint.nn.fourier import FourierConv, FourierUnit, LocalFourierUnit, from_spectrum, spectrum

SIZES = [(6, 8), (5, 7), (6, 7), (2, 2), (1, 4)]


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("size", SIZES)
def test_the_spectrum_is_that_of_numpy_and_keeps_the_energy(size):
    x = draw(2, 3, *size)
    expected = np.fft.rfft2(x.numpy(), norm="ortho")
    planes = spectrum(x).numpy()
    assert np.allclose(planes[:, :3], expected.real, atol=1e-12)
    assert np.allclose(planes[:, 3:], expected.imag, atol=1e-12)
    whole = np.fft.fft2(x.numpy(), norm="ortho")
    assert np.square(np.abs(whole)).sum() == pytest.approx(x.square().sum().item())


@pytest.mark.parametrize("size", SIZES)
def test_back_from_the_spectrum_comes_what_went_in(size):
    x = draw(2, 3, *size)
    assert torch.allclose(from_spectrum(spectrum(x), *size), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_planes_of_no_real_map_are_transformed_along_the_height_first(size):
    height, width = size
    columns = width // 2 + 1
    planes = draw(1, 2, height, columns)
    z = np.fft.ifft(planes[0, 0].numpy() + 1j * planes[0, 1].numpy(), axis=0, norm="ortho")
    x, expected = np.arange(width), np.zeros((height, width))
    for k in range(columns):
        alone = k == 0 or 2 * k == width
        wave = np.exp(2j * np.pi * k * x / width)
        part = z[:, k : k + 1].real if alone else z[:, k : k + 1]
        expected += (1 if alone else 2) * (part * wave).real / np.sqrt(width)
    assert np.allclose(from_spectrum(planes, height, width)[0, 0].numpy(), expected, atol=1e-12)


def test_one_frequency_changes_by_the_same_matrix_as_every_other():
    unit = FourierUnit(2).double().eval()
    with torch.no_grad():
        shift = 50.0  # far from the ReLU's corner
        unit.mix.norm.bias.fill_(shift)
        mixed = spectrum(unit(draw(1, 2, 6, 8)))
        planes = unit.mix.conv(spectrum(draw(1, 2, 6, 8))) / np.sqrt(1 + unit.mix.norm.eps) + shift
    # Of inner columns nothing is lost on the way back.
    assert torch.allclose(mixed[..., 1:4], planes[..., 1:4], rtol=0, atol=1e-10)


def test_quarters_are_taken_in_the_order_of_columns_and_repeated():
    local = LocalFourierUnit(4).double()
    local.unit = torch.nn.Identity()
    x = draw(1, 4, 4, 6)
    out = local(x)
    quarters = (x[:, 0, :2, :3], x[:, 0, 2:, :3], x[:, 0, :2, 3:], x[:, 0, 2:, 3:])
    for channel, quarter in enumerate(quarters):
        assert torch.equal(out[:, channel], quarter.repeat(1, 2, 2))


def test_a_stride_goes_without_global_inputs_only():
    with pytest.raises(ValueError, match="stride=2 needs inputs without global channels"):
        FourierConv((2, 2), (2, 2), stride=2)
