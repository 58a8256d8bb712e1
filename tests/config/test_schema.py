"""What a configuration may say: its defaults, what a run stores of it, and every mistake in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from inpaint import config
from inpaint.config import schema
from inpaint.errors import ConfigError
from inpaint.options import flat
from refusal import refusal


def test_the_defaults_are_deepfill_with_the_papers_losses():
    made = config.load([])
    assert made.model["name"] == "deepfill"
    assert made.model["width"] == 48
    assert made.losses == {
        "coarse": {"kind": "l1", "of": "coarse", "weight": 2.0},
        "refined": {"kind": "l1", "of": "raw", "weight": 2.0},
        "adversary": {"kind": "hinge", "of": "completed", "weight": 1.0},
    }
    assert {name: (one.kind, one.lr, one.betas) for name, one in made.optimizers.items()} == {
        "generator": ("adam", 1e-4, (0.5, 0.999)),
        "discriminator": ("adam", 1e-4, (0.5, 0.999)),
    }


def test_train_yaml_states_the_programs_own_defaults():
    stated = OmegaConf.to_container(OmegaConf.load(config.configs_folder() / "train.yaml"))
    del stated["defaults"]
    recipe = {"name": "deepfill"}
    bare = config.build({"model": recipe, "losses": {}, "optimizers": {}}).model_dump(mode="json")
    program = flat(bare)
    assert {key: value for key, value in flat(stated).items() if program[key] != value} == {}


def test_numbers_without_fraction_are_integers():
    assert config.load(["max_iterations=1e6"]).max_iterations == 1_000_000


def test_the_home_folder_is_understood():
    assert config.load(["data.root=~/photos"]).data.root == str(Path.home() / "photos")


def test_existing_data_is_remembered_by_its_full_path(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    assert config.load(["data.root=photos"]).resolved()["data"]["root"] == str(tmp_path / "photos")
    assert config.load(["data.root=samples"]).resolved()["data"]["root"] == "samples"


def test_places_and_masks_of_validation_sets_are_remembered_by_their_full_path(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.pad(np.full((9, 9), 255, np.uint8), 12)).save(tmp_path / "photos" / "m.png")
    monkeypatch.chdir(tmp_path)
    made = config.load(["data.val={a: photos, b: {root: photos, masks: 'folder:photos'}, c: null}"])
    photos = str(tmp_path / "photos")
    assert made.resolved()["data"]["val"] == {
        "a": {"root": photos, "masks": None},
        "b": {"root": photos, "masks": f"folder:{photos}"},
        "c": {"root": None, "masks": None},
    }
    assert config.build(made.resolved()).data.val_sets["b"].masks == f"folder:{photos}"


def test_masks_of_a_validation_set_are_its_own_or_those_of_all():
    sets = config.load(["data.val={a: x, b: {root: x, masks: box}}", "data.val_masks=center"]).data.val_sets
    assert {name: one.masks for name, one in sets.items()} == {"a": "center", "b": "box"}
    (single,) = config.load(["data.masks=brush"]).data.val_sets.items()
    assert (single[0], single[1].root, single[1].masks) == ("", None, "brush")


def test_weights_of_losses_are_remembered_by_their_full_path(tmp_path, monkeypatch):
    for name in ("vgg.pth", "random"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    made = config.load(["losses.style={kind: style, of: raw, weight: 1, weights: random}"])
    assert made.resolved()["losses"]["style"]["weights"] == "random"
    made = config.load(["losses.style={kind: style, of: raw, weight: 1, weights: vgg.pth}", "losses.coarse=null"])
    assert made.resolved()["losses"]["style"]["weights"] == str(tmp_path / "vgg.pth")
    assert made.resolved()["losses"]["coarse"] is None


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("batch_size=many", ['batch_size="many"', "positive integer"]),
        ("batch_size='16'", ['batch_size="16"', "positive integer"]),
        ("batch_size=true", ["batch_size=true", "positive integer"]),
        ("batch_size=0", ["batch_size=0", "positive integer"]),
        ("batch_size=", ['batch_size=""', "positive integer"]),
        ("batch_size.x=3", ["batch_size", "positive integer"]),
        ("batchsize=3", ["batchsize=3", "did you mean 'batch_size'?"]),
        ("size=64", ["size=64", "did you mean 'data.size'?"]),
        ("data.sizee=64", ["data.sizee=64", "did you mean 'size'?", "masks"]),
        ("data.val={a: 3}", ["data.val.a=3", "a mapping"]),
        ("data.val={a: {rot: x}}", ['data.val.a.rot="x"', "did you mean 'root'?"]),
        ("data.val={a: {masks: brsh}}", ["data.val.a.masks", "did you mean 'brush'?"]),
        ("data.val={'a/b': x}", ["data.val: 'a/b' is no name of a set"]),
        ("data.val=3", ["data.val=3", "text or a mapping or null"]),
        ("init=3", ["init=3: must be text or a mapping or null"]),
        ("patience=3", ["'validation.patience'"]),
        ("validation.patience=0", ["validation.patience=0", "positive integer"]),
        ("data.masks=brsh", ["brsh", "did you mean 'brush'?"]),
        ("model=deepfil", ["model=deepfil", "did you mean 'deepfill'?"]),
        ("model.name=telea", ['"telea"', "valid: adain, aotgan, deepfill"]),
        ("model.wdith=32", ["model.wdith=32", "did you mean 'width'?"]),
        ("model.width=wide", ['model.width="wide"', "integer at least 8"]),
        ("experiment=mine", ["experiment", "unknown key"]),
        ("trainer.precision=bf16", ["bf16-mixed"]),
        ("trainer.devices=3", ["batch_size=16", "3 devices"]),
        ("accumulate=3", ["accumulate=3", "batch_size=16"]),
        ("optimizers.generator.lr=fast", ['optimizers.generator.lr="fast"', "positive number"]),
        ("logger=tensorbord", ["tensorbord", "tensorboard"]),
        ("trainer.max_steps=5", ["trainer.max_steps=5", "'max_iterations'"]),
        ("trainer.max_epochs=5", ["'max_iterations'"]),
        ("trainer.accumulate_grad_batches=5", ["'accumulate'"]),
        ("trainer.gradient_clip_val=5", ["'clip'"]),
        ("trainer.default_root_dir=x", ["'run.folder'"]),
        ("data.root=???", ["data.root has no value"]),
        ("data.root=${oc.env:NOT_SET_ANYWHERE}", ["NOT_SET_ANYWHERE"]),
        ("hydra.run.dir=x", ['hydra.run.dir="x"', "Hydra's own settings", "run.folder"]),
        ("hydra/launcher=joblib", ['hydra/launcher="joblib"', "-m"]),
        ("batch_size=1,2", ["batch_size=1,2", "-m"]),
        ("batch_size", ["'batch_size'", "KEY=VALUE"]),
        ("data.size=[1,2", ["data.size=[1,2", "KEY=VALUE"]),
        ("~nothing", ["nothing"]),
        ("resume=false", ["resume=false", "text"]),
    ],
)
def test_a_mistake_is_one_line_with_key_value_and_what_is_valid(override, parts):
    text = refusal(override)
    for part in parts:
        assert part in text


def test_data_root_is_asked_for_only_when_it_is_needed():
    with pytest.raises(ConfigError, match=r"data\.root is missing"):
        config.load([]).require_data()


def test_errors_come_without_torch():
    code = (
        "import sys; from inpaint import config\n"
        "try: config.load(['model.width=5'])\n"
        "except ValueError as error: print(error)\n"
        "config.load([])\n"
        "sys.exit(any(name.split('.')[0] in ('torch', 'pytorch_lightning') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.startswith("model.width=5")) == (0, True), done.stderr


# Keys that had another name -------------------------------------------------------------------------------------------


SKETCH = {"source": "file", "sigma_px": [1.5, 2.5], "threshold": 0.5}


@pytest.fixture
def renamed(monkeypatch) -> None:
    """Two keys, a block and a key without a successor that an earlier version knew."""
    table = {
        "data.edge_px": "data.size",
        "clip_norm": "clip",
        "check": "validation",
        "data.grain": "wandb.notes",
        "speed": "there is one speed; leave it out",
    }
    monkeypatch.setattr(schema, "RENAMED", table)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.edge_px=64", "data.edge_px=64: this key is called 'data.size' now"),
        ("clip_norm=null", "clip_norm=null: this key is called 'clip' now"),
        ("check.every=5", "check.every=5: this key is called 'validation.every' now"),
        ("check={panel: 2}", "check.panel=2: this key is called 'validation.panel' now"),
        ("speed=fast", 'speed="fast": there is one speed; leave it out'),
    ],
)
def test_a_former_key_is_answered_with_its_new_name(override, said, renamed, tmp_path):
    assert refusal(override) == said
    key, _, value = override.partition("=")
    (tmp_path / "mine.yaml").write_text(
        OmegaConf.to_yaml(OmegaConf.from_dotlist([f"{key}={value}"])) + "defaults: [train, _self_]\n"
    )
    assert refusal(config_dir=str(tmp_path), config_name="mine") == said


@pytest.mark.parametrize("override", ["data.sketch=file", "data.sketch_sigma=[1,2]", "data.sketch_threshold=0.5"])
def test_the_options_of_a_sketch_stand_with_the_planes_now(override):
    assert "this key is called 'data.planes.sketch." in refusal(override)


@pytest.mark.parametrize(("guided", "planes"), [(True, {"sketch": SKETCH}), (False, {})])
def test_a_run_that_stored_the_options_of_a_sketch_is_repeated(guided, planes, tmp_path):
    stored = config.load([f"model.sketch={guided}"]).resolved()
    del stored["data"]["planes"]
    stored["data"] |= {"sketch": "file", "sketch_sigma": [1.5, 2.5], "sketch_threshold": 0.5}
    OmegaConf.save(OmegaConf.create(stored), tmp_path / "config.yaml")
    again = config.load([], config_dir=str(tmp_path), config_name="config")
    assert again.data.planes == planes
    assert again.resolved()["model"] == stored["model"]


def test_a_key_beside_a_former_one_is_itself(renamed):
    assert "unknown key" in refusal("checks=1")
    assert "unknown key" in refusal("data.edge_px2=1")


def test_the_stored_configuration_of_an_earlier_version_is_repeated(renamed, tmp_path):
    stored = config.load(["data.size=64", "clip=2.5", "validation.every=7", "wandb.notes=hello"]).resolved()
    former = {key: value for key, value in stored.items() if key not in ("clip", "validation", "wandb")}
    former["data"] = {key: value for key, value in stored["data"].items() if key != "size"}
    former["data"] |= {"edge_px": 64, "grain": "hello"}
    former |= {"clip_norm": 2.5, "check": stored["validation"]}
    OmegaConf.save(OmegaConf.create(former), tmp_path / "config.yaml")
    again = config.load([], config_dir=str(tmp_path), config_name="config")
    assert again.resolved() == stored
    # What is said on top of it is the caller's own, and so is a file that builds on ours.
    assert "'data.size'" in refusal("data.edge_px=32", config_dir=str(tmp_path), config_name="config")
    (tmp_path / "config.yaml").write_text("defaults: [train, _self_]\nclip_norm: 1\n")
    assert "'clip'" in refusal(config_dir=str(tmp_path), config_name="config")


def test_a_key_may_move_below_its_former_name(monkeypatch):
    monkeypatch.setattr(schema, "RENAMED", {"data.size": "data.size.px", "seed": "data.size.seed"})
    assert schema.translated({"data": {"size": 64}, "seed": 1}) == {"data": {"size": {"px": 64, "seed": 1}}}
    schema._check_name("data.size.px", 64)
    with pytest.raises(ConfigError, match=r"'data\.size\.px'"):
        schema._check_name("data.size", 64)


def test_translating_leaves_the_former_containers_alone(renamed):
    former = {"data": {"edge_px": 64}, "check": None}
    assert schema.translated(former) == {"data": {"size": 64}, "validation": None}
    assert former == {"data": {"edge_px": 64}, "check": None}
