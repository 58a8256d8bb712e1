import numpy as np
import pytest
import torch

from inpaint.nn import vgg
from inpaint.nn.vgg import TORCHVISION_GAIN, VGG, normalized
from inpaint.style.measures import distances

LAYERS = {"content_layers": ("relu2_1",), "style_layers": ("relu1_1", "relu2_1")}


@pytest.fixture(scope="module")
def network():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg, "CHANNELS", (4, 5, 6, 6, 6))
        return VGG("vgg16", weights="random").double()


@pytest.fixture
def images():
    draw = torch.Generator().manual_seed(0)
    return [torch.rand(1, 3, *size, generator=draw, dtype=torch.float64) for size in ((20, 26), (20, 26), (31, 18))]


def test_an_image_is_as_near_to_itself_as_can_be(network, images):
    image, other, style = images
    same = distances(network, image, image, [(1.0, image)], **LAYERS)
    assert (same.content, same.style) == (0, 0)
    apart = distances(network, image, other, [(1.0, style)], **LAYERS)
    assert apart.content > 0
    assert 0 < apart.style < 10


def test_distances_are_those_of_numpys_matrices(network, images):
    image, content, style = images
    found = distances(network, image, content, [(1.0, style)], **LAYERS)
    maps = [{name: x[0].numpy() for name, x in network(normalized(x), ["relu1_1", "relu2_1"]).items()} for x in images]
    off = (maps[0]["relu2_1"] - maps[1]["relu2_1"]) * TORCHVISION_GAIN
    assert found.content == pytest.approx((off**2).mean())
    shares = []
    for layer in ("relu1_1", "relu2_1"):
        own, wanted = (np.einsum("cyx,dyx->cd", m[layer], m[layer]) / m[layer][0].size for m in (maps[0], maps[2]))
        shares.append(((own - wanted) ** 2).sum() / (wanted**2).sum())
    assert found.style == pytest.approx(np.mean(shares))
