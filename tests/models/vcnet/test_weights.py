"""Importing both public programs' checkpoints: what is recognized, converted, left out, refused."""

from functools import cache

import numpy as np
import pytest
import torch

from inpaint.errors import WeightsError
from inpaint.export.origin import export_origin
from inpaint.models.vcnet.config import Config
from inpaint.models.vcnet.network import Network
from inpaint.models.vcnet.weights import (
    AUTHORS,
    CRITICS,
    SCOPE,
    XYFJASON,
    authors_critic_links,
    authors_links,
    xyfjason_critic_links,
    xyfjason_links,
)
from inpaint.nn.spectral import converge
from inpaint.registry.conversion import import_weights
from inpaint.weights.files import load_weights, read_metadata
from inpaint.weights.formats import part
from inpaint.weights.links import write
from lively import enlivened

BASES = {"vcnet": AUTHORS, "vcnet_xyf": XYFJASON}
LINKS = {"vcnet": (authors_links, authors_critic_links), "vcnet_xyf": (xyfjason_links, xyfjason_critic_links)}


def config_of(origin):
    base = BASES[origin]
    critics = base.discriminator.model_copy(update={"width": 2, "size": (64, 64)})
    return base.model_copy(update={"width": 4, "discriminator": critics})


@cache
def networks_of(origin):
    """The networks and both critics in float32, with weights that show."""
    config = config_of(origin)
    critics = Network.discriminators(config)
    for critic in critics.values():
        converge(critic)
    return enlivened(Network(config)).eval(), {role: critic.eval() for role, critic in critics.items()}


def entries_of(origin, *, critics=True):
    """What the program's files hold, by its names."""
    of_networks, of_critics = _entries_of(origin)
    return {**of_networks, **of_critics} if critics else dict(of_networks)


@cache
def _entries_of(origin):
    network, judges = networks_of(origin)
    config, (of_networks, of_critics) = config_of(origin), LINKS[origin]
    state = {f"{role}.{name}": value for role in CRITICS for name, value in judges[role].state_dict().items()}
    return write(of_networks(config), dict(network.state_dict())), write(of_critics(config), state)


def saved(origin, entries, folder):
    if origin == "vcnet":
        path = folder / "vcnet.npz"
        np.savez(path, **{name: value.numpy() for name, value in entries.items()})
        return path
    content = {}
    for name, value in entries.items():
        key, _, inner = name.partition("/")
        content.setdefault(key, {})[inner] = value
    torch.save(content, folder / "model.pt")
    return folder / "model.pt"


def imported(origin, entries, folder):
    return import_weights(origin, [str(saved(origin, entries, folder))], folder / "imported")


@pytest.mark.parametrize("origin", BASES)
def test_networks_and_critics_come_out_as_they_went_in(tmp_path, origin):
    network, critics = networks_of(origin)
    done = imported(origin, entries_of(origin), tmp_path)
    assert (done.model, set(done.roles)) == ("vcnet", {"mask_network", "generator", *CRITICS})
    assert Config(**read_metadata(done.folder / "model.safetensors").config) == config_of(origin)
    tensors, _ = load_weights(done.folder / "model.safetensors")
    for name, value in network.state_dict().items():
        assert torch.equal(tensors[name], value), name
    random = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, 64, 64, generator=random)
    mask = torch.zeros(2, 1, 64, 64)
    mask[..., 6:30, 8:40] = 1
    with torch.no_grad():
        for role, critic in Network.discriminators(config_of(origin)).items():
            critic.load_state_dict(part(tensors, role))
            given = (image, mask) if role == "patch_discriminator" else (image,)
            expected = critics[role](*given).logits
            assert torch.allclose(critic.eval()(*given).logits, expected, rtol=1e-4, atol=1e-6), role


@pytest.mark.parametrize("origin", BASES)
def test_the_networks_alone_are_enough(tmp_path, origin):
    done = imported(origin, entries_of(origin, critics=False), tmp_path)
    assert set(done.roles) == {"mask_network", "generator"}
    assert set(done.lacking) == set(CRITICS)


@pytest.mark.parametrize("critics", [False, True], ids=["networks alone", "with critics"])
@pytest.mark.parametrize("origin", BASES)
def test_what_was_imported_is_written_back_under_the_program_s_names(tmp_path, origin, critics):
    entries = entries_of(origin, critics=critics)
    run = imported(origin, entries, tmp_path).folder
    (path,) = export_origin(run, tmp_path / "ours", origin=origin).files
    if origin == "vcnet":
        again = {name: torch.from_numpy(value) for name, value in np.load(path).items()}
    else:
        content = torch.load(path, weights_only=True)
        again = {
            f"{key}/{name}": value
            for key in ("mpn", "rin", "disc", "pdisc")[: 4 if critics else 2]
            for name, value in content[key].items()
        }
    assert again.keys() == entries.keys()
    for name, value in entries.items():
        assert again[name].shape == value.shape, name
        if "disc/" not in name:  # what is spectrally normalized comes back divided
            assert torch.equal(again[name], value), name


def test_other_variables_of_a_checkpoint_are_left_out_with_a_note(tmp_path):
    entries = entries_of("vcnet", critics=False) | {"beta1_power": torch.tensor(0.5)}
    done = imported("vcnet", entries, tmp_path)
    assert "1 further variables of the checkpoint are left out" in done.notes


def test_critics_of_crops_that_are_not_square_are_left_out_with_a_note(tmp_path):
    entries = entries_of("vcnet")
    dense = "discriminator/dout_global_fc/kernel"
    entries[dense] = entries[dense][: len(entries[dense]) // 2]  # 8 of 16 places
    done = imported("vcnet", entries, tmp_path)
    assert set(done.roles) == {"mask_network", "generator"}
    assert any("critics that see 8 places are left out" in note for note in done.notes)


def test_critics_that_do_not_fit_are_left_out_with_a_note(tmp_path):
    entries = entries_of("vcnet_xyf")
    del entries["pdisc/disc.4.bias"]
    done = imported("vcnet_xyf", entries, tmp_path)
    assert set(done.roles) == {"mask_network", "generator"}
    assert any("do not fit" in note and "pdisc/disc.4.bias" in note for note in done.notes)


def test_a_mask_of_what_is_clean_changes_the_sign_of_the_logits(tmp_path):
    entries = entries_of("vcnet_xyf", critics=False)
    tensors, _ = load_weights(imported("vcnet_xyf", entries, tmp_path).folder / "model.safetensors")
    assert torch.equal(tensors["mask_network.head.weight"], -entries["mpn/conv2.conv.weight"])


@pytest.mark.parametrize(
    ("origin", "lost", "bent", "extra"),
    [
        ("vcnet", f"{SCOPE}/cmp_conv21/c1/bias", f"{SCOPE}/mask_conv3/c2/kernel", None),
        ("vcnet_xyf", "rin/pcb3.conv1.bias", "mpn/rb2.conv2.weight", "rin/pcb99.conv1.bias"),
    ],
)
def test_what_does_not_fit_is_listed(tmp_path, origin, lost, bent, extra):
    entries = entries_of(origin, critics=False)
    del entries[lost]
    entries[bent] = torch.zeros(2, 3, 3, 3)
    if extra:
        entries[extra] = torch.zeros(1)
    with pytest.raises(WeightsError) as caught:
        imported(origin, entries, tmp_path)
    for said in ("1 missing", lost, "1 misshapen", bent, *([f"1 extra: {extra}"] if extra else [])):
        assert said in str(caught.value)
