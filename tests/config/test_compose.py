"""Composing a configuration: our YAML, a user's own, overrides, and the jobs of a sweep."""

from __future__ import annotations

import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from inpaint import config
from inpaint.config.compose import compose
from inpaint.errors import ConfigError, InpaintError
from inpaint.weights.runs import RunFolder
from refusal import refusal

ROOT = Path(__file__).resolve().parents[2]


# What works ---------------------------------------------------------------------------------------------------------


def test_a_word_that_reads_like_a_number_can_be_given():
    assert config.load(["model.attention.masked=inf"]).model["attention"]["masked"] == "inf"
    assert 'clip="inf": must be a positive number' in refusal("clip=inf")


def test_keys_that_no_yaml_names_can_be_set():
    made = config.load(["model.width=32", "data.flip=0", "trainer.tf32=false", "model.attention.fuse=false"])
    assert made.architecture().width == 32
    assert (made.data.flip, made.trainer.tf32, made.model["attention"]["fuse"]) == (0.0, False, False)
    assert made.loop.trainer.tf32 is False


def test_a_loss_can_be_added_reweighted_and_taken_away():
    made = config.load(
        ["losses.hole={kind: l1, of: raw, weight: 3, region: hole}", "losses.coarse.weight=1", "~losses.refined"]
    )
    assert list(made.losses) == ["coarse", "adversary", "hole"]
    assert made.losses["coarse"]["weight"] == 1


def test_a_key_is_left_out_with_what_it_holds():
    assert "ema" not in compose(["~ema"])
    assert config.load(["clip=2", "~clip"]).clip is None
    assert config.load(["~batch_size=16", "batch_size=4"]).batch_size == 4
    assert "'~batch_size=8': batch_size is 16; write ~batch_size" in refusal("~batch_size=8")
    assert "'~losses.corse': unknown key 'losses.corse' (did you mean 'losses.coarse'?)" in refusal("~losses.corse")


def test_a_value_may_refer_to_others_and_to_the_environment(monkeypatch):
    monkeypatch.setenv("PHOTOS", "/data/faces, large")
    made = config.load(["data.root=${oc.env:PHOTOS}/${data.size}", "wandb.notes=${oc.env:NOT_SET_ANYWHERE,none}"])
    assert (made.data.root, made.wandb.notes) == ("/data/faces, large/256", "none")
    assert "'data.root=${'" in refusal("data.root=${")
    assert "data.sizes" in refusal("data.root=${data.sizes}")


def test_an_element_of_a_list_can_be_set():
    assert config.load(["optimizers.generator.betas.0=0.6"]).optimizers["generator"].betas == (0.6, 0.999)


MIXTURE = [{"mask": "deepfill", "weight": 1}, {"mask": "captions", "weight": 1}]


@pytest.mark.parametrize(
    ("model", "value", "expected"),
    [
        ("vcnet", "{kind: captions}", {"kind": "captions"}),
        ("vcnet", "[{mask: lama, weight: 2}]", [{"mask": "lama", "weight": 2}]),
        ("vcnet", "lama", "lama"),
        ("glcic", "[{mask: deepfill, weight: 1}, {mask: captions, weight: 1}]", MIXTURE),
        ("glcic", "{kind: captions}", {"kind": "captions"}),
        ("glcic", "{size: [0.2, 0.3]}", {"kind": "box", "size": [0.2, 0.3]}),
    ],
)
def test_masks_replace_those_of_a_models_file_whatever_containers_hold_them(model, value, expected, mine):
    assert config.load([f"model={model}", f"data.masks={value}"]).data.masks == expected
    (mine / "experiment/other.yaml").write_text(f"data:\n  masks: {value}\n")
    chosen = [f"model={model}", "experiment=other"]
    assert config.load(chosen, config_dir=str(mine)).data.masks == expected


def test_an_element_of_a_list_may_become_another_container():
    assert compose(["model=vcnet", "data.masks.0=[a]", "data.masks.1={mask: lama}"])["data"]["masks"] == [
        ["a"],
        {"mask": "lama", "weight": 1},
    ]
    assert "data.masks.5" in refusal("model=vcnet", "data.masks.5={mask: lama}")


def test_a_container_takes_the_place_of_a_reference_alone():
    made = compose(["a={b: 1}", "c=${a}", "c=[2]", "d=${a}", "d={e: 3}"])
    assert (made["a"], made["c"], made["d"]) == ({"b": 1}, [2], {"e": 3})


def test_folders_with_umlauts_brackets_and_equals_signs_need_no_quotes(tmp_path):
    for name in ("Fotos (2020)", "Größe=m", "a b", "x&y"):
        assert config.load([f"data.root={tmp_path}/{name}"]).data.root == f"{tmp_path}/{name}"


@settings(max_examples=12, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1))
def test_any_text_is_taken_or_refused_in_one_line(value):
    line = f"run.folder={value}"
    try:
        made = config.load([line])
    except ConfigError:
        refusal(line)
    else:
        assert made.run.folder is None or isinstance(made.run.folder, str)


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


# A user's own YAML ------------------------------------------------------------------------------------------------


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


def test_a_users_folder_adds_models_and_experiments(mine):
    made = config.load(["model=small", "experiment=faces"], config_dir=str(mine))
    assert (made.model["width"], made.losses["coarse"]["weight"], made.batch_size, made.data.size) == (16, 1.0, 2, 128)


def test_the_command_line_wins_over_every_file(mine):
    made = config.load(["batch_size=3", "model=small", "experiment=faces", "model.width=8"], config_dir=str(mine))
    assert (made.batch_size, made.model["width"]) == (3, 8)


def test_a_users_own_primary_file_builds_on_ours(mine):
    assert config.load([], config_dir=str(mine), config_name="primary").batch_size == 6


def test_a_users_file_takes_the_place_of_ours_of_the_same_name(mine):
    (mine / "model" / "deepfill.yaml").write_text((ROOT / "configs/model/deepfill.yaml").read_text() + "\nclip: 1.0\n")
    assert config.load([], config_dir=str(mine)).clip == 1.0


@pytest.mark.parametrize("head", ["", "# @package _global_\n", "\n# Faces\n#   @package _global_\n# @package other\n"])
def test_a_file_is_merged_at_the_root_whether_its_head_says_so_or_not(head, mine):
    (mine / "experiment" / "bare.yaml").write_text(f"{head}batch_size: 2\n")
    (mine / "model" / "bare.yaml").write_text(f"{head}model: {{name: deepfill}}\nlosses: {{}}\noptimizers: {{}}\n")
    made = config.load(["experiment=bare", "model=bare"], config_dir=str(mine))
    assert (made.batch_size, made.model["name"], made.losses) == (2, "deepfill", {})


def test_a_file_that_asks_for_another_place_says_what_to_write(mine):
    (mine / "experiment" / "placed.yaml").write_text("# Faces\n\n# @package data\nsize: 128\n")
    said = refusal("experiment=placed", config_dir=str(mine))
    assert "placed.yaml': @package data: a chosen file always lands at the root; write its keys in full" in said


def test_a_key_that_lacks_its_block_is_named(mine):
    (mine / "data").mkdir()
    (mine / "data" / "faces.yaml").write_text("root: photos\n")
    assert "did you mean 'data.root'?" in refusal("data=faces", config_dir=str(mine))


def test_an_empty_file_changes_nothing(mine):
    (mine / "experiment" / "empty.yaml").write_text("# later\n")
    assert compose(["experiment=empty"], config_dir=str(mine)) == compose([])


def test_settings_of_hydra_in_a_file_say_that_they_have_no_effect(mine):
    (mine / "primary.yaml").write_text("defaults: [train, _self_]\nhydra: {run: {dir: x}}\n")
    said = refusal(config_dir=str(mine), config_name="primary")
    assert said.startswith('hydra.run.dir="x": Hydra\'s own settings have no effect here; see run.folder')


def test_several_files_of_a_group_are_merged_in_their_order(mine):
    (mine / "experiment" / "more.yaml").write_text("batch_size: 4\n")
    for names, batch in ((["faces", "more"], 4), (["more", "faces"], 2)):
        made = config.load([f"experiment=[{','.join(names)}]"], config_dir=str(mine))
        assert (made.batch_size, made.data.size) == (batch, 128)


def test_a_group_may_lie_in_a_folder_of_a_group(mine):
    (mine / "experiment" / "slow").mkdir()
    (mine / "experiment" / "slow" / "cpu.yaml").write_text("trainer: {accelerator: cpu}\n")
    assert config.load(["experiment/slow=cpu"], config_dir=str(mine)).trainer.accelerator == "cpu"


def test_a_group_that_is_left_out_says_nothing(mine):
    assert "model" not in compose(["~model"])
    assert "'~experiment': no file of this group is chosen" in refusal("~experiment", config_dir=str(mine))
    assert "'~model=pconv': write ~model" in refusal("~model=pconv")


# What a `defaults` list may hold


@pytest.mark.parametrize(
    ("defaults", "batch", "width"),
    [
        ("[train, _self_]", 6, 48),
        ("[train]", 6, 48),  # what a file says itself comes last unless it says where
        ("[_self_, train]", 16, 48),
        ("[train, experiment: faces]", 6, 48),
        ("[train, _self_, experiment: faces]", 2, 48),
        ("[train, _self_, {experiment: [faces, more]}]", 4, 48),
        ("[train, experiment: null, _self_]", 6, 48),
        ("[train, model: small, _self_]", 6, 16),
        ("[train, override model: small, _self_]", 6, 16),
        ("[train, override /model: small, _self_]", 6, 16),
        ("[middle, _self_]", 6, 16),
        ("[_self_, middle]", 5, 16),
        ("[train, model/small, _self_]", 6, 16),
    ],
)
def test_a_primary_file_builds_on_others_by_its_defaults(defaults, batch, width, mine):
    (mine / "experiment" / "more.yaml").write_text("batch_size: 4\n")
    (mine / "middle.yaml").write_text("defaults: [train, model: small, _self_]\nbatch_size: 5\n")
    (mine / "top.yaml").write_text(f"defaults: {defaults}\nbatch_size: 6\n")
    made = config.load([], config_dir=str(mine), config_name="top")
    assert (made.batch_size, made.model["width"]) == (batch, width)


def test_an_outer_files_choice_wins_over_an_inner_ones_and_the_command_lines_over_both(mine):
    (mine / "middle.yaml").write_text("defaults: [train, model: small, _self_]\n")
    (mine / "top.yaml").write_text("defaults: [middle, model: pconv, _self_]\n")
    here = {"config_dir": str(mine), "config_name": "top"}
    assert config.load([], **here).model["name"] == "pconv"
    assert list(config.load([], **here).optimizers) == ["generator"]  # nothing is left of the model not chosen
    assert config.load(["model=edgeconnect"], **here).model["name"] == "edgeconnect"


@pytest.mark.parametrize("entry", ["model: pconv", "override model: pconv", "override /model: pconv"])
def test_a_chosen_file_may_choose_the_model(entry, mine):
    (mine / "experiment" / "partial.yaml").write_text(f"defaults: [{entry}]\nlosses: {{hole: {{weight: 7}}}}\n")
    made = config.load(["experiment=partial"], config_dir=str(mine))
    assert (made.model["name"], made.losses["hole"]["weight"], "coarse" in made.losses) == ("pconv", 7, False)
    made = config.load(["experiment=partial", "model=pconv", "~losses.hole"], config_dir=str(mine))
    assert "hole" not in made.losses


def test_a_merged_loss_that_was_taken_away_begins_anew(mine):
    (mine / "model" / "without.yaml").write_text("defaults: [deepfill]\nlosses: {coarse: null}\n")
    (mine / "model" / "anew.yaml").write_text("defaults: [without]\nlosses: {coarse: {kind: l2}}\n")
    assert compose(["model=anew"], config_dir=str(mine))["losses"]["coarse"] == {"kind": "l2"}


@pytest.mark.parametrize(
    ("defaults", "part"),
    [
        ("train", "cannot read"),
        ("null", "cannot read"),
        ("{model: pconv}", "cannot read"),
        ("[train, optional model: pconv]", 'cannot read {"optional model": "pconv"}'),
        ("[train, model@decoder: pconv]", 'cannot read {"model@decoder": "pconv"}'),
        ("[train@data]", 'cannot read "train@data"'),
        ("[train, {model: pconv, experiment: faces}]", "write a list of _self_, NAME and GROUP: NAME"),
        ("[train, 5]", "cannot read 5"),
        ("[trian]", "unknown configuration 'trian' (did you mean 'train'?)"),
        ("[train, model: smal]", "unknown model 'smal' (did you mean 'small'?)"),
        ("[train, nothing: small]", "unknown nothing 'small'"),
        ("[top]", "includes itself"),
        ("[train, override experiment: faces]", "write experiment: faces"),
    ],
)
def test_defaults_that_cannot_be_followed_are_named(defaults, part, mine):
    (mine / "top.yaml").write_text(f"defaults: {defaults}\n")
    said = refusal(config_dir=str(mine), config_name="top")
    assert part in said
    assert "defaults" in said


def test_a_list_is_no_configuration(mine):
    (mine / "experiment" / "list.yaml").write_text("- batch_size\n")
    assert "list.yaml' is no mapping" in refusal("experiment=list", config_dir=str(mine))


def test_broken_yaml_is_named_in_one_line(mine):
    (mine / "experiment" / "broken.yaml").write_text("batch_size: [2\n")
    assert "broken.yaml" in refusal("experiment=broken", config_dir=str(mine))


def test_a_missing_folder_or_primary_file_is_named(mine):
    assert "no such folder" in refusal(config_dir=str(mine / "nowhere"))
    assert "did you mean 'primary'?" in refusal(config_dir=str(mine), config_name="primry")


# Sweeps -------------------------------------------------------------------------------------------------------------


def test_a_sweep_is_the_product_of_its_values():
    jobs = config.sweep(["batch_size=2,4", "data.size=64", "seed=range(0,3)"])
    assert [job[0] for job in jobs] == ["batch_size=2"] * 3 + ["batch_size=4"] * 3
    assert [job[2] for job in jobs] == ["seed=0", "seed=1", "seed=2"] * 2
    assert {job[1] for job in jobs} == {"data.size=64"}


def test_a_sweep_over_a_group_can_be_a_pattern(mine):
    jobs = config.sweep(["model=glob([deep*,sm*])"], config_dir=str(mine))
    assert jobs == [["model=deepfill"], ["model=deepfill_guided"], ["model=small"]]


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
    assert (installed / "inpaint" / "configs" / "sweeps" / "wandb.yaml").is_file()
    code = "from inpaint import config; print(config.configs_folder(), config.load([]).model['width'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=installed, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(installed / "inpaint" / "configs"), "48"], done.stderr


@pytest.mark.parametrize("model", ["deepfill", "edgeconnect", "pconv", "pluralistic"])
def test_every_model_has_a_small_size_below_what_is_given(model):
    made = config.load([f"model={model}", "size=small", "model.width=24"])
    assert (made.data.size, made.batch_size, made.model["width"]) == (64, 8, 24)
    assert config.load([f"model={model}", "size=small"]).model["width"] == 16
    assert not any(block and block["kind"] in ("perceptual", "style") for block in made.losses.values())
    assert config.load([f"model={model}"]).data.size == 256


@pytest.mark.parametrize("given", ["size=tiny", "size=128", "~size"])
def test_a_size_that_there_is_not_is_named(given):
    with pytest.raises(ConfigError, match=r"unknown size .*; valid: small"):
        config.load([given])


# Values that need quotes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("data.root", "/d/a,b"),
        ("wandb.notes", "first try, small lr"),
        ("run.folder", "2024"),
        ("run.folder", "1.5"),
        ("wandb.group", "true"),
        ("data.root", "/d/${x}"),
        ("wandb.notes", "cost ${price}, in $"),
    ],
)
def test_a_text_that_needs_quotes_is_refused_with_what_to_type(key, text):
    said = refusal("data.root=samples", f"{key}={text}")
    assert "\n" not in said
    words = shlex.split(said[said.index("quote") :].partition(": ")[2])
    typed = next(word for word in words if word.startswith(key))
    found = config.load(["data.root=samples", typed])
    for part in key.split("."):
        found = getattr(found, part)
    assert found == text


@pytest.mark.parametrize(
    ("given", "said", "unsaid"),
    [
        ("trainer.devices=0,1", "trainer.devices=2 takes so many, CUDA_VISIBLE_DEVICES=0,1 says which", "-m"),
        ("wandb.tags=a,b", 'write "wandb.tags=[a,b]" for a list', "-m"),
        ("seed=0,1", "add -m to run one after the other", "for a list"),
        ("batch_size=a,b", 'batch_size="a": must be a positive integer', "-m"),
        ("model=deepfill,pconv", "add -m to run one after the other", "one text"),
    ],
)
def test_several_values_get_only_the_advice_that_works(given, said, unsaid):
    message = refusal("data.root=samples", given)
    assert said in message
    assert unsaid not in message


def test_a_text_with_braces_survives_the_configuration_of_a_run(tmp_path):
    made = config.load(["data.root=samples", r"wandb.notes=a \${b}"])
    run = RunFolder(tmp_path / "run")
    run.create(made.resolved())
    assert run.config()["wandb"]["notes"] == "a ${b}"
    repeated = config.load([], config_dir=str(run.path), config_name="config")
    gone_on = config.load([f"run.folder={run.path}", "resume=auto"])
    assert repeated.wandb.notes == gone_on.wandb.notes == "a ${b}"
