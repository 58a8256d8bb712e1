import numpy as np
import pytest
import torch

from inpaint.models.adain.config import AdainOptions, Config
from inpaint.models.adain.network import Network
from inpaint.models.adain.reference import Reference
from inpaint.models.styling import NetworkStylizer
from inpaint.nn.inference import prepare_for_inference
from inpaint.style.transforms import moments
from inpaint.types import StylePart

RNG = np.random.default_rng(0)
CONTENT = RNG.random((45, 70, 3), dtype=np.float32)
STYLES = [RNG.random((40, 56, 3), dtype=np.float32) * np.float32(0.5) + np.float32(shift) for shift in (0.0, 0.5)]


@pytest.fixture
def network(lively):
    return lively(Network(Config(**{**Config.SMALL, "level": 3})), gain=1.4).double().eval()


def stylizer(network, **options):
    return NetworkStylizer(network, AdainOptions(**{"scale": None, **options}), name="adain")


def left_half():
    mask = np.zeros(CONTENT.shape[:2], np.float32)
    mask[:, :32] = 1
    return mask


def test_prepared_for_inference_it_paints_what_the_plain_arithmetic_does():
    network = Network(Config(level=2, encoder_weights="random")).eval()
    plain, (content, style) = Reference(network), (torch.rand(1, 3, 24, 32), torch.rand(1, 3, 16, 40))
    with torch.no_grad():
        expected = plain(content, style, 0.8)
        prepare_for_inference(network)
        assert torch.allclose(network(content, style, 0.8), expected, rtol=0, atol=1e-4 * expected.std().item())


@pytest.mark.parametrize("transform", ["adain", "wct", "ot", "cholesky"])
def test_features_of_a_photo_get_the_statistics_of_the_style(network, transform, monkeypatch):
    seen = []
    decode = network.decoder.forward
    monkeypatch.setattr(network.decoder, "forward", lambda features: seen.append(features) or decode(features))
    content = CONTENT[:44, :68]
    stylizer(network, transform=transform).stylize(content, [StylePart(style=STYLES[0])])
    style = torch.from_numpy(STYLES[0]).permute(2, 0, 1)[None].double()
    with torch.no_grad():
        wanted = moments(network.features(style)[0].flatten(1), covariance=True)
    found = moments(seen[0][0].flatten(1), covariance=True)
    assert torch.allclose(found.mean, wanted.mean, atol=1e-4)
    assert torch.allclose(found.spread.diagonal(), wanted.spread.diagonal(), rtol=0.02, atol=1e-3)


def test_a_region_gets_its_style_by_its_own_features_alone(network):
    mask = left_half()
    paint = stylizer(network)
    found = paint.stylize(CONTENT, [StylePart(style=STYLES[0], content_mask=mask)]).image
    other = CONTENT.copy()
    other[:, 60:] = 0  # far from the region, and so nothing to it
    again = paint.stylize(other, [StylePart(style=STYLES[0], content_mask=mask)]).image
    assert np.allclose(found[:, :32], again[:, :32], atol=1e-6)
    assert np.abs(found[:, :32] - paint.stylize(CONTENT, [StylePart(style=STYLES[0])]).image[:, :32]).max() > 1e-3


def test_of_a_style_only_what_its_mask_marks_is_looked_at(network):
    looked = np.zeros(STYLES[0].shape[:2], bool)
    looked[:12] = True
    paint, other = stylizer(network), STYLES[0].copy()
    other[32:] = 0  # far from what is marked
    marked, same = (paint.stylize(CONTENT, [StylePart(style=s, style_mask=looked)]).image for s in (STYLES[0], other))
    whole, changed = (paint.stylize(CONTENT, [StylePart(style=s)]).image for s in (STYLES[0], other))
    assert np.allclose(marked, same, atol=1e-9)
    assert np.abs(whole - changed).max() > 1e-5
    assert np.abs(whole - marked).max() > 1e-5


def test_styles_mix_by_their_weights(network):
    parts = [StylePart(style=style, weight=weight) for style, weight in zip(STYLES, (3, 1), strict=True)]
    seen = [stylizer(network).stylize(CONTENT, [part]).image for part in parts]
    both = stylizer(network).stylize(CONTENT, parts).image
    assert np.abs(both - seen[0]).mean() < np.abs(both - seen[1]).mean()


def test_strength_0_leaves_what_the_decoder_tells_of_the_content(network):
    content = CONTENT[:44, :68]
    found = stylizer(network, strength=0.0).stylize(content, [StylePart(style=STYLES[0])]).image
    x = torch.from_numpy(content).permute(2, 0, 1)[None].double()
    with torch.no_grad():
        expected = network.decoder(network.features(x)).clamp(0, 1)[0].permute(1, 2, 0)
    assert np.allclose(found, expected, atol=1e-6)
