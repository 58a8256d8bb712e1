"""Importing checkpoints of AOT-GAN's program and of mmagic: what is recognized, converted, left out, refused."""

import pytest
import torch

from inpaint.errors import UsageError, WeightsError
from inpaint.models.aotgan.config import Config
from inpaint.models.aotgan.network import Network
from inpaint.models.aotgan.weights import (
    MMAGIC_DISCRIMINATOR,
    RESEARCHMM_DISCRIMINATOR,
    mmagic_layers,
    researchmm_layers,
)
from inpaint.registry.conversion import import_weights
from inpaint.registry.loading import load
from inpaint.weights.files import load_weights, read_metadata
from lively import enlivened

CONFIG = Config(width=4, blocks=2, discriminator={"width": 4})


@pytest.fixture(scope="module")
def networks():
    """A generator's network and a discriminator in float64, both with weights that show."""
    discriminator = Network.discriminators(CONFIG)["discriminator"].double()
    return enlivened(Network(CONFIG).double()).eval(), discriminator.eval()


def generator_file(networks, layers=researchmm_layers):
    found = {}
    for name, value in networks[0].generator.state_dict().items():
        layer, _, kind = name.rpartition(".")
        found[f"{layers(CONFIG)[layer]}.{kind}"] = value
    return found


def discriminator_file(networks, names=RESEARCHMM_DISCRIMINATOR):
    kinds = {"original": "weight_orig", "_u": "weight_u", "_v": "weight_v", "weight": "weight", "bias": "bias"}
    found = {}
    for name, value in networks[1].state_dict().items():
        layer = names[-1] if name.startswith("last.") else names[int(name.split(".")[1])]
        found[f"{layer}.{kinds[name.rpartition('.')[2]]}"] = value
    return found


def mmagic_file(networks):
    generator, discriminator = (
        generator_file(networks, mmagic_layers),
        discriminator_file(networks, MMAGIC_DISCRIMINATOR),
    )
    state = {f"generator.{name}": value for name, value in generator.items()}
    state |= {f"disc.{name}": value for name, value in discriminator.items()}
    state |= {"loss_percep.vgg.vgg_layers.0.weight": torch.zeros(2)}
    return {"state_dict": state, "meta": {"iter": 500_000}}


def imported(origin, folder, **files):
    inputs = []
    for name, content in files.items():
        torch.save(content, folder / f"{name}.pt")
        inputs.append(str(folder / f"{name}.pt"))
    return import_weights(origin, inputs, folder / "imported")


def sample():
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(2, 1, 40, 56, dtype=torch.float64)
    mask[..., 6:30, 8:40] = 1
    return torch.rand(2, 3, 40, 56, generator=generator, dtype=torch.float64), mask


def check(folder, networks):
    assert Config(**read_metadata(folder / "model.safetensors").config) == CONFIG
    fill, (image, mask) = load(folder, device="cpu", dtype="float64"), sample()
    with torch.no_grad():
        expected, score = networks[0](image, mask)["raw"], networks[1](image).logits
    assert expected.std() > 0.05
    assert torch.allclose(fill.fill(image, mask)[0].raw, expected, rtol=0, atol=1e-12)
    assert torch.allclose(fill.discriminate("discriminator", image), score, rtol=0, atol=1e-12)


def test_both_files_of_the_program_become_one_import(networks, tmp_path):
    files = {"G0020000": generator_file(networks), "D0020000": discriminator_file(networks)}
    done = imported("aotgan", tmp_path, **files)
    assert (done.model, done.roles, done.license) == ("aotgan", ("generator", "discriminator"), "Apache-2.0")
    assert "losses.adversary.origin=true" in done.notes[0]
    assert read_metadata(tmp_path / "imported" / "model.safetensors").iteration == 20_000
    check(tmp_path / "imported", networks)


def test_the_generator_alone_is_enough(networks, tmp_path):
    done = imported("aotgan", tmp_path, best=generator_file(networks))
    assert (done.roles, done.lacking, done.notes) == (("generator",), ("discriminator",), ())
    assert read_metadata(tmp_path / "imported" / "model.safetensors").iteration is None


def test_a_discriminator_alone_is_not(networks, tmp_path):
    with pytest.raises(UsageError, match="generator=FILE as well"):
        imported("aotgan", tmp_path, D0000000=discriminator_file(networks))


def test_a_file_of_mmagic_holds_both(networks, tmp_path):
    done = imported("mmagic", tmp_path, places=mmagic_file(networks))
    assert (done.model, done.roles) == ("aotgan", ("generator", "discriminator"))
    assert read_metadata(tmp_path / "imported" / "model.safetensors").iteration == 500_000
    check(tmp_path / "imported", networks)
    tensors, _ = load_weights(tmp_path / "imported" / "model.safetensors")
    assert {name.partition(".")[0] for name in tensors} == {"generator", "discriminator"}


def test_a_discriminator_of_mmagic_that_does_not_fit_is_left_out_with_a_note(networks, tmp_path):
    content = mmagic_file(networks)
    del content["state_dict"]["disc.model.2.conv.weight_u"]
    done = imported("mmagic", tmp_path, places=content)
    assert done.roles == ("generator",)
    assert "1 missing: model.2.conv.weight_u" in done.notes[0]


@pytest.mark.parametrize("origin", ["aotgan", "mmagic"])
def test_what_does_not_fit_is_listed(networks, tmp_path, origin):
    if origin == "aotgan":
        content, prefix = generator_file(networks), ""
        gate, fuse = "middle.1.gate.1.bias", "middle.0.fuse.1.weight"
    else:
        content, prefix = mmagic_file(networks)["state_dict"], "generator."
        gate, fuse = "dilation_neck.model.1.gate.1.conv.bias", "dilation_neck.model.0.fuse.1.conv.weight"
    del content[prefix + gate]
    content[prefix + fuse] = torch.zeros(2, 3, 3, 3)
    content[f"{prefix}middle.99.weight"] = torch.zeros(1)
    with pytest.raises(WeightsError) as caught:
        imported(origin, tmp_path, it=content)
    assert not (tmp_path / "imported").exists()
    for part in ("1 missing", gate, "1 misshapen", fuse, "1 extra: middle.99.weight"):
        assert part in str(caught.value)
