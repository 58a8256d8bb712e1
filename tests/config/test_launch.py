"""A training from its configuration to its folder, without the command line."""

from __future__ import annotations

import os

import pytest
import yaml

from inpaint import config
from inpaint.config.launch import prepare
from inpaint.errors import ConfigError, RunError
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


def test_a_training_is_prepared_opened_and_run(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    launch = prepare(config.load([*TINY, f"run.folder={folder}"]))
    assert not folder.exists()
    launch.open()
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]
    assert "Repeat this run" in (folder / "config.yaml").read_text()
    monkeypatch.setenv(FOLDER_VARIABLE, "another run's")
    result, closing = launch.fit(RunConsole(quiet=True))
    assert os.environ[FOLDER_VARIABLE] == "another run's"
    assert (result.iteration, result.interrupted_by, closing) == (2, None, [])
    assert (folder / "model.safetensors").is_file()
    with pytest.raises(RunError, match="already holds a run"):
        prepare(config.load([*TINY, f"run.folder={folder}"]))


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
    assert [subjects[0], *subjects[-6:]] == [
        "run",
        *("model", "losses", "iterations", "batch", "hardware", "memory"),
    ]
    assert lines[0] == "run folder   new, start at iteration 0"
    assert "losses       refined, adversary" in lines
    assert list(tmp_path.iterdir()) == []


def test_a_training_needs_photos(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.root is missing"):
        prepare(config.load([*TINY, "data.root=null", f"run.folder={tmp_path}/run"]))
