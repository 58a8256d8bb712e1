"""Importing checkpoints of the public LaMa program: what is recognized, converted, left out, refused."""

import pytest
import torch

from inpaint.errors import WeightsError
from inpaint.models.lama.config import Config
from inpaint.registry.conversion import import_weights
from inpaint.registry.loading import load
from inpaint.weights.files import load_weights, read_metadata
from lively_lama import network_and_file, sample
from nested_module import Nested

SMALL = {"width": 4, "discriminator": {"width": 4}}
VARIANTS = {
    "fourier": Config(blocks=2, **SMALL),
    "one block, half global": Config(blocks=1, global_share=0.5, **SMALL),
    "local unit": Config(blocks=3, local_unit=True, **SMALL),
    "regular": Config(kind="regular", blocks=2, **SMALL),
}


def imported(content, folder):
    torch.save(content, folder / "best.ckpt")
    return import_weights("advimman", [str(folder / "best.ckpt")], folder / "imported")


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_an_imported_network_paints_what_it_was_written_from(config, tmp_path):
    network, discriminator, file = network_and_file(config)
    done = imported({"state_dict": file, "epoch": 3, "global_step": 75_000}, tmp_path)
    assert (done.model, done.roles, done.notes) == ("lama", ("generator", "discriminator"), ())
    metadata = read_metadata(tmp_path / "imported" / "model.safetensors")
    assert Config(**metadata.config) == config
    assert metadata.iteration == 75_000
    image, mask = sample(64, 96)
    fill = load(tmp_path / "imported", device="cpu", dtype="float64")
    with torch.no_grad():
        expected, score = network(image, mask)["raw"], discriminator(image).logits
    assert expected.std() > 0.05
    assert torch.allclose(fill.fill(image, mask)[0].raw, expected, rtol=0, atol=1e-12)
    assert torch.allclose(fill.discriminate("discriminator", image), score, rtol=0, atol=1e-12)


@pytest.mark.parametrize("prefix", ["", "module.", "model."], ids=repr)
def test_networks_of_losses_and_measures_are_left_out(tmp_path, prefix):
    _, _, file = network_and_file(VARIANTS["fourier"])
    strangers = {
        "val_evaluator.scores.lpips.net.weight": torch.zeros(2),
        "loss_resnet_pl.impl.conv1.weight": torch.ones(1),
    }
    imported({"state_dict": {prefix + name: value for name, value in {**file, **strangers}.items()}}, tmp_path)
    tensors, _ = load_weights(tmp_path / "imported" / "model.safetensors")
    assert {name.partition(".")[0] for name in tensors} == {"generator", "discriminator"}


def test_a_file_without_discriminator_has_none(tmp_path):
    _, _, file = network_and_file(VARIANTS["fourier"])
    alone = {name: value for name, value in file.items() if name.startswith("generator.")}
    assert imported({"state_dict": alone}, tmp_path).lacking == ("discriminator",)


def test_a_discriminator_that_does_not_fit_is_left_out_with_a_note(tmp_path):
    _, _, file = network_and_file(VARIANTS["fourier"])
    del file["discriminator.model2.0.weight"]
    done = imported({"state_dict": file}, tmp_path)
    assert done.roles == ("generator",)
    assert "1 missing: model2.0.weight" in done.notes[0]


@pytest.mark.parametrize("config", [VARIANTS["fourier"], VARIANTS["regular"]], ids=["fourier", "regular"])
def test_what_does_not_fit_is_listed(config, tmp_path):
    _, _, file = network_and_file(config)
    norm = "model.5.conv2.bn_g" if config.kind == "ffc" else "model.14.conv_block.6"
    conv = "model.2.ffc.convl2l.weight" if config.kind == "ffc" else "model.7.weight"
    del file[f"generator.{norm}.running_var"]
    file[f"generator.{conv}"] = torch.zeros(2, 3, 3, 3)
    file["generator.model.99.weight"] = torch.zeros(1)
    with pytest.raises(WeightsError) as caught:
        imported({"state_dict": file}, tmp_path)
    assert not (tmp_path / "imported").exists()
    for part in ("1 missing", f"{norm}.running_var", "1 misshapen", conv, "1 extra: model.99.weight"):
        assert part in str(caught.value)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_torchscript_archive_is_imported_without_running_it(tmp_path, monkeypatch):
    network, _, file = network_and_file(VARIANTS["fourier"])
    alone = {f"model.{name}": value for name, value in file.items() if name.startswith("generator.")}
    torch.jit.trace(Nested(alone), torch.zeros(1)).save(str(tmp_path / "big-lama.pt"))
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("runs the archive"))
    done = import_weights("advimman", [str(tmp_path / "big-lama.pt")], tmp_path / "imported")
    assert done.roles == ("generator",)
    image, mask = sample(64, 96)
    fill = load(tmp_path / "imported", device="cpu", dtype="float64")
    with torch.no_grad():
        expected = network(image, mask)["raw"]
    assert torch.allclose(fill.fill(image, mask)[0].raw, expected, rtol=0, atol=1e-12)
