"""Run folders, checkpoints and weights that version 0.1.0 wrote load, fill and go on."""

import csv

import pytest
import torch

import inpaint
from earlier_runs import EarlierRun, probes, request, write_photos
from inpaint.cli.main import run

MODELS = ("deepfill", "edgeconnect", "pconv", "pluralistic")
CALLED_TODAY = {"data.sketch_sigma": "data.planes.sketch.sigma_px"}


def arguments(earlier, folder, photos):
    """Return what a user adds to `inpaint train` to go on, with the keys of today."""
    given = [argument.partition("=") for argument in earlier.expected["arguments"]]
    return [
        *(f"{CALLED_TODAY.get(key, key)}={value}" for key, _, value in given),
        *(f"data.root={photos}", f"data.val={photos}/val", f"run.folder={folder}"),
        *("max_iterations=4", "resume=auto", "logger=csv"),
    ]


@pytest.mark.parametrize("model", MODELS)
def test_weights_of_0_1_0_fill_as_they_did(model, tmp_path):
    earlier, photos = EarlierRun(model), write_photos(tmp_path / "photos", model)
    fill = inpaint.load(earlier.write(tmp_path / "run", photos), device="cpu").fill(*request(), seed=1)[0]
    assert probes(fill.raw) == pytest.approx(earlier.expected["raw"], abs=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_a_run_of_0_1_0_goes_on_with_the_same_losses(model, tmp_path, capsys):
    earlier, photos = EarlierRun(model), write_photos(tmp_path / "photos", model)
    folder = earlier.write(tmp_path / "run", photos)
    assert run(["train", *arguments(earlier, folder, photos)]) == 0, capsys.readouterr().err
    with (folder / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["iteration"] in ("3", "4")]
    for row, losses in zip(rows, earlier.expected["losses"], strict=True):
        measured = {name: float(row[name]) for name in losses}
        assert measured == pytest.approx(losses, rel=1e-3, abs=1e-5)
    state = torch.load(folder / "last.ckpt", weights_only=True)
    assert state["iteration"] == 4


def test_a_key_of_0_1_0_is_answered_with_its_new_name(tmp_path, capsys):
    photos = write_photos(tmp_path / "photos", "deepfill")
    command = ["train", "model=deepfill", f"data.root={photos}", f"run.folder={tmp_path}/run", "data.sketch=dots"]
    assert run(command) == 2
    error = capsys.readouterr().err
    assert "data.planes.sketch" in error
    assert error.count("\n") == 1
