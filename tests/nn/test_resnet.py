import pytest
import torch
from torchvision.models import resnet50

from inpaint.errors import InputError, WeightsError
from inpaint.nn.resnet import ADE20K, DilatedResNet50


@pytest.fixture(scope="module")
def network():
    return DilatedResNet50(weights="random")


@pytest.fixture
def images():
    return torch.randn(2, 3, 41, 56, generator=torch.Generator().manual_seed(0))


def test_the_network_has_as_many_parameters_as_the_public_one(network):
    assert sum(parameter.numel() for parameter in network.parameters()) == 23_631_808


def test_features_keep_an_eighth_of_the_size_to_the_end(network, images):
    shapes = {name: tuple(found.shape[1:]) for name, found in network(images, network.LAYERS).items()}
    assert shapes == {"layer1": (256, 11, 14), "layer2": (512, 6, 7), "layer3": (1024, 6, 7), "layer4": (2048, 6, 7)}


def test_stages_are_those_of_torchvisions_dilated_network(network, images):
    theirs = resnet50(weights=None, replace_stride_with_dilation=[False, True, True]).eval()
    # The public network has a stem of three convolutions where torchvision's has one.
    names = [name for name in theirs.state_dict() if name.startswith("layer") and "layer1.0.downsample" not in name]
    own = network.state_dict()
    names = [name for name in names if own[name].shape == theirs.state_dict()[name].shape]
    theirs.load_state_dict({name: own[name] for name in names}, strict=False)
    x = network(images, ["layer1"])["layer1"]
    with torch.no_grad():
        expected = theirs.layer4(theirs.layer3(theirs.layer2(x)))
    assert torch.allclose(network(images, ["layer4"])["layer4"], expected, rtol=0, atol=1e-4 * expected.std().item())


def test_nothing_behind_the_last_stage_is_computed(network, images):
    network.layer3.register_forward_hook(lambda *_: pytest.fail("is computed"))
    assert network(images, ["layer2"]).keys() == {"layer2"}


def test_statistics_of_the_batch_are_taken_where_asked_for_and_none_is_kept(images):
    network = DilatedResNet50(weights="random", batch_statistics=True).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    together = network(images, ["layer1"])["layer1"][:1]
    assert not torch.allclose(together, network(images[:1], ["layer1"])["layer1"], atol=1e-3)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module.training for module in network.modules())


def test_files_are_found_where_the_public_program_keeps_them_and_others_refused(network, monkeypatch, tmp_path, images):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert ADE20K.file == tmp_path / "ade20k" / "ade20k-resnet50dilated-ppm_deepsup" / "encoder_epoch_20.pth"
    ADE20K.file.parent.mkdir(parents=True)
    state = network.state_dict()
    torch.save({**state, "fc.weight": torch.zeros(2)}, ADE20K.file)
    assert torch.equal(DilatedResNet50()(images, ["layer1"])["layer1"], network(images, ["layer1"])["layer1"])
    del state["layer4.2.conv3.weight"]
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"no encoder of ADE20K.*: layer4\.2\.conv3\.weight is not in it"):
        DilatedResNet50(weights=str(tmp_path / "other.pth"))


def test_images_that_are_too_small_are_refused(network):
    with pytest.raises(InputError, match="3 x 9 pixels are too small for ade20k_resnet50"):
        network(torch.zeros(1, 3, 3, 9), ["layer1"])


def test_random_weights_are_seeded_and_leave_the_random_state_alone(network):
    before = torch.random.get_rng_state()
    again = DilatedResNet50(weights="random").state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(again[name], value) for name, value in network.state_dict().items())
