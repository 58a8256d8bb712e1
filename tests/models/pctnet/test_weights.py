"""Files of the authors' PCT-Net program: names as its modules give them, there and back."""

import math

import pytest
import torch

from inpaint.errors import WeightsError
from inpaint.export.origin import export_origin
from inpaint.models.pctnet.config import Config
from inpaint.models.pctnet.network import Network
from inpaint.registry.conversion import import_weights
from inpaint.registry.loading import load


def conv(name, before, after, kernel=3, *, bias=True, norm=""):
    found = {f"{name}.weight": (after, before, kernel, kernel)}
    if bias:
        found[f"{name}.bias"] = (after,)
    if norm:
        found |= {f"{norm}.{part}": (after,) for part in ("weight", "bias", "running_mean", "running_var")}
        found[f"{norm}.num_batches_tracked"] = ()
    return found


def block(name, before, after, *, norm=True, bias=True):
    return conv(f"{name}.block.0", before, after, bias=bias, norm=f"{name}.block.1" if norm else "")


def double(name, before, after, *, norm=True):
    return {**block(f"{name}.0", before, after, norm=norm), **block(f"{name}.1", after, after, norm=norm)}


def shapes(width=4, numbers=12):
    """Names and shapes of the program's "CNN_pct", of another width."""
    w = [width * 2**number for number in range(4)]
    found = {}
    for number, (before, after) in enumerate(zip((4, *w), w, strict=False)):
        place = f"block{number}" if number < 2 else f"blocks_connected.block{number}"
        found |= double(f"encoder.{place}.convs.block", before, after, norm=number >= 2)
    for number, (before, after) in enumerate(((w[3], w[2]), (w[2], w[1]), (w[1], w[0]))):
        up = f"decoder.up_blocks.{number}"
        found |= block(f"{up}.upconv.1", before, after, norm=False)
        found |= double(f"{up}.convs.block", 2 * after, after)
    channels, gate = 2 * w[0], max(2 * w[0] // 16, 8)
    for name in ("background", "foreground", "mix"):
        inner = f"decoder.up_blocks.2.attention.{name}_gate.attention_transform"
        found |= {f"{inner}.0.weight": (gate, 2 * channels), f"{inner}.0.bias": (gate,)}
        found |= {f"{inner}.2.weight": (channels, gate), f"{inner}.2.bias": (channels,)}
    learned = "decoder.up_blocks.2.attention.learning_block"
    found |= block(f"{learned}.0", channels, channels // 2, bias=False)
    found |= block(f"{learned}.1", channels // 2, channels, bias=False)
    found["decoder.up_blocks.2.attention.mask_blurring.weight"] = (1, 1, 7, 7)
    found |= conv("decoder.conv_attention", w[0], 1, 1)
    found |= conv("decoder.to_rgb", w[0], 3, 1)
    return {**found, **conv("get_params", w[0], numbers, 1)}


def checkpoint(path, **options):
    generator = torch.Generator().manual_seed(0)
    state = {
        name: torch.tensor(3) if shape == () else 0.1 + torch.rand(shape, generator=generator)
        for name, shape in shapes(**options).items()
    }
    torch.save(state, path)
    return state


@pytest.mark.parametrize(("numbers", "transform"), [(12, "linear"), (9, "symmetric")])
def test_a_file_of_the_program_is_imported_and_written_back(tmp_path, numbers, transform):
    state = checkpoint(tmp_path / "PCTNet_CNN.pth", numbers=numbers)
    run = import_weights("pctnet", [str(tmp_path / "PCTNet_CNN.pth")], tmp_path / "run").folder
    network = load(run, device="cpu").network
    assert (network.config.transform, network.config.offset, network.config.width) == (transform, True, 4)
    theirs = state["decoder.up_blocks.2.attention.mask_blurring.weight"]
    assert torch.equal(network.generator.up[2].attention.blur, theirs)  # drawn at random by the program
    (written,) = export_origin(run, tmp_path / "back.pth", origin="pctnet").files
    again = torch.load(written, weights_only=True)
    assert again.keys() == state.keys()
    for name, value in state.items():
        if not name.endswith("num_batches_tracked") and not name.startswith("decoder.to_rgb"):
            assert torch.equal(again[name], value), name


def test_the_program_s_polynomial_form_is_refused(tmp_path):
    checkpoint(tmp_path / "it.pth", numbers=27)
    with pytest.raises(WeightsError, match="get_params"):
        import_weights("pctnet", [str(tmp_path / "it.pth")], tmp_path / "run")


def test_the_usual_network_has_the_program_s_parameters_but_those_that_it_never_uses():
    kept = {name: shape for name, shape in shapes(width=32).items() if name.endswith(("weight", "bias"))}
    theirs = sum(math.prod(shape) for name, shape in kept.items() if "mask_blurring" not in name)
    with torch.device("meta"):
        ours = sum(parameter.numel() for parameter in Network(Config()).parameters())
    assert ours == 2_185_637
    assert ours + (3 * 32 + 3) == theirs
