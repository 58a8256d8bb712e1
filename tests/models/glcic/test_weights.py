"""Importing checkpoints of otenim's port and of mmagic: what is recognized, converted, left out, refused."""

import json

import pytest
import torch

from inpaint.errors import UsageError, WeightsError
from inpaint.models.glcic.config import Config
from inpaint.models.glcic.network import Network
from inpaint.models.glcic.weights import (
    mmagic_discriminator,
    mmagic_layers,
    otenim_discriminator,
    otenim_layers,
)
from inpaint.registry.conversion import import_weights
from inpaint.registry.loading import load
from inpaint.weights.files import load_weights, read_metadata
from lively import enlivened

DISCRIMINATOR = {"width": 4, "features": 8, "global_px": 64, "local_px": 32, "global_convs": 4, "local_convs": 3}
COLOR = (0.25, 0.5, 0.75)
CONFIGS = {
    "otenim": Config(width=4, order="relu_norm", value_range="01", mean=COLOR, discriminator=DISCRIMINATOR),
    "mmagic": Config(width=4, value_range="pm1", output="linear", mean=(0.5,) * 3, discriminator=DISCRIMINATOR),
}


def networks_of(origin):
    """A completion network and a discriminator in float64, both with weights that show."""
    config = CONFIGS[origin]
    discriminator = Network.discriminators(config)["discriminator"].double()
    return enlivened(Network(config).double()).eval(), enlivened(discriminator).eval()


def renamed(network, layers):
    found = {}
    for name, value in network.state_dict().items():
        layer, _, kind = name.rpartition(".")
        found[f"{layers[layer]}.{kind}"] = value
    return found


def files_of(origin):
    generator, discriminator = networks_of(origin)
    options = CONFIGS[origin].discriminator
    if origin == "otenim":
        return {
            "model_cn_step300": renamed(generator.generator, otenim_layers()),
            "model_cd_step300": renamed(discriminator, otenim_discriminator(options)),
        }
    state = {f"generator.{name}": value for name, value in renamed(generator.generator, mmagic_layers()).items()}
    theirs = renamed(discriminator, mmagic_discriminator(options))
    window, whole = theirs["fc.weight"].chunk(2, dim=1)
    theirs["fc.weight"] = torch.cat((whole, window), dim=1)  # mmagic has the whole image first
    state |= {f"disc.{name}": value for name, value in theirs.items()}
    return {"gl.pth": {"state_dict": state, "meta": {"iter": 300}}}


def imported(origin, folder, files):
    for name, content in files.items():
        torch.save(content, folder / name)
    return import_weights(origin, [str(folder / name) for name in files], folder / "imported")


@pytest.mark.parametrize("origin", CONFIGS)
def test_both_networks_come_out_as_they_went_in(tmp_path, origin):
    generator, discriminator = networks_of(origin)
    (tmp_path / "config.json").write_text(json.dumps({"mpv": COLOR}))
    done = imported(origin, tmp_path, files_of(origin))
    assert (done.model, done.roles) == ("glcic", ("generator", "discriminator"))
    metadata = read_metadata(tmp_path / "imported" / "model.safetensors")
    assert (Config(**metadata.config), metadata.iteration) == (CONFIGS[origin], 300)
    random = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, 64, 64, generator=random, dtype=torch.float64)
    mask = torch.zeros(2, 1, 64, 64, dtype=torch.float64)
    mask[..., 6:30, 8:40] = 1
    fill = load(tmp_path / "imported", device="cpu", dtype="float64")
    with torch.no_grad():
        expected, score = generator(image, mask)["raw"], discriminator(image, mask).logits
    assert expected.std() > 0.03
    assert torch.allclose(fill.fill(image, mask)[0].raw, expected, rtol=0, atol=1e-12)
    assert torch.allclose(fill.discriminate("discriminator", image, mask), score, rtol=0, atol=1e-12)


def test_the_completion_network_alone_is_enough_and_a_discriminator_alone_is_not(tmp_path):
    generator, discriminator = files_of("otenim").items()
    done = imported("otenim", tmp_path, dict([generator]))
    assert (done.roles, done.lacking) == (("generator",), ("discriminator",))
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match="generator=FILE as well"):
        imported("otenim", tmp_path / "other", dict([discriminator]))


def test_the_color_of_holes_comes_from_the_configuration_in_the_folder_above(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"mpv": [0.1, 0.2, 0.3]}))
    (tmp_path / "phase_3").mkdir()
    done = imported("otenim", tmp_path / "phase_3", files_of("otenim"))
    assert "0.100, 0.200, 0.300" in done.notes[0]
    mean = read_metadata(done.folder / "model.safetensors").config["mean"]
    assert mean == torch.tensor([0.1, 0.2, 0.3]).tolist()  # in float32, as the port computes


@pytest.mark.parametrize("content", [None, "{", "[]", '{"mpv": [1, 2]}', '{"mpv": [0.5, 0.5, 7]}', '{"mpv": null}'])
def test_without_a_usable_color_the_usual_one_is_taken_with_a_note(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    done = imported("otenim", tmp_path, files_of("otenim"))
    assert "config.json (mpv)" in done.notes[0]
    assert tuple(read_metadata(done.folder / "model.safetensors").config["mean"]) == Config().mean


@pytest.mark.parametrize(("convs", "whole", "window"), [(5, 160, 96), (6, 256, 128)])
def test_the_sides_of_the_discriminator_are_told_by_its_shapes(tmp_path, convs, whole, window):
    options = {"width": 2, "features": 4, "global_px": whole, "local_px": window, "global_convs": convs}
    config = Config(width=4, order="relu_norm", discriminator=options)
    files = {
        "model_cn": renamed(Network(config).generator, otenim_layers()),
        "model_cd": renamed(
            Network.discriminators(config)["discriminator"], otenim_discriminator(config.discriminator)
        ),
    }
    done = imported("otenim", tmp_path, files)
    assert Config(**read_metadata(done.folder / "model.safetensors").config).discriminator == config.discriminator


def test_a_discriminator_of_mmagic_that_does_not_fit_is_left_out_with_a_note(tmp_path):
    files = files_of("mmagic")
    del files["gl.pth"]["state_dict"]["disc.local_disc.conv2.bn.weight"]
    done = imported("mmagic", tmp_path, files)
    assert done.roles == ("generator",)
    assert "1 missing: local_disc.conv2.bn.weight" in done.notes[0]


@pytest.mark.parametrize(("origin", "prefix"), [("otenim", ""), ("mmagic", "generator.")])
def test_what_does_not_fit_is_listed(tmp_path, origin, prefix):
    (name, content), *_ = files_of(origin).items()
    state = content["state_dict"] if prefix else content
    layers = mmagic_layers() if prefix else otenim_layers()
    lost, bent = f"{layers['dilated.2.norm']}.bias", f"{layers['encoder.1.conv']}.weight"
    del state[prefix + lost]
    state[prefix + bent] = torch.zeros(2, 3, 3, 3)
    state[f"{prefix}conv99.weight"] = torch.zeros(1)
    with pytest.raises(WeightsError) as caught:
        imported(origin, tmp_path, {name: content})
    for part in ("1 missing", lost, "1 misshapen", bent, "1 extra: conv99.weight"):
        assert part in str(caught.value)


def test_counts_of_batches_begin_anew(tmp_path):
    files = files_of("otenim")
    files["model_cn_step300"]["bn1.num_batches_tracked"] = torch.tensor(77)
    done = imported("otenim", tmp_path, files)
    tensors, _ = load_weights(done.folder / "model.safetensors")
    assert tensors["generator.encoder.0.norm.num_batches_tracked"] == 0
