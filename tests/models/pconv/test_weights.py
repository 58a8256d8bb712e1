"""Importing public partial-convolution checkpoints: what is recognized, converted, kept beside the weights, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from inpaint.errors import WeightsError
from inpaint.models.pconv.config import Config
from inpaint.models.pconv.network import Network
from inpaint.registry.conversion import import_weights
from inpaint.registry.loading import load
from inpaint.weights.files import load_weights, read_metadata
from lively import enlivened
from lively_pconv import sample

ORIGIN = {"naoto0804": "naoto0804", "mmagic": "mmagic"}
FIELDS: dict[str, dict[str, Any]] = {
    "naoto0804": {"value_range": "imagenet", "first_bias": False},
    "mmagic": {"value_range": "pm1", "first_bias": True, "channel_order": "bgr"},
}


def network_and_file(form: str, *, levels: int = 7, width: int = 4) -> tuple[Network, dict[str, Any]]:
    """Return a network of ours, and the file in which the program would have kept it."""
    network = enlivened(Network(Config(levels=levels, width=width, **FIELDS[form])).double())
    file: dict[str, torch.Tensor] = {}
    for side, blocks in (("encoder", network.generator.encoder), ("decoder", network.generator.decoder)):
        for level, block in enumerate(blocks, start=1):
            weight, bias = block.conv.weight.detach(), block.conv.bias
            outermost = level == 1
            if form == "mmagic":
                prefix, conv = f"generator.{side}.{side[:3]}{level}", "conv"
                ones = "conv.weight_mask_updater"
                if outermost and side == "encoder":
                    weight = weight[:, [2, 1, 0]]
                elif outermost:
                    weight = weight[[2, 1, 0]][:, [*range(width), width + 2, width + 1, width]]
                    bias = bias[[2, 1, 0]]
            else:
                prefix, conv = f"{side[:3]}_{level}", "conv.input_conv"
                ones = "conv.mask_conv.weight"
                weight = weight * weight[0].numel()
            file[f"{prefix}.{conv}.weight"] = weight
            file[f"{prefix}.{ones}"] = torch.ones_like(weight)
            if bias is not None:
                file[f"{prefix}.{conv}.bias"] = bias.detach()
            if block.norm is not None:
                file |= {f"{prefix}.bn.{name}": value for name, value in block.norm.state_dict().items()}
    if form == "naoto0804":
        return network, {"model": file, "n_iter": 500_000, "optimizer": {}}
    file["loss_percep.vgg.vgg_layers.0.weight"] = torch.zeros(64, 3, 3, 3)
    file["loss_percep.vgg.mean"] = torch.zeros(1, 3, 1, 1)
    return network, {"meta": {"iter": 300_002}, "state_dict": file}


def imported(content: object, folder: Path, origin: str) -> Any:
    torch.save(content, folder / "file.pth")
    return import_weights(origin, [str(folder / "file.pth")], folder / "imported")


def refusal(content: object, folder: Path, origin: str) -> str:
    with pytest.raises(WeightsError) as caught:
        imported(content, folder, origin)
    assert not (folder / "imported").exists()
    return str(caught.value)


@pytest.mark.parametrize("form", FIELDS)
def test_an_imported_network_paints_what_it_was_written_from(form, tmp_path):
    network, file = network_and_file(form)
    done = imported(file, tmp_path, ORIGIN[form])
    assert done.model == "pconv"
    assert done.roles == ("generator",)
    image, mask = sample()
    expected = network.eval()(image, mask)["raw"]
    got = load(tmp_path / "imported", device="cpu", dtype="float64").fill(image, mask)[0].raw
    assert expected.std() > 0.05
    assert torch.allclose(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", FIELDS)
def test_the_folder_says_what_the_network_is_and_how_long_it_was_trained(form, tmp_path):
    imported(network_and_file(form, levels=8)[1], tmp_path, ORIGIN[form])
    metadata = read_metadata(tmp_path / "imported" / "model.safetensors")
    expected = Config(levels=8, width=4, **FIELDS[form])
    assert Config(**metadata.config) == expected
    assert metadata.iteration == {"naoto0804": 500_000, "mmagic": 300_002}[form]
    assert metadata.license == {"naoto0804": "none stated", "mmagic": "Apache-2.0"}[form]


def test_kernels_of_ones_and_the_losses_network_are_left_out(tmp_path):
    network, file = network_and_file("mmagic")
    imported(file, tmp_path, "mmagic")
    tensors, _ = load_weights(tmp_path / "imported" / "model.safetensors")
    assert tensors.keys() == network.state_dict().keys()


@pytest.mark.parametrize("form", FIELDS)
def test_what_does_not_fit_is_listed(form, tmp_path):
    _, file = network_and_file(form)
    entries = file["model"] if form == "naoto0804" else file["state_dict"]
    prefix = "dec_3" if form == "naoto0804" else "generator.decoder.dec3"
    conv = "conv.input_conv.weight" if form == "naoto0804" else "conv.weight"
    del entries[f"{prefix}.bn.running_var"]
    entries[f"{prefix}.{conv}"] = torch.zeros(2, 3, 3, 3)
    entries["something.else"] = torch.zeros(1)
    text = refusal(file, tmp_path, ORIGIN[form])
    short = prefix.removeprefix("generator.")
    for part in ("1 missing", f"{short}.bn.running_var", "1 misshapen", f"{short}.{conv}", "1 extra: something.else"):
        assert part in text


def test_a_file_of_another_program_is_named(tmp_path):
    assert "use --origin mmagic" in refusal(network_and_file("mmagic")[1], tmp_path, "naoto0804")
    assert "use --origin naoto0804" in refusal(network_and_file("naoto0804")[1], tmp_path, "mmagic")
