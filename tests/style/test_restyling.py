import pytest
import torch

from inpaint.nn.random import drawing_from
from inpaint.style.coders import Decoder, Encoder
from inpaint.style.restyling import Coder, moments_of, restyled
from inpaint.style.transforms import Region, moments, needs_covariance


def coder_of(level, name="vgg16"):
    with drawing_from(1):
        encoder, decoder = Encoder(name, level, width=3), Decoder(name, level, encoder_width=3)
    return Coder(encoder.double(), decoder.double(), level)


def images(level):
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(1, 3, *size, dtype=torch.float64, generator=generator) for size in ((176, 32), (128, 48))]


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["adain", "wct"])
def test_an_image_painted_in_strips_is_that_painted_at_once(level, kind):
    coder, (content, style) = coder_of(level), images(level)
    grid = tuple(side // coder.step_px for side in content.shape[-2:])
    top = torch.zeros(grid, dtype=torch.float64)
    top[: grid[0] // 2] = 1
    both = [moments_of(coder, each, None, kind=kind) for each in (style, style.flip(2))]
    regions = [Region(both[0], share=top, inside=top), Region(both[1], share=1 - top, inside=1 - top)]
    with torch.no_grad():
        whole = restyled(coder, content, regions, kind=kind, strength=0.7)
        strips = restyled(coder, content, regions, kind=kind, strength=0.7, whole_px=0, strip_px=512)
    spread = whole.std().item()
    assert spread > 1e-3
    assert torch.allclose(strips, whole, rtol=0, atol=1e-9 * spread)
    assert strips.shape == content.shape


@pytest.mark.parametrize("kind", ["adain", "ot"])
@pytest.mark.parametrize("masked", [True, False])
def test_statistics_of_a_style_read_in_strips_are_those_of_the_whole(kind, masked):
    coder, (_, style) = coder_of(3), images(3)
    mask = torch.zeros(1, 1, *style.shape[-2:], dtype=torch.float64)
    mask[..., 20:50, 8:] = 1
    found = moments_of(coder, style, mask if masked else None, kind=kind, strip_px=1)
    features = coder.encoder(style, [3])[3][0].flatten(1)
    weights = torch.nn.functional.avg_pool2d(mask, 4).flatten() if masked else None
    expected = moments(features, weights, covariance=needs_covariance(kind))
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-12)
