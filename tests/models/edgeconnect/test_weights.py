"""Importing the public EdgeConnect checkpoints: roles, aliases, older files, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from inpaint.errors import UsageError, WeightsError
from inpaint.models.edgeconnect import weights
from inpaint.models.edgeconnect.config import Config
from inpaint.models.edgeconnect.network import Network
from inpaint.registry import conversion
from inpaint.registry.conversion import import_weights
from inpaint.registry.loading import load
from inpaint.weights.files import read_metadata

FILES = {
    "edge_generator": "EdgeModel_gen.pth",
    "inpaint_generator": "InpaintingModel_gen.pth",
    "edge_discriminator": "EdgeModel_dis.pth",
    "inpaint_discriminator": "InpaintingModel_dis.pth",
}


@pytest.fixture(scope="module")
def networks():
    """All networks of the public program's size, with some weights."""
    return {**dict(Network(Config()).named_children()), **Network.discriminators(Config())}


def entries_of(networks, role, *, prefix=""):
    """Return the entries as that program stores them, the alias of the discriminators' first layer included."""
    state = networks[role].state_dict()
    entries = {theirs: state[ours].clone() for ours, theirs in weights._names(role).items()}
    if role.endswith("discriminator"):
        entries |= {
            n.replace("conv1.0", "features.0"): v.clone() for n, v in entries.items() if n.startswith("conv1.0")
        }
    return {prefix + name: value for name, value in entries.items()}


def content_of(networks, role, **options):
    if role.endswith("discriminator"):
        return {"discriminator": entries_of(networks, role, **options)}
    return {"iteration": 5000, "generator": entries_of(networks, role, **options)}


def recognized(content, name="file.pth", wanted=None):
    form, role, (found,) = conversion._recognize("knazeri", content, Path(name), conversion.formats(), wanted)
    return form, role, found


def test_the_files_have_as_many_entries_as_the_public_ones(networks):
    counts = {role: len(entries_of(networks, role)) for role in FILES}
    assert counts == {
        "edge_generator": 70,
        "inpaint_generator": 44,
        "edge_discriminator": 18,
        "inpaint_discriminator": 18,
    }


@pytest.mark.parametrize("role", FILES)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_file_is_known_by_entries_and_shapes_whatever_its_name(networks, role, prefix):
    form, found_role, found = recognized(content_of(networks, role, prefix=prefix), "x.pth")
    assert (form.model, found_role) == ("edgeconnect", role)
    tensors = weights._network(role, found, networks[role])
    state = networks[role].state_dict()
    assert tensors.keys() == {f"{role}.{name}" for name in state}
    assert all(torch.equal(value, state[name.removeprefix(f"{role}.")]) for name, value in tensors.items())


def test_two_generators_are_enough_and_fill(networks, tmp_path):
    inputs = []
    for role in ("inpaint_generator", "edge_generator"):
        torch.save(content_of(networks, role), tmp_path / FILES[role])
        inputs.append(str(tmp_path / FILES[role]))
    done = import_weights("knazeri", inputs, tmp_path / "imported")
    assert set(done.roles) == {"edge_generator", "inpaint_generator"}
    assert done.lacking == ("edge_discriminator", "inpaint_discriminator")
    assert done.parameters == 10_761_089 + 10_774_595
    metadata = read_metadata(done.folder / "model.safetensors")
    assert (metadata.iteration, metadata.license) == (5000, "CC BY-NC 4.0, non-commercial")
    image = torch.rand(1, 3, 24, 28, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 1, 24, 28)
    mask[..., 6:16, 8:20] = 1
    model = load(done.folder, device="cpu")
    with torch.no_grad():
        network = Network(Config()).eval()
        for role in ("edge_generator", "inpaint_generator"):
            getattr(network, role).load_state_dict(networks[role].state_dict())
        expected = network(image, mask)
    assert torch.allclose(model.fill(image, mask)[0].raw, expected["raw"], atol=1e-4)
    with pytest.raises(WeightsError, match="does not hold the discriminator 'edge'"):
        model.discriminate("edge", image[:, :1], mask)
    with pytest.raises(UsageError, match="give --input inpaint_generator=FILE as well"):
        import_weights("knazeri", inputs[1:], tmp_path / "other")


def test_files_from_before_right_vectors_were_stored_get_theirs(networks):
    role = "edge_generator"
    content = content_of(networks, role)
    vectors = {name: content["generator"].pop(name) for name in list(content["generator"]) if name.endswith("_v")}
    assert len(vectors) == 21
    _, _, found = recognized(content)
    tensors = weights._network(role, found, networks[role])
    for layer, axis in (("conv2", 0), ("deconv1", 1)):
        prefix = f"{role}.{layer}.parametrizations.weight"
        weight, left = tensors[f"{prefix}.original"].numpy(), tensors[f"{prefix}.0._u"].numpy()
        right = np.moveaxis(weight, axis, 0).reshape(len(left), -1).T @ left
        assert np.allclose(tensors[f"{prefix}.0._v"].numpy(), right / np.linalg.norm(right), atol=1e-6)


def test_one_layer_under_two_names_must_be_one(networks):
    content = content_of(networks, "edge_discriminator")
    content["discriminator"]["features.0.weight_orig"][0] += 1
    _, _, found = recognized(content)
    with pytest.raises(WeightsError, match=r"contradicts itself: features\.0\.weight_orig must equal"):
        weights._network("edge_discriminator", found, networks["edge_discriminator"])


def test_files_without_the_second_name_are_taken_as_well(networks):
    content = content_of(networks, "inpaint_discriminator")
    content["discriminator"] = {n: v for n, v in content["discriminator"].items() if not n.startswith("features")}
    _, role, found = recognized(content)
    assert weights._network(role, found, networks[role]).keys()


def test_what_does_not_fit_is_listed(networks):
    content = content_of(networks, "inpaint_generator")
    entries = content["generator"]
    del entries["encoder.1.bias"]
    entries["encoder.99.bias"] = torch.zeros(2)
    entries["decoder.7.weight"] = entries["decoder.7.weight"][:1]
    _, role, found = recognized(content)
    with pytest.raises(WeightsError) as caught:
        weights._network(role, found, networks[role])
    for part in ("1 missing: encoder.1.bias", "1 extra: encoder.99.bias", "decoder.7.weight (1, 64, 7, 7) instead of"):
        assert part in str(caught.value)


def test_a_role_that_the_file_contradicts_is_refused(networks):
    with pytest.raises(WeightsError, match=r"holds the edge_discriminator of .*, not the inpaint_discriminator"):
        recognized(content_of(networks, "edge_discriminator"), wanted="inpaint_discriminator")
    with pytest.raises(WeightsError, match="use --origin knazeri"):
        conversion._recognize("nipponjo", content_of(networks, "edge_generator"), Path("f"), conversion.formats(), None)
