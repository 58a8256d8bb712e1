"""What `inpaint train` says, before it writes anything, when the hardware or the launcher is not as asked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from inpaint.cli.main import run
from inpaint.training.runs import FOLDER_VARIABLE

TINY = [
    "data.root=samples",
    "data.size=32",
    "data.workers=0",
    "model.width=8",
    "model.discriminator.width=4",
    "batch_size=8",
    "max_iterations=1",
    "validation.panel=0",
    "trainer.threads=1",
]
VARIABLES = [
    "TORCHELASTIC_RUN_ID",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "RANK",
    "LOCAL_RANK",
    "GROUP_RANK",
    "NODE_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
    "SLURM_STEP_NUM_TASKS",
    "SLURM_JOB_ID",
    "SLURM_JOB_NAME",
    "SLURM_NTASKS",
    "SLURM_NTASKS_PER_NODE",
    FOLDER_VARIABLE,
]


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine without GPU, and no trace of a launcher; returns what makes it another one."""
    for name in (*VARIABLES, "SLURM_STEP_NUM_NODES", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)

    def has(gpus: int, *, mps: bool = False) -> None:
        monkeypatch.setattr("torch.cuda.is_available", lambda: gpus > 0)
        monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
        monkeypatch.setattr(
            "torch.cuda.get_device_properties",
            lambda number: SimpleNamespace(name=f"Card {number}", total_memory=24 * 1024**3),
        )
        monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)

    has(0)
    return has


def refused(tmp_path, capsys, *overrides: str) -> str:
    """Expect a refusal as bad usage in one line, of the run and of its dry run, and nothing on the disk."""
    folder = tmp_path / "run"
    lines = []
    for dry in ("false", "true"):
        assert run(["train", *TINY, f"run.folder={folder}", f"dry_run={dry}", *overrides]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        lines.append(err)
        assert not folder.exists()
    assert lines[0] == lines[1]
    assert lines[0].startswith("error: ")
    assert lines[0].count("\n") == 1
    return lines[0]


@pytest.mark.parametrize("accelerator", ["gpu", "cuda", "mps"])
def test_a_gpu_that_is_not_there_is_refused(accelerator, tmp_path, capsys):
    said = refused(tmp_path, capsys, f"trainer.accelerator={accelerator}", "trainer.devices=2")
    assert f"trainer.accelerator={accelerator}: this machine has no GPU" in said
    assert "valid here: auto, cpu" in said


def test_more_gpus_than_there_are_is_refused_and_names_those_there_are(machine, tmp_path, capsys):
    machine(2)
    said = refused(tmp_path, capsys, "trainer.devices=4")
    assert "trainer.devices=4: this machine has 2 GPUs: Card 0 (24 GB), Card 1 (24 GB)" in said
    machine(0, mps=True)
    assert "an Apple GPU" in refused(tmp_path, capsys, "trainer.devices=2")


def test_half_precision_on_the_cpu_is_refused_and_not_replaced_silently(tmp_path, capsys):
    said = refused(tmp_path, capsys, "trainer.accelerator=cpu", "trainer.precision=16-mixed")
    assert "trainer.precision=16-mixed needs a GPU" in said
    assert "bf16-mixed" in said


@pytest.mark.parametrize(
    ("processes", "per_machine", "overrides", "advice"),
    [
        (2, 2, [], "trainer.devices=2 trainer.num_nodes=1"),
        (2, 2, ["trainer.devices=1"], "trainer.devices=2 trainer.num_nodes=1"),
        (1, 1, ["trainer.devices=2"], "trainer.devices=1 trainer.num_nodes=1"),
        (8, 4, ["trainer.devices=8"], "trainer.devices=4 trainer.num_nodes=2"),
        (4, 2, ["trainer.devices=1", "trainer.num_nodes=4"], "trainer.devices=2 trainer.num_nodes=2"),
    ],
)
def test_processes_that_torchrun_started_otherwise_than_configured_are_refused(
    processes, per_machine, overrides, advice, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(per_machine))
    said = refused(tmp_path, capsys, "trainer.accelerator=cpu", *overrides)
    assert f"torchrun started {processes} process" in said
    assert said.endswith(f"give {advice}\n")


def test_tasks_that_srun_started_otherwise_than_configured_are_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    said = refused(tmp_path, capsys, "trainer.accelerator=cpu", "trainer.devices=1")
    assert "srun started 2 processes, 2 on this machine" in said


@pytest.mark.parametrize(
    ("left", "overrides"),
    [
        ({"RANK": "1"}, []),
        ({"LOCAL_RANK": "3"}, []),
        ({"RANK": "2", "LOCAL_RANK": "2"}, []),
        ({"NODE_RANK": "1"}, []),
        ({"GROUP_RANK": "1"}, []),
        ({"SLURM_PROCID": "5"}, []),
        ({"MASTER_ADDR": "10.0.0.7"}, ["trainer.devices=2"]),
        ({"LOCAL_RANK": "0"}, ["trainer.devices=2"]),
        ({"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "x"}, []),
        ({"SLURM_JOB_ID": "5", "SLURM_STEP_NUM_TASKS": "two"}, []),
    ],
)
def test_variables_that_another_job_has_left_behind_are_named_with_how_to_remove_them(
    left, overrides, tmp_path, capsys, monkeypatch
):
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    said = refused(tmp_path, capsys, "trainer.accelerator=cpu", *overrides)
    named = {name: value for name, value in left.items() if name not in ("TORCHELASTIC_RUN_ID", "SLURM_JOB_ID")}
    assert ", ".join(f"{name}={value}" for name, value in named.items()) in said
    assert f"`unset {' '.join(named)}`" in said


def test_a_process_of_a_larger_job_that_is_over_does_not_train_as_one_of_many(tmp_path, capsys, monkeypatch):
    left = {"MASTER_ADDR": "10.0.0.7", "MASTER_PORT": "29500", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "RANK": "1"}
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    assert "RANK=1, LOCAL_RANK=1 in the environment" in refused(tmp_path, capsys, "trainer.accelerator=cpu")


@pytest.mark.parametrize(
    ("there", "overrides"),
    [
        ({"RANK": "0", "LOCAL_RANK": "0"}, []),
        ({"RANK": ""}, []),
        ({"NODE_RANK": "1"}, ["trainer.num_nodes=2"]),
        ({"MASTER_ADDR": "10.0.0.7"}, []),
        ({"MASTER_ADDR": "localhost"}, ["trainer.devices=2"]),
        ({"SLURM_JOB_ID": "5", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "interactive"}, []),
        ({"SLURM_JOB_ID": "5", "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, ["trainer.devices=2"]),
    ],
)
def test_variables_that_change_nothing_are_let_be(there, overrides, tmp_path, capsys, monkeypatch):
    for name, value in there.items():
        monkeypatch.setenv(name, value)
    arguments = ["train", *TINY, f"run.folder={tmp_path}/run", "dry_run=true", "trainer.accelerator=cpu", *overrides]
    assert run(arguments) == 0, capsys.readouterr().err


def test_a_batch_script_without_srun_is_told_how_its_tasks_start(tmp_path, capsys, monkeypatch):
    for name, value in {"SLURM_JOB_ID": "5", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}.items():
        monkeypatch.setenv(name, value)
    said = refused(tmp_path, capsys)
    assert "4 tasks, and only srun starts them: write srun before `inpaint train`, or ask for --ntasks=1" in said
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    assert "ask for --ntasks-per-node, not --ntasks=4" in refused(tmp_path, capsys)


def test_compiling_without_a_compiler_is_refused_before_the_run(tmp_path, capsys, monkeypatch):
    def missing(*arguments, **options):
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\n  in a long list\n")

    monkeypatch.setattr("torch.compile", lambda module: missing)
    said = refused(tmp_path, capsys, "trainer.compile=true", "trainer.accelerator=cpu")
    assert "(InvalidCxxCompiler: No working C++ compiler found): install a C++ compiler such as g++, or give" in said


def test_a_launcher_that_agrees_is_let_through(tmp_path, capsys, monkeypatch):
    arguments = ["train", *TINY, f"run.folder={tmp_path}/run", "dry_run=true", "trainer.accelerator=cpu"]
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert run([*arguments, "trainer.devices=2", "trainer.num_nodes=2"]) == 0
    assert "1 thread; 4 processes, 32-true" in capsys.readouterr().out


def test_one_of_a_thing_is_not_called_several(tmp_path, capsys):
    assert run(["train", *TINY, f"run.folder={tmp_path}/run", "dry_run=true", "trainer.accelerator=cpu"]) == 0
    assert "1 thread; 1 process, 32-true" in capsys.readouterr().out
