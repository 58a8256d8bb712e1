"""Features and gradients of VGG-16 and 19 as public programs computed them, from torchvision's and Caffe's files."""

import pytest
import torch

from inpaint.nn.features import normalized_for
from inpaint.nn.vgg import VGG, layers_of

pytestmark = pytest.mark.slow

LARGEST = 1e-9  # difference, as a share of the largest value, in float64


@pytest.fixture(scope="module")
def file_of(parity, tmp_path_factory):
    """`file_of(origin)` writes the file of an origin once."""
    folder, files = tmp_path_factory.mktemp("vgg"), dict[str, str]()

    def write(origin):
        if origin not in files:
            places = parity.write(origin, folder / origin)
            files[origin] = next(str(place) for place in places if "random" not in place.name)
        return files[origin]

    return write


def apart(got, expected):
    expected = torch.as_tensor(expected)
    return float((got.detach() - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize(
    ("origin", "prefix", "pooling", "ceil_mode"),
    [
        ("vgg16", "", "max", False),
        ("vgg19", "", "max", False),
        ("vgg19_caffe", "max_floor_", "max", False),
        ("vgg19_caffe", "max_ceil_", "max", True),
        ("vgg19_caffe", "avg_floor_", "average", False),
    ],
)
def test_features_and_gradients_are_those_of_the_networks(parity, file_of, origin, prefix, pooling, ceil_mode):
    cases = parity.cases(origin)
    network = VGG(origin, weights=file_of(origin), pooling=pooling, ceil_mode=ceil_mode).double()
    image = torch.as_tensor(cases["image"]).permute(2, 0, 1)[None].double() / 255
    shown = normalized_for(origin, image)
    assert apart(shown[0], cases["input"]) <= LARGEST
    relus = [layer for layer in layers_of(origin) if layer.startswith("relu")]
    shown.requires_grad_()
    found = network(shown, [*relus, "conv4_2"])
    assert apart(found["conv4_2"].mean(dim=(2, 3))[0], cases[f"{prefix}conv4_2_mean"]) <= LARGEST
    for layer in relus:
        assert list(found[layer].shape[1:]) == cases[f"{prefix}{layer}_shape"].tolist(), layer
        assert apart(found[layer].mean(dim=(2, 3))[0], cases[f"{prefix}{layer}_mean"]) <= LARGEST, layer
    assert apart(found["relu5_1"][0], cases[f"{prefix}relu5_1"]) <= LARGEST
    cotangent = torch.as_tensor(cases["cotangent_relu5_1"])
    if cotangent.shape == found["relu5_1"].shape[1:] and pooling == "max":
        (gradient,) = torch.autograd.grad((found["relu5_1"][0] * cotangent).sum(), shown)
        assert apart(gradient[0], cases["grad_input"]) <= LARGEST


def test_the_file_of_gatys_holds_the_same_network_by_the_names_of_its_layers(parity, file_of):
    image = torch.rand(1, 3, 17, 22, generator=torch.Generator().manual_seed(0))
    first, second = (VGG("vgg19_caffe", weights=file_of(origin)) for origin in ("vgg19_caffe", "leongatys"))
    assert torch.equal(first(image, ["pool3"])["pool3"], second(image, ["pool3"])["pool3"])
