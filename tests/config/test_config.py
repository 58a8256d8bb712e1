"""Configuration: composed from YAML and overrides, validated, every mistake one line."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from inpaint import config
from inpaint.errors import ConfigError, InpaintError
from inpaint.options import flat

ROOT = Path(__file__).resolve().parents[2]


def refusal(*overrides: str, **options) -> str:
    with pytest.raises(ConfigError) as caught:
        config.load(overrides, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


# What works ---------------------------------------------------------------------------------------------------------


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


def test_a_word_that_reads_like_a_number_can_be_given():
    assert config.load(["model.attention.masked=inf"]).model["attention"]["masked"] == "inf"
    assert 'clip="inf": must be a positive number' in refusal("clip=inf")


def test_keys_that_no_yaml_names_can_be_set():
    made = config.load(["model.width=32", "data.flip=0", "trainer.tf32=false", "model.attention.fuse=false"])
    assert made.architecture().width == 32
    assert (made.data.flip, made.trainer.tf32, made.model["attention"]["fuse"]) == (0.0, False, False)
    assert made.loop.trainer.tf32 is False


def test_numbers_without_fraction_are_integers():
    assert config.load(["max_iterations=1e6"]).max_iterations == 1_000_000


def test_a_loss_can_be_added_reweighted_and_taken_away():
    made = config.load(
        ["losses.hole={kind: l1, of: raw, weight: 3, region: hole}", "losses.coarse.weight=1", "~losses.refined"]
    )
    assert list(made.losses) == ["coarse", "adversary", "hole"]
    assert made.losses["coarse"]["weight"] == 1


def test_folders_with_umlauts_brackets_and_equals_signs_need_no_quotes(tmp_path):
    for name in ("Fotos (2020)", "Größe=m", "a b", "x&y"):
        assert config.load([f"data.root={tmp_path}/{name}"]).data.root == f"{tmp_path}/{name}"


@settings(max_examples=12, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="$\\,"), min_size=1))
def test_any_value_is_taken_or_refused_in_one_line(value):
    line = f"run.folder={value}"
    try:
        made = config.load([line])
    except ConfigError:
        refusal(line)
    else:
        assert made.run.folder is None or isinstance(made.run.folder, str)


def test_the_home_folder_is_understood():
    assert config.load(["data.root=~/photos"]).data.root == str(Path.home() / "photos")


def test_the_resolved_configuration_repeats_the_run(tmp_path):
    made = config.load(
        [
            "model.width=16",
            "batch_size=4",
            "data.masks={kind: box}",
            "run.folder=x",
            "resume=auto",
            f"data.root={tmp_path}",
        ]
    )
    folder = tmp_path / "run"
    folder.mkdir()
    OmegaConf.save(OmegaConf.create(made.resolved()), folder / "config.yaml")
    again = config.load([], config_dir=str(folder), config_name="config")
    assert again.resolved() == made.resolved()
    assert (again.run.folder, again.resume) == (None, None)
    assert config.load(["batch_size=8"], config_dir=str(folder), config_name="config").batch_size == 8


def test_existing_data_is_remembered_by_its_full_path(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    assert config.load(["data.root=photos"]).resolved()["data"]["root"] == str(tmp_path / "photos")
    assert config.load(["data.root=samples"]).resolved()["data"]["root"] == "samples"


def test_weights_of_losses_are_remembered_by_their_full_path(tmp_path, monkeypatch):
    for name in ("vgg.pth", "random"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    made = config.load(["losses.style={kind: style, of: raw, weight: 1, weights: random}"])
    assert made.resolved()["losses"]["style"]["weights"] == "random"
    made = config.load(["losses.style={kind: style, of: raw, weight: 1, weights: vgg.pth}", "losses.coarse=null"])
    assert made.resolved()["losses"]["style"]["weights"] == str(tmp_path / "vgg.pth")
    assert made.resolved()["losses"]["coarse"] is None


# A person's own YAML ------------------------------------------------------------------------------------------------


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "it's, mine"
    (folder / "model").mkdir(parents=True)
    (folder / "experiment").mkdir()
    head = "# @package _global_\n"
    (folder / "model" / "small.yaml").write_text(
        head + "defaults: [deepfill]\nmodel: {width: 16}\nlosses: {coarse: {weight: 1.0}}\n"
    )
    (folder / "experiment" / "faces.yaml").write_text(head + "batch_size: 2\ndata: {size: 128}\n")
    (folder / "primary.yaml").write_text("defaults: [train, _self_]\nbatch_size: 6\n")
    return folder


def test_a_persons_folder_adds_models_and_experiments(mine):
    made = config.load(["model=small", "experiment=faces"], config_dir=str(mine))
    assert (made.model["width"], made.losses["coarse"]["weight"], made.batch_size, made.data.size) == (16, 1.0, 2, 128)


def test_the_command_line_wins_over_every_file(mine):
    made = config.load(["batch_size=3", "model=small", "experiment=faces", "model.width=8"], config_dir=str(mine))
    assert (made.batch_size, made.model["width"]) == (3, 8)


def test_a_persons_own_primary_file_builds_on_ours(mine):
    assert config.load([], config_dir=str(mine), config_name="primary").batch_size == 6


def test_a_persons_file_takes_the_place_of_ours_of_the_same_name(mine):
    (mine / "model" / "deepfill.yaml").write_text((ROOT / "configs/model/deepfill.yaml").read_text() + "\nclip: 1.0\n")
    assert config.load([], config_dir=str(mine)).clip == 1.0


def test_a_group_file_without_its_package_line_says_what_is_missing(mine):
    (mine / "experiment" / "bare.yaml").write_text("batch_size: 2\n")
    (mine / "model" / "bare.yaml").write_text("model: {name: deepfill}\nlosses: {}\n")
    for choice in ("experiment=bare", "model=bare"):
        assert "@package _global_" in refusal(choice, config_dir=str(mine))


def test_broken_yaml_is_named_in_one_line(mine):
    (mine / "experiment" / "broken.yaml").write_text("batch_size: [2\n")
    assert "broken.yaml" in refusal("experiment=broken", config_dir=str(mine))


def test_a_missing_folder_or_primary_file_is_named(mine):
    assert "no such folder" in refusal(config_dir=str(mine / "nowhere"))
    assert "did you mean 'primary'?" in refusal(config_dir=str(mine), config_name="primry")


# What is refused ----------------------------------------------------------------------------------------------------


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
        ("data.masks=brsh", ["brsh", "did you mean 'brush'?"]),
        ("model=deepfil", ["model=deepfil", "did you mean 'deepfill'?"]),
        ("model.name=telea", ['"telea"', "valid: deepfill"]),
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
        ("hydra.run.dir=x", ["hydra.run.dir=x", "run.folder"]),
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


# Sweeps -------------------------------------------------------------------------------------------------------------


def test_a_sweep_is_the_product_of_its_values():
    jobs = config.sweep(["batch_size=2,4", "data.size=64", "seed=range(0,3)"])
    assert [job[0] for job in jobs] == ["batch_size=2"] * 3 + ["batch_size=4"] * 3
    assert [job[2] for job in jobs] == ["seed=0", "seed=1", "seed=2"] * 2
    assert {job[1] for job in jobs} == {"data.size=64"}


def test_a_sweep_over_a_group_can_be_a_pattern(mine):
    jobs = config.sweep(["model=glob([deep*,sm*])"], config_dir=str(mine))
    assert jobs == [["model=deepfill"], ["model=small"]]


def test_an_interval_cannot_be_swept():
    with pytest.raises(ConfigError, match="interval"):
        config.sweep(["clip=interval(0,1)"])


# Where our YAML lies ------------------------------------------------------------------------------------------------


def test_yaml_is_found_in_the_package_before_the_checkout(tmp_path):
    package = tmp_path / "inpaint"
    for folder in (package / "configs", tmp_path / "configs"):
        folder.mkdir(parents=True)
        (folder / "train.yaml").touch()
    assert config.configs_folder(package) == package / "configs"
    (package / "configs" / "train.yaml").unlink()
    assert config.configs_folder(package) == tmp_path / "configs"
    (tmp_path / "configs" / "train.yaml").unlink()
    with pytest.raises(InpaintError, match="reinstall"):
        config.configs_folder(package)


@pytest.mark.slow
def test_the_wheel_brings_its_yaml_and_finds_it(tmp_path):
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode and any(word in built.stderr for word in ("hatchling", "Temporary failure", "No matching")):
        pytest.skip("the build back end cannot be fetched here")
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    code = "from inpaint import config; print(config.configs_folder(), config.load([]).model['width'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=installed, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(installed / "inpaint" / "configs"), "48"], done.stderr
