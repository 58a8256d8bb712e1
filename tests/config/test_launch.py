"""A training from its configuration to its folder, without the command line."""

from __future__ import annotations

import os
import re
import shlex
import shutil

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from inpaint import config
from inpaint.config.launch import prepare
from inpaint.errors import ConfigError, InpaintError, RunError, WeightsError
from inpaint.metrics.pixel import PSNR
from inpaint.registry.loading import described, load
from inpaint.training import plan
from inpaint.training.checkpoints import read_checkpoint
from inpaint.training.progress import RunConsole
from inpaint.training.runs import FOLDER_VARIABLE

TINY = [
    "model.width=8",
    "model.discriminator.width=4",
    "data.root=samples",
    "data.size=32",
    "data.workers=0",
    "batch_size=2",
    "max_iterations=2",
    "log_every=1",
    "validation.panel=0",
    "trainer.accelerator=cpu",
    "trainer.devices=1",
    "trainer.threads=1",
]
EDGE = [
    *("model=edgeconnect", "model.stage=edge", "model.width=8"),
    *(option for option in TINY if not option.startswith("model.")),
]


def test_a_training_is_prepared_opened_and_run(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    launch = prepare(config.load([*TINY, f"run.folder={folder}"]))
    assert not folder.exists()
    launch.open()
    assert {path.name for path in folder.iterdir()} == {"config.yaml", "run.lock"}
    assert "Repeat this run" in (folder / "config.yaml").read_text()
    monkeypatch.setenv(FOLDER_VARIABLE, "another run's")
    result, closing = launch.fit(RunConsole(quiet=True))
    assert os.environ[FOLDER_VARIABLE] == "another run's"
    assert (result.iteration, result.interrupted_by, closing) == (2, None, [])
    assert (folder / "model.safetensors").is_file()
    assert not (folder / "run.lock").exists()
    with pytest.raises(RunError, match="already holds a run"):
        prepare(config.load([*TINY, f"run.folder={folder}"]))


def test_a_run_says_at_what_size_it_was_trained_and_is_loaded_with_it(tmp_path):
    folder = tmp_path / "run"
    launch = prepare(config.load([*TINY, f"run.folder={folder}"]))
    launch.open()
    launch.fit(RunConsole(quiet=True))
    for place in (folder, folder / "last.ckpt"):
        assert load(place, device="cpu").capabilities.trained_px == 32
        fill = described(place)
        assert fill is not None
        assert fill.capabilities.trained_px == 32


def test_a_run_that_goes_on_keeps_its_configuration_until_it_has_begun(tmp_path):
    folder = tmp_path / "run"
    launch = prepare(config.load([*TINY, f"run.folder={folder}", "max_iterations=1"]))
    launch.open()
    launch.fit(RunConsole(quiet=True))
    assert FOLDER_VARIABLE not in os.environ
    further = prepare(config.load([*TINY, f"run.folder={folder}", "resume=auto"]))
    further.open()
    assert further.data.start_iteration == 1
    assert yaml.safe_load((folder / "config.yaml").read_text())["max_iterations"] == 1
    assert further.fit(RunConsole(quiet=True))[0].iteration == 2
    assert yaml.safe_load((folder / "config.yaml").read_text())["max_iterations"] == 2


def test_a_summary_says_what_would_happen_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = prepare(config.load([*TINY, "run.folder=new", "losses.coarse=null"])).summary()
    subjects = [line.split(maxsplit=1)[0] for line in lines if not line.startswith(" ")]
    assert [subjects[0], *subjects[-7:]] == [
        "run",
        *("model", "losses", "iterations", "validation", "batch", "hardware", "memory"),
    ]
    assert lines[0] == "run folder   new, start at iteration 0"
    assert "losses       refined, adversary" in lines
    assert list(tmp_path.iterdir()) == []


def test_a_training_needs_photos(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.root is missing"):
        prepare(config.load([*TINY, "data.root=null", f"run.folder={tmp_path}/run"]))


def summary(*overrides: str) -> str:
    return "\n".join(prepare(config.load([*TINY, "dry_run=true", *overrides])).summary())


def test_a_dry_run_says_how_long_an_iteration_takes_and_how_to_train_a_small_one():
    said = summary()
    assert re.search(r"time: about [\d.]+ m?s per iteration, \d+:\d\d:\d\d in all", said)
    assert "model=deepfill size=small" in said
    assert "size=small trains" not in summary("size=small")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("data.planes.sketch.source=pencil", r"data\.planes\.sketch\.source=.pencil.: must be one of canny, hed, file"),
        ("data.planes.color.given=1", r"data\.planes\.color: unknown plane 'color'; valid: sketch"),
        ("data.planes.sketch.source=file", "has no '.*_edge.png' beside it"),
    ],
)
def test_a_dry_run_finds_planes_that_cannot_be_made(given, error):
    with pytest.raises(InpaintError, match=error):
        summary("model.sketch=true", "data.root=samples", given)


def test_a_dry_run_says_what_validation_measures_on_which_photos_what_decides_and_what_it_costs():
    sets = "data.val={thin: {masks: text}, thick: {root: samples, masks: lama_thick_256}}"
    options = ["validation.measures=[ssim]", "validation.best=thick/psnr", "validation.patience=3"]
    said = summary("data.root=samples", sets.replace("root: samples, ", ""), *options)
    assert "photos       9 for training, thin 3, thick 3 for validation (samples)" in said
    assert "validation   every 1,000 iterations: ssim, psnr\n" in said
    assert 'thin: 3 photos, masks "text"\n' in said
    assert "best.ckpt by val/thick/psnr, the larger the better; ends after 3 without a better one\n" in said
    assert re.search(r"time: about [\d.]+ m?s each, 0:00:\d\d in all", said)


@pytest.mark.parametrize("options", [[], ["dry_run=true"]])
def test_a_measure_that_cannot_be_had_is_refused_before_the_run(options, tmp_path, monkeypatch):
    asked = ["validation.measures=[l1]", "validation.best=psnr"]
    monkeypatch.setattr(PSNR, "missing", lambda measure: "its weights are not here: put them there")
    with pytest.raises(ConfigError, match=r"validation\.best: psnr cannot be had here: its weights are not here"):
        prepare(config.load([*TINY, f"run.folder={tmp_path}/run", *asked, *options]))
    assert list(tmp_path.iterdir()) == []


def test_fills_cannot_decide_in_a_stage_without_any(tmp_path):
    with pytest.raises(ConfigError, match=r"validation\.best=psnr: edgeconnect does not fill as it is .*edge_f1"):
        prepare(config.load([*EDGE, f"run.folder={tmp_path}/run", "validation.best=psnr"]))
    launch = prepare(config.load([*EDGE, f"run.folder={tmp_path}/run", "validation.best=edge_recall"]))
    assert (launch.selection.best, launch.selection.mode) == ("edge_recall", "max")


def trained(folder, *overrides):
    launch = prepare(config.load([*TINY, f"run.folder={folder}", *overrides]))
    launch.open()
    launch.fit(RunConsole(quiet=True))
    return launch


def resumed(folder, *overrides):
    """Return a training that would go on, after it has said what there is to say."""
    launch = prepare(config.load([f"run.folder={folder}", "resume=auto", "max_iterations=3", *overrides]))
    launch.open()
    launch.claimed.release()
    return launch


def test_the_best_by_two_measures_or_on_two_sets_is_not_compared(tmp_path, caplog):
    folder = tmp_path / "run"
    trained(folder, "validation.best=l1")
    assert resumed(folder).comparable
    assert "chosen anew" not in caplog.text
    other = resumed(folder, "validation.best=psnr")
    assert not other.comparable
    assert "best.ckpt is chosen anew among what follows, by val/psnr: it was chosen by val/l1" in caplog.text
    masked = resumed(folder, "data.val_masks=center")
    assert not masked.comparable
    assert "by val/l1: it was chosen on other photos or masks" in caplog.text
    named = resumed(folder, "data.val={own: null, boxes: {masks: box}}")
    assert named.comparable  # the same photos and masks under a name
    assert named.selection.best == "own/l1"
    assert not resumed(folder, "data.val={own: null, boxes: {masks: box}}", "validation.best=boxes/l1").comparable
    other.open()
    other.fit(RunConsole(quiet=True))
    state = read_checkpoint(folder / "last.ckpt")
    assert (state["best_by"], [iteration for _, iteration in state["best"]]) == ("psnr", [3])


def test_a_run_of_before_there_were_named_sets_goes_on_with_its_best(tmp_path):
    folder = tmp_path / "run"
    trained(folder)
    state = torch.load(folder / "last.ckpt", weights_only=True)
    single = state["data"].pop("sets")[""]
    state["data"] |= {"val_names": single["names"], "val_hashes": single["hashes"], "view": single["view"]}
    torch.save({key: value for key, value in state.items() if key not in ("best_by", "waited")}, folder / "last.ckpt")
    launch = resumed(folder, "validation.patience=1")
    assert (launch.comparable, launch.finished) == (True, False)
    launch.open()
    launch.fit(RunConsole(quiet=True))
    best = [tuple(entry) for entry in read_checkpoint(folder / "last.ckpt")["best"]]
    assert best == min([best, [tuple(entry) for entry in state["best"]]])


def test_a_dry_run_fetches_nothing_and_says_what_a_training_would(monkeypatch, tmp_path):
    def fail(*_, **__):
        raise AssertionError("a dry run asks no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    said = summary("losses.seen={kind: perceptual, of: raw, layers: [pool1], weight: 1}")
    assert "to fetch     https://download.pytorch.org/models/vgg16-397923af.pth" in said
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_fetches_no_initial_weights_and_says_which(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")

    def fail(*_, **__):
        raise AssertionError("a dry run asks no network")

    monkeypatch.setattr(hub, "hf_hub_download", fail)
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *_: None)
    assert "to fetch     hf://owner/name/model.safetensors" in summary("init=hf://owner/name")


def test_a_damaged_checkpoint_names_the_command_that_goes_back_to_the_best(tmp_path):
    folder = tmp_path / "run"
    launch = prepare(config.load([*TINY, f"run.folder={folder}"]))
    launch.open()
    launch.fit(RunConsole(quiet=True))
    (folder / "last.ckpt").write_bytes((folder / "last.ckpt").read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"last\.ckpt.*; go back to the best state: inpaint train ") as damaged:
        prepare(config.load([f"run.folder={folder}", "resume=auto"]))
    advice = shlex.split(str(damaged.value).partition(": inpaint train ")[2])
    assert prepare(config.load(advice)).data.start_iteration == 2


def test_a_record_that_somebody_removes_with_its_folder_is_written_again(tmp_path):
    folder = tmp_path / "run"
    launch = prepare(config.load([*TINY, f"run.folder={folder}", "save_every=1"]))
    launch.open()
    step = launch.module.training_step

    def and_remove(*arguments):
        if launch.module.iteration == 1:
            shutil.rmtree(folder)
        step(*arguments)

    launch.module.training_step = and_remove
    launch.fit(RunConsole(quiet=True))
    assert yaml.safe_load((folder / "config.yaml").read_text())["batch_size"] == 2
    assert (folder / "last.ckpt").exists()


def test_a_dry_run_warns_of_photos_below_the_crop_and_of_memory_that_is_not_there(monkeypatch, photos, caplog):
    monkeypatch.setattr(plan, "hardware", lambda: {"memory_bytes": 1000})
    said = summary(f"data.root={photos}", "data.size=48")
    assert "4 of 4 training photos are smaller than data.size=48 and would be enlarged" in caplog.text
    assert re.search(r"about [\d.]+ GB of memory are needed and 0\.0 GB are there: a smaller batch_size", caplog.text)
    assert "4 of 4 are smaller than the crop, enlarged to 48 px" in said


def test_an_estimate_of_time_leaves_the_networks_as_they_are():
    module = prepare(config.load([*TINY])).module
    before = {name: value.clone() for name, value in module.state_dict().items()}
    random = torch.get_rng_state()
    assert plan.seconds_per_iteration(module, size_px=32, samples=2) > 0
    assert all(value.equal(before[name]) for name, value in module.state_dict().items())
    assert torch.get_rng_state().equal(random)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_folders_of_masks_are_recorded_so_that_they_are_found_from_everywhere(tmp_path, monkeypatch):
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.pad(np.full((9, 9), 255, np.uint8), 12)).save(tmp_path / "masks" / "m.png")
    monkeypatch.chdir(tmp_path)
    made = config.load([*TINY, "data.masks=[{mask: 'folder:masks', weight: 1}, box]", "data.val_masks=folder:masks"])
    recorded = made.resolved()["data"]
    assert recorded["val_masks"] == f"folder:{tmp_path}/masks"
    assert recorded["masks"][0]["mask"] == f"folder:{tmp_path}/masks"
