"""`inpaint train -m`: every combination of values as a run of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inpaint import config
from inpaint.cli import sweep
from inpaint.cli.main import run
from inpaint.errors import ConfigError


@pytest.fixture
def commands(monkeypatch) -> list[list[str]]:
    """Commands that would have run; every second one fails."""
    noted: list[list[str]] = []

    def note(self, command) -> int:
        noted.append(list(command))
        return (len(noted) + 1) % 2

    monkeypatch.setattr(sweep.Forwarding, "run", note)
    return noted


def plan(*overrides: str) -> list[list[str]]:
    return sweep.plan_jobs(overrides, config_dir=None, config_name="train")


def folders(jobs: list[list[str]]) -> list[str]:
    return [job[-1] for job in jobs]


def test_each_job_has_its_own_folder_named_after_its_values():
    jobs = plan("data.root=samples", "model.width=16,32", "seed=0", "run.folder=checkpoints/w")
    assert folders(jobs) == [
        "run.folder='checkpoints/w/0-model.width=16'",
        "run.folder='checkpoints/w/1-model.width=32'",
    ]
    assert all(job[:3:2] == ["data.root=samples", "seed=0"] for job in jobs)


def test_without_a_folder_the_sweep_gets_one():
    names = {job.split("/")[1] for job in folders(plan("data.root=samples", "seed=0,1"))}
    assert len(names) == 1
    assert names.pop().startswith("sweep-")


def test_swept_folders_are_taken_as_they_are():
    jobs = plan("data.root=samples", "run.folder=a,b")
    assert jobs == [["data.root=samples", "run.folder=a"], ["data.root=samples", "run.folder=b"]]


def test_runs_of_a_sweep_that_are_logged_to_wandb_are_a_group(monkeypatch):
    monkeypatch.delenv("WANDB_RUN_GROUP", raising=False)
    sweep_of = ["data.root=samples", "seed=0,1", "run.folder=checkpoints/widths"]

    def groups(*options):
        return [config.load(job).wandb.group for job in plan(*sweep_of, *options)]

    assert groups("logger=[csv,wandb]") == ["widths", "widths"]
    assert groups("logger=wandb", "wandb.group=mine") == ["mine", "mine"]
    assert groups() == [None, None]
    monkeypatch.setenv("WANDB_RUN_GROUP", "theirs")
    assert groups("logger=wandb") == [None, None]


def test_folder_names_hold_nothing_a_file_system_minds():
    name = sweep.folder_name(3, ["data.masks={kind: box}", "+x='a/b'", "y=" + "z" * 300])
    assert name.startswith("3-data.masks=_kind_box_,x=_a_b_,y=zzz")
    assert len(name) <= 120


def test_the_folder_of_a_job_survives_the_grammar():
    for folder in ("a/b-1", "0-x=1,y=2", "it's, here", "back\\slash", "(1)"):
        assert config.load([f"run.folder={config.quoted(folder)}"]).run.folder == folder


def test_a_failing_run_does_not_stop_the_others_and_the_first_is_named(commands, capsys):
    assert run(["train", "-m", "data.root=samples", "batch_size=1,2,4", "run.folder=x"]) == 1
    assert len(commands) == 3
    assert all(command[1:4] == ["-m", "inpaint", "train"] for command in commands)
    assert "1 of 3 runs failed, the first is run 2" in capsys.readouterr().err


def test_every_job_is_checked_before_the_first_runs(commands, capsys):
    assert run(["train", "-m", "data.root=samples", "batch_size=2,none"]) == 2
    assert 'batch_size="none"' in capsys.readouterr().err
    assert run(["train", "-m", "seed=0,1"]) == 2
    assert "data.root is missing" in capsys.readouterr().err
    assert commands == []


def test_a_sweep_cannot_resume_one_checkpoint():
    with pytest.raises(ConfigError, match="resume=x"):
        plan("data.root=samples", "seed=0,1", "resume=x")


def test_one_configuration_is_printed_not_many(capsys):
    assert run(["train", "-m", "--cfg", "job", "seed=0,1"]) == 2
    assert "-m" in capsys.readouterr().err


def test_signals_reach_the_process_that_runs(tmp_path):
    script = tmp_path / "wait.py"
    script.write_text(
        "import pathlib, signal, sys, time\n"
        "def save(*_):\n"
        f"    pathlib.Path({str(tmp_path / 'saved')!r}).touch()\n"
        "    sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        f"pathlib.Path({str(tmp_path / 'ready')!r}).touch()\n"
        "time.sleep(30)\n"
    )
    before = signal.getsignal(signal.SIGTERM)
    with sweep.Forwarding() as forwarding:
        pid = os.getpid()
        helper = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import os, pathlib, signal, time\n"
                f"while not pathlib.Path({str(tmp_path / 'ready')!r}).exists(): time.sleep(0.02)\n"
                f"os.kill({pid}, signal.SIGTERM)",
            ]
        )
        assert forwarding.run([sys.executable, str(script)]) == 143
        helper.wait()
    assert forwarding.signal_number == signal.SIGTERM
    assert (tmp_path / "saved").exists()
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.slow
def test_a_real_sweep_over_two_processes_each_trains_every_combination(tmp_path):
    command = [sys.executable, "-m", "inpaint", "train", "-m", "data.root=samples", "data.size=32", "data.workers=0"]
    options = ["model.width=8,12", "model.discriminator.width=8", "batch_size=2", "max_iterations=1", "run.folder=runs"]
    trainer = ["trainer.accelerator=cpu", "trainer.devices=2", "validation.panel=0"]
    started = time.monotonic()
    done = subprocess.run(
        [*command, *options, *trainer],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr} after {time.monotonic() - started:.0f} s"
    found = sorted(path.parent.name for path in Path(tmp_path / "runs").glob("*/last.ckpt"))
    assert found == ["0-model.width=8", "1-model.width=12"]
