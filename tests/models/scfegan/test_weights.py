"""Importing variables of SC-FEGAN's program: what is recognized, converted, left out, refused."""

import sys
import types

import numpy as np
import pytest
import torch

from inpaint.errors import MissingDependencyError, UsageError, WeightsError
from inpaint.export.origin import export_origin
from inpaint.models.scfegan import weights
from inpaint.models.scfegan.config import Config
from inpaint.models.scfegan.network import Network
from inpaint.registry.conversion import import_weights
from inpaint.registry.loading import load
from inpaint.weights.files import load_weights, read_metadata
from lively import enlivened

CONFIG = weights.CONFIG.model_copy(update={"width": 4})


@pytest.fixture
def network():
    """A narrow network of the program's form."""
    return enlivened(Network(CONFIG)).eval()


def variables(network):
    """What the program would store, made of our tensors one by one."""
    found = {}
    state = {name: value.numpy() for name, value in network.generator.state_dict().items()}
    for layer, scope in weights.layers().items():
        weight, bias = state[f"{layer}.weight"].copy(), state[f"{layer}.bias"].copy()
        if layer.startswith("up."):
            found[f"generator/{scope}/w"] = weight.transpose(2, 3, 1, 0)
            found |= {f"generator/{scope}/biases1": bias, f"generator/{scope}/biases2": np.ones_like(bias)}
            continue
        if layer in ("down.0", "merge.6"):  # blue, green, red
            weight[:, [0, 1, 2, 4, 5, 6]] = weight[:, [2, 1, 0, 6, 5, 4]]
        if layer == "merge.6":
            weight, bias = weight[[2, 1, 0, 5, 4, 3]], bias[[2, 1, 0, 5, 4, 3]]
        for half, ending in enumerate(("", "_g")):
            rows = slice(half * len(bias) // 2, (half + 1) * len(bias) // 2)
            found[f"generator/{scope}{ending}/kernel"] = weight[rows].transpose(2, 3, 1, 0)
            found[f"generator/{scope}{ending}/bias"] = bias[rows]
    return found


def imported(folder, content, name="SC-FEGAN.npz"):
    np.savez(folder / name, **content)
    return import_weights("scfegan", [str(folder / name)], folder / "imported")


def same_tensors(folder, network):
    tensors, _ = load_weights(folder / "model.safetensors")
    expected = network.state_dict()
    assert tensors.keys() == expected.keys()
    return all(torch.equal(tensors[name], value) for name, value in expected.items())


def test_an_archive_becomes_an_import_that_fills(network, tmp_path):
    done = imported(tmp_path, variables(network))
    assert (done.model, done.roles, done.lacking) == ("scfegan", ("generator",), ("discriminator",))
    assert "non-commercial" in done.license
    assert done.notes == ()
    assert same_tensors(done.folder, network)
    assert Config(**read_metadata(done.folder / "model.safetensors").config) == CONFIG
    fill = load(done.folder, device="cpu", noise="binary")
    mask = torch.zeros(1, 1, 40, 56)
    mask[..., 6:30, 8:40] = 1
    assert fill.fill(torch.rand(1, 3, 40, 56), mask)[0].raw.isfinite().all()


def test_further_variables_of_a_checkpoint_are_left_out_with_a_note(network, tmp_path):
    further = {"discriminator/conv1/kernel": np.ones((3, 3, 8, 4)), "global_step": np.int64(7)}
    done = imported(tmp_path, variables(network) | further)
    assert done.notes == ("2 further variables of the checkpoint are left out",)
    assert same_tensors(done.folder, network)


def test_what_was_imported_is_written_back_as_the_archive(network, tmp_path):
    theirs = variables(network)
    done = imported(tmp_path, theirs)
    written = export_origin(done.folder, tmp_path / "back.npz", origin="scfegan")
    assert written.notes == ("the program must be told of the width 4",)
    (file,) = written.files
    with np.load(file) as archive:
        assert set(archive.files) == set(theirs)
        for name, value in theirs.items():
            expected = np.zeros_like(value) if name.endswith("biases2") else value
            assert np.array_equal(archive[name], expected), name
    again = import_weights("scfegan", [str(file)], tmp_path / "again")
    assert same_tensors(again.folder, network)
    with pytest.raises(UsageError, match=r"name a file that ends in \.npz"):
        export_origin(done.folder, tmp_path / "back.pth", origin="scfegan")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.pop("generator/deconv3/biases1"), "1 missing: generator/deconv3/biases1"),
        (lambda v: v.update({"generator/gconv9/bias": np.zeros(5)}), r"gconv9/bias \(5,\) instead of"),
        (lambda v: [v.pop(name) for name in list(v)[:60]], "looks like none of the programs we know"),
    ],
    ids=["a variable is missing", "another shape", "another archive"],
)
def test_a_wrong_archive_is_refused_in_one_line(network, tmp_path, change, said):
    content = variables(network)
    change(content)
    with pytest.raises(WeightsError, match=said) as raised:
        imported(tmp_path, content)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "imported").exists()


def test_an_archive_of_objects_or_a_damaged_one_is_refused(tmp_path):
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    with pytest.raises(WeightsError, match="holds Python objects"):
        import_weights("scfegan", [str(tmp_path / "objects.npz")], tmp_path / "imported")
    np.savez(tmp_path / "whole.npz", a=np.ones(1000))
    damaged = bytearray((tmp_path / "whole.npz").read_bytes())
    damaged[200:400] = bytes(200)
    (tmp_path / "damaged.npz").write_bytes(damaged)
    with pytest.raises(WeightsError, match="is damaged"):
        import_weights("scfegan", [str(tmp_path / "damaged.npz")], tmp_path / "imported")


@pytest.fixture
def checkpoint(tmp_path):
    """The files of a checkpoint, without content."""
    for ending in ("index", "meta", "data-00000-of-00001"):
        (tmp_path / f"SC-FEGAN.ckpt.{ending}").write_bytes(b"")
    return tmp_path / "SC-FEGAN.ckpt"


@pytest.mark.parametrize("ending", ["", ".index", ".meta", ".data-00000-of-00001"])
def test_a_checkpoint_is_read_by_tensorflow_whichever_of_its_files_is_named(
    network, checkpoint, tmp_path, monkeypatch, ending
):
    content = variables(network)

    def opened(path):
        assert path == str(checkpoint)
        return types.SimpleNamespace(get_tensor=content.get, get_variable_to_shape_map=lambda: content)

    module = types.ModuleType("tensorflow")
    module.train = types.SimpleNamespace(load_checkpoint=opened)
    monkeypatch.setitem(sys.modules, "tensorflow", module)
    done = import_weights("scfegan", [f"{checkpoint}{ending}"], tmp_path / "imported")
    assert same_tensors(done.folder, network)


def test_without_tensorflow_the_message_is_one_line_with_a_command_that_makes_an_archive(
    checkpoint, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingDependencyError, match=r"numpy\.savez") as raised:
        import_weights("scfegan", [str(checkpoint)], tmp_path / "imported")
    assert "\n" not in str(raised.value)


def test_what_tensorflow_cannot_read_is_said_in_one_line(checkpoint, tmp_path, monkeypatch):
    def refuse(path):
        raise RuntimeError("Unable to open table file\nand more")

    module = types.ModuleType("tensorflow")
    module.train = types.SimpleNamespace(load_checkpoint=refuse)
    monkeypatch.setitem(sys.modules, "tensorflow", module)
    with pytest.raises(WeightsError, match=r"damaged or no checkpoint of TensorFlow: Unable to open table file$"):
        import_weights("scfegan", [str(checkpoint)], tmp_path / "imported")


def test_networks_that_the_program_has_no_place_for_are_not_written_for_it(lively, tmp_path):
    from inpaint.weights.files import WeightsMetadata, save_weights

    network = lively(Network(Config(width=4, levels=3)))
    metadata = WeightsMetadata(model="scfegan", config=network.config.model_dump(mode="json"), roles=("generator",))
    save_weights(tmp_path / "model.safetensors", dict(network.state_dict()), metadata)
    with pytest.raises(UsageError, match=r"cannot hold model\.color_given=true \(it has false\)"):
        export_origin(tmp_path / "model.safetensors", tmp_path / "back.npz")
