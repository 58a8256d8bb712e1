import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.vgg import cfgs, make_layers
from torchvision.transforms import Normalize

from inpaint.errors import InputError, WeightsError
from inpaint.nn import vgg
from inpaint.nn.pretrained import torchvision_weights
from inpaint.nn.vgg import VGG, normalized

# torchvision's numbering of `features`, as papers and programs quote it.
NUMBERS = {
    "vgg16": {"relu1_2": 3, "pool1": 4, "relu2_2": 8, "pool2": 9, "conv3_1": 10, "relu3_3": 15, "pool3": 16},
    "vgg19": {"relu1_1": 1, "relu2_1": 6, "relu2_2": 8, "relu3_4": 17, "relu4_1": 20, "relu4_4": 26, "relu5_2": 31},
}
LAYOUT = {"vgg16": "D", "vgg19": "E"}


@pytest.fixture(scope="module", params=["vgg16", "vgg19"])
def checkpoint(request, tmp_path_factory):
    """A file as torchvision publishes it, with random values, and torchvision's own network holding them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = nn.Sequential()
        network.features = make_layers(cfgs[LAYOUT[request.param]])
        for layer in network.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.normal_(layer.bias, std=0.1)
        network.classifier = nn.Linear(2, 2)  # ignored
    for layer in network.features:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    file = tmp_path_factory.mktemp("vgg") / f"{request.param}.pth"
    torch.save(network.state_dict(), file)
    return request.param, file, network.features


@pytest.fixture
def images():
    return torch.rand(2, 3, 33, 40, generator=torch.Generator().manual_seed(0))


def test_named_layers_are_those_of_torchvision(checkpoint, images):
    name, file, reference = checkpoint
    found = VGG(name, weights=str(file))(images, NUMBERS[name])
    x = images
    for number, layer in enumerate(reference):
        x = layer(x)
        for wanted in (layer for layer, place in NUMBERS[name].items() if place == number):
            assert torch.equal(found.pop(wanted), x), wanted
    assert not found


def test_nothing_behind_the_last_layer_is_computed(checkpoint, images):
    name, file, _ = checkpoint
    network = VGG(name, weights=str(file))
    ran = []
    for stage, layer in network.stages.items():
        layer.register_forward_hook(lambda *_, stage=stage: ran.append(stage))
    network(images, ["relu1_1", "pool1"])
    assert ran == ["conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1"]


def test_the_network_is_frozen_and_stays_in_evaluation_mode():
    network = VGG("vgg16", weights="random").train()
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_random_weights_are_seeded_leave_the_random_state_alone_and_are_warned_of(images, caplog):
    before = torch.random.get_rng_state()
    first, second = (VGG("vgg16", weights="random")(images, ["pool3"])["pool3"] for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert 0.1 < first.std() < 10
    assert "random weights" in caplog.text


def test_normalization_is_that_of_torchvision(images):
    expected = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))(images)
    torch.testing.assert_close(normalized(images), expected)


def test_images_too_small_for_a_layer_are_refused():
    with pytest.raises(InputError, match=r"images of 4 x 9 pixels are too small for vgg16's pool3"):
        VGG("vgg16", weights="random")(torch.zeros(1, 3, 4, 9), ["pool3"])


def test_a_file_in_the_hubs_folder_is_used_without_a_network(checkpoint, images, monkeypatch, tmp_path):
    name, file, _ = checkpoint
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("downloads"))
    place = torchvision_weights(name).file
    place.parent.mkdir(parents=True)
    place.write_bytes(file.read_bytes())
    ours, theirs = VGG(name), VGG(name, weights=str(file))
    assert torch.equal(ours(images, ["pool2"])["pool2"], theirs(images, ["pool2"])["pool2"])


def test_weights_out_of_reach_name_the_losses_option(monkeypatch, tmp_path):
    def fail(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(WeightsError, match=r"^vgg19-dcbb9e9d\.pth, needed for the losses, .* weights=PATH$"):
        VGG("vgg19")


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    torch.save({"features.0.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"no checkpoint of torchvision's vgg16: conv1_1"):
        VGG("vgg16", weights=str(tmp_path / "other.pth"))
    with pytest.raises(WeightsError, match=r"missing\.pth"):
        VGG("vgg16", weights=str(tmp_path / "missing.pth"))


def test_poolings_are_numpys(images):
    blocks = images[:, :, :32].numpy().reshape(2, 3, 16, 2, 20, 2)
    expected = {"max": blocks.max(axis=(3, 5)), "average": blocks.mean(axis=(3, 5))}
    expected["l2"] = np.sqrt((blocks**2).sum(axis=(3, 5)))
    for pooling, values in expected.items():
        network = VGG("vgg16", weights="random", pooling=pooling, pooling_gain=0.5)
        np.testing.assert_allclose(network.stages["pool1"](images), values / 2, rtol=1e-6)


def test_the_root_of_squares_has_no_slope_where_all_are_zero():
    x = torch.zeros(1, 1, 2, 4)
    x[..., 2:] = 2.0
    x.requires_grad_()
    pooled = VGG("vgg16", weights="random", pooling="l2").stages["pool1"](x)
    assert pooled.flatten().tolist() == pytest.approx([0.0, 4.0])
    pooled.sum().backward()
    assert x.grad[0, 0].tolist() == [[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.5]]


def test_a_repeated_edge_makes_no_feature_of_a_flat_image():
    flat = torch.full((1, 3, 5, 6), 0.7)
    zeros, repeated = (
        VGG("vgg16", weights="random", border=border)(flat, ["conv1_1"])["conv1_1"] for border in ("zeros", "replicate")
    )
    assert torch.allclose(repeated, repeated[..., :1, :1].expand_as(repeated), atol=1e-6)
    assert torch.allclose(zeros[..., 1:-1, 1:-1], repeated[..., 1:-1, 1:-1], atol=1e-6)
    assert not torch.allclose(zeros, repeated, atol=1e-3)


def test_fast_features_and_their_gradients_are_the_same_up_to_rounding(monkeypatch):
    monkeypatch.setattr(vgg, "CHANNELS", (4, 5, 6, 6, 6))
    monkeypatch.setattr(vgg, "FAST_FROM", 5)
    image = torch.rand(1, 3, 21, 26, generator=torch.Generator().manual_seed(1))
    found = []
    for fast in (False, True):
        shown = image.clone().requires_grad_()
        network = VGG("vgg19", weights="random", fast=fast)
        features = network(shown, ["relu3_2"])["relu3_2"]
        found.append((features.detach(), torch.autograd.grad(features.square().sum(), shown)[0]))
        assert sorted(network.state_dict()) == sorted(VGG("vgg19", weights="random").state_dict())
    for plain, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-4 * float(plain.abs().max()))
