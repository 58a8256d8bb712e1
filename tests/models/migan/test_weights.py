"""Importing checkpoints of the public MI-GAN program: what is recognized, converted, left out, refused."""

import pytest
import torch

from inpaint.errors import WeightsError
from inpaint.export.origin import export_origin
from inpaint.models.migan.config import Channels, Config, resolutions
from inpaint.models.migan.network import Network
from inpaint.models.migan.weights import discriminator_convs, generator_convs
from inpaint.registry.conversion import import_weights
from inpaint.registry.loading import load
from inpaint.weights.files import read_metadata
from inpaint.weights.foreign import load_foreign
from nested_module import Nested

FILTER = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64
CHANNELS = {"channel_base": 64, "channel_max": 6}
CONFIGS = {
    "deployed": Config(resolution=16, form="deployed", **CHANNELS),
    "training": Config(resolution=32, tensors=3, discriminator=Channels(**CHANNELS), **CHANNELS),
    "one width": Config(resolution=8, form="deployed", channel_base=32, channel_max=4),
}


def sample(side=32):
    generator = torch.Generator().manual_seed(1)
    mask = torch.zeros(2, 1, side, side, dtype=torch.float64)
    mask[..., side // 4 : side // 2, : side // 2] = 1
    return torch.rand(2, 3, side, side, generator=generator, dtype=torch.float64), mask


def file_of(network, convs, tensors, rename):
    """Return the entries of the file in which the public program would keep a network."""
    state, file = network.state_dict(), {}
    kernels = {}
    for ours, theirs in convs:
        kernels |= {f"{ours}.depth": f"{theirs}.conv1", f"{ours}.mix": f"{theirs}.conv2"}
        file[f"{theirs}.conv1.bias"] = state[f"{ours}.bias"]
        place = f"{theirs}.conv2" if tensors else theirs
        for kind in ("noise", "noise_strength"):
            if f"{ours}.{kind}" in state:
                file[f"{place}.{'noise_const' if kind == 'noise' else kind}"] = state[f"{ours}.{kind}"]
        layer = network.get_submodule(ours)
        if layer.size != "same" and tensors:
            file[f"{theirs}.conv2.resample_filter"] = FILTER
        elif layer.size == "half":
            count = state[f"{ours}.depth.weight"].shape[0]
            file[f"{theirs}.downsample.filter.weight"] = FILTER.expand(count, 1, 4, 4)
        elif layer.size == "double":
            count, side = state[f"{ours}.mix.weight"].shape[0], layer.noise.shape[0]
            file[f"{theirs}.upsample.filter.weight"] = 4 * FILTER.expand(count, 1, 4, 4)
            file[f"{theirs}.upsample.filter_const"] = torch.zeros(1, 1, side, side)
            file[f"{theirs}.upsample.filter_const"][..., ::2, ::2] = 1
    for ours, theirs in rename.items():
        if f"{ours}.kernel.weight" in state:
            kernels[f"{ours}.kernel"] = theirs
            if f"{ours}.bias" in state:
                file[f"{theirs}.bias"] = state[f"{ours}.bias"]
        else:
            file |= {f"{theirs}.{kind}": state[f"{ours}.{kind}"] for kind in ("weight", "bias")}
    for ours, theirs in kernels.items():
        weight = state[f"{ours}.weight"]
        single = theirs.startswith("encoder") and theirs.endswith("fromrgb")
        if tensors and not single:
            file |= {f"{theirs}.w{number}": part.clone() for number, part in enumerate(weight.chunk(tensors))}
        else:
            file[f"{theirs}.weight"] = weight
    return file


def generator_file(network):
    sides = resolutions(network.config.side)
    rename = {"fromrgb": f"encoder.b{sides[0]}.fromrgb"}
    rename |= {f"synthesis.b{side}.torgb": f"synthesis.b{side}.torgb" for side in sides}
    convs = [(name, name) for name in generator_convs(sides)]
    file = file_of(network.generator, convs, network.config.summed, rename)
    for side in sides[:-1]:  # what doubles the pictures
        if network.config.summed:
            file[f"synthesis.b{side}.resample_filter"] = FILTER
        else:
            file[f"synthesis.b{side}.upsample.filter.weight"] = 4 * FILTER.expand(3, 1, 4, 4)
            file[f"synthesis.b{side}.upsample.filter_const"] = torch.zeros(1, 1, side, side)
            file[f"synthesis.b{side}.upsample.filter_const"][..., ::2, ::2] = 1
    if network.config.summed:
        file["encoder.b4.conv2.conv2.resample_filter"] = FILTER
    return file


def discriminator_file(discriminator, config):
    sides = resolutions(config.side)
    rename = {"fromrgb": f"b{sides[0]}.fromrgb", "dense": "b4.fc", "out": "b4.out"}
    rename |= {f"blocks.b{side}.skip": f"b{side}.skip" for side in sides[:-1]}
    file = file_of(discriminator, discriminator_convs(sides), config.tensors, rename)
    return file | {f"b{side}.skip.resample_filter": FILTER for side in sides[:-1]}


@pytest.fixture
def written(lively):
    def write(config):
        network = lively(Network(config)).double().eval()
        return network, generator_file(network)

    return write


def imported(files, folder):
    paths = []
    for name, content in files.items():
        torch.save(content, folder / name)
        paths.append(str(folder / name))
    return import_weights("migan", paths, folder / "imported")


@pytest.mark.parametrize("name", CONFIGS)
def test_an_imported_network_paints_what_it_was_written_from(written, tmp_path, name):
    config = CONFIGS[name]
    network, file = written(config)
    done = imported({"net.pt": file}, tmp_path)
    assert (done.model, done.roles, done.notes) == ("migan", ("generator",), ())
    told = Config(**read_metadata(tmp_path / "imported" / "model.safetensors").config)
    assert told.model_copy(update={"tensors": 9, "discriminator": config.discriminator}) == config.model_copy(
        update={"tensors": 9}
    )
    image, mask = sample()
    fill = load(tmp_path / "imported", device="cpu", dtype="float64")
    with torch.no_grad():
        expected = network(image, mask)["raw"]
    assert expected.std() > 0.05
    assert torch.allclose(fill.fill(image, mask)[0].raw, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("prefix", ["", "module.", "G_ema."], ids=repr)
def test_a_training_brings_its_discriminator(written, lively, tmp_path, prefix):
    config = CONFIGS["training"]
    _, file = written(config)
    discriminator = lively(Network.discriminators(config)["discriminator"], seed=1).double()
    critic = discriminator_file(discriminator, config)
    done = imported({"g.pt": {prefix + name: value for name, value in file.items()}, "d.pt": critic}, tmp_path)
    assert done.roles == ("generator", "discriminator")
    image, mask = sample()
    fill = load(tmp_path / "imported", device="cpu", dtype="float64")
    with torch.no_grad():
        expected = discriminator(image, mask).logits
    assert torch.allclose(fill.discriminate("discriminator", image, mask), expected, rtol=1e-10, atol=1e-12)


def same_entries(path, file):
    found = load_foreign(path)
    assert found.keys() == file.keys()
    assert all(torch.equal(found[name].double(), value.double()) for name, value in file.items())


def test_a_deployed_network_is_written_back_as_it_came(written, tmp_path):
    _, file = written(CONFIGS["deployed"])
    imported({"net.pt": file}, tmp_path)
    (path,) = export_origin(tmp_path / "imported", tmp_path / "again.pt").files
    same_entries(path, file)


def test_networks_of_a_training_are_written_back_as_they_came(written, lively, tmp_path):
    config = CONFIGS["training"]
    _, file = written(config)
    critic = discriminator_file(lively(Network.discriminators(config)["discriminator"], seed=1).double(), config)
    imported({"g.pt": file, "d.pt": critic}, tmp_path)
    done = export_origin(tmp_path / "imported", tmp_path / "again")
    for path, entries in zip(done.files, (file, critic), strict=True):
        same_entries(path, entries)


def test_what_does_not_fit_is_listed(written, tmp_path):
    _, file = written(CONFIGS["deployed"])
    del file["synthesis.b8.conv2.noise_const"]
    file["encoder.b8.conv1.conv2.weight"] = torch.zeros(2, 3, 1, 1)
    file["encoder.b16.conv2.downsample.filter.weight"] = torch.ones(4, 1, 4, 4)
    file["synthesis.b2.something"] = torch.zeros(1)
    with pytest.raises(WeightsError) as caught:
        imported({"net.pt": file}, tmp_path)
    said = str(caught.value)
    assert not (tmp_path / "imported").exists()
    for part in (
        "1 missing: synthesis.b8.conv2.noise_const",
        "1 misshapen: encoder.b8.conv1.conv2.weight",
        "1 extra: synthesis.b2.something",
        "1 unusable: encoder.b16.conv2.downsample.filter.weight",
    ):
        assert part in said


def test_networks_of_two_resolutions_are_refused(written, tmp_path):
    config = CONFIGS["training"]
    _, file = written(config)
    other = config.model_copy(update={"resolution": 16})
    critic = discriminator_file(Network.discriminators(other)["discriminator"], other)
    with pytest.raises(WeightsError, match=r"d.pt is of 16 px, the generator of 32"):
        imported({"g.pt": file, "d.pt": critic}, tmp_path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_traced_program_is_imported_without_running_it(written, tmp_path, monkeypatch):
    network, file = written(CONFIGS["deployed"])
    torch.jit.trace(Nested({f"model.{name}": value for name, value in file.items()}), torch.zeros(1)).save(
        str(tmp_path / "migan_traced.pt")
    )
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("runs the archive"))
    import_weights("migan", [str(tmp_path / "migan_traced.pt")], tmp_path / "imported")
    image, mask = sample()
    fill = load(tmp_path / "imported", device="cpu", dtype="float64")
    with torch.no_grad():
        expected = network(image, mask)["raw"]
    assert torch.allclose(fill.fill(image, mask)[0].raw, expected, rtol=1e-10, atol=1e-12)
