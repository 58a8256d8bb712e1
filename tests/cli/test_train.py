"""`inpaint train`: one run from the command line to its folder, and what is refused before anything is written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from inpaint.cli.main import run
from tiny_training import TINY, iterations


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory) -> Path:
    """A finished run of four iterations."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    assert run(["train", *TINY, f"data.root={photos}", f"run.folder={folder}"]) == 0
    return folder


def refused(arguments: list[str], capsys, status: int) -> str:
    """Run, expect the exit status, and return the one line on standard error."""
    assert run(["train", *arguments]) == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


def test_a_run_is_one_folder_with_everything_in_it(trained):
    assert {path.name for path in trained.iterdir()} == {
        "config.yaml",
        "last.ckpt",
        "best.ckpt",
        "best.safetensors",
        "model.safetensors",
        "metrics.csv",
        "panels",
    }
    assert iterations(trained) == [2, 4]


def test_the_stored_configuration_repeats_the_run_bit_for_bit(trained, tmp_path, capsys):
    again = tmp_path / "again"
    assert run(["train", "--config-dir", str(trained), "--config-name", "config", f"run.folder={again}"]) == 0
    first, second = (load_file(folder / "model.safetensors") for folder in (trained, again))
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)
    assert f"inpaint infer --model {again}" in capsys.readouterr().out


def test_a_run_goes_on_where_it_stopped(photos, tmp_path, capsys):
    arguments = ["train", *TINY, f"data.root={photos}", f"run.folder={tmp_path}/run", "resume=auto"]
    assert run([*arguments, "max_iterations=2"]) == 0
    assert run(arguments) == 0
    assert "resuming at 2" in capsys.readouterr().out
    assert iterations(tmp_path / "run") == [2, 4]


def test_a_run_can_start_from_the_weights_of_another(trained, photos, tmp_path):
    new = tmp_path / "new"
    arguments = ["train", *TINY, f"data.root={photos}", f"run.folder={new}", f"init={trained}", "max_iterations=1"]
    frozen = ["optimizers.generator.lr=1e-30", "optimizers.discriminator.lr=1e-30"]
    assert run([*arguments, *frozen]) == 0
    before, after = (load_file(folder / "model.safetensors") for folder in (trained, new))
    assert all(before[name].equal(after[name]) for name in before if name.startswith("generator."))


def test_a_dry_run_prints_the_plan_and_writes_nothing(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (photos / "broken.png").write_text("no image")
    try:
        assert run(["train", *TINY, f"data.root={photos}", "dry_run=true"]) == 0
    finally:
        (photos / "broken.png").unlink()
    plan = capsys.readouterr().out
    for part in ("checkpoints/deepfill-", "for training", "for validation", "broken.png", "generator", "discriminator"):
        assert part in plan
    for part in ("passes over the data", "2 samples per device", "GB per device", "CPU", "nothing was written"):
        assert part in plan
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_is_printed_as_yaml_that_states_everything(capsys):
    assert run(["train", "--cfg", "job", "model.width=32"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["model"]["width"] == 32
    assert printed["trainer"]["tf32"] is True


def test_help_shows_examples(capsys):
    assert run(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    for part in ("dry_run=true", "resume=auto", "--config-dir mine", "-m data.root=photos/"):
        assert part in shown
    for part in ("[a,b]", "{a: b}", "GROUP=NAME", "~KEY"):
        assert part in shown
    assert "Hydra" not in shown


def test_the_configuration_is_printed_without_torch():
    code = (
        "import sys; from inpaint.cli.main import run\n"
        "status = run(['train', '--cfg', 'job', 'model=pluralistic'])\n"
        "sys.exit(status or any(name.split('.')[0] in ('torch', 'pytorch_lightning') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["model"]["name"] == "pluralistic"


@pytest.mark.parametrize(
    ("overrides", "status", "part"),
    [
        (["batch_sice=2"], 2, "did you mean 'batch_size'?"),
        (["batch_size=many"], 2, 'batch_size="many"'),
        (["data.root=nowhere"], 1, "nowhere"),
        (["data.root=null"], 2, "data.root is missing"),
        (["losses.coarse.kind=l3"], 2, "unknown loss 'l3'"),
        (["losses.coarse.weight=-1"], 2, "losses.coarse.weight=-1"),
        (["optimizers.generater.lr=1"], 2, "generater"),
        (
            ["losses.coarse.of=corse"],
            2,
            "losses.coarse.of: unknown entry of the record 'corse' (did you mean 'coarse'?)",
        ),
        (["losses.coarse.of=hole_share"], 2, "valid: coarse, completed, image, mask, masked, raw"),
        (["losses.adversary.of=completet"], 2, "losses.adversary.of: unknown entry of the record 'completet'"),
        (["data.size=30"], 2, "data.size=30"),
        (["model.padding=reflect"], 2, "data.size=32"),
        (["resume=nowhere"], 1, "resume=nowhere"),
        (["init=nowhere"], 1, "nowhere"),
        (["batch_size=3", "trainer.devices=2"], 2, "multiple of 2 devices"),
        (["--nonsense"], 2, "--nonsense"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(overrides, status, part, photos, tmp_path, capsys):
    folder = tmp_path / "run"
    arguments = [*TINY, f"data.root={photos}", f"run.folder={folder}", *overrides]
    assert part in refused(arguments, capsys, status)
    assert not folder.exists()


def test_a_dry_run_finds_what_a_first_step_would_find(photos, capsys):
    arguments = [*TINY, f"data.root={photos}", "dry_run=true"]
    assert "unknown entry of the record 'corse'" in refused([*arguments, "losses.coarse.of=corse"], capsys, 2)
    assert "data.size=30" in refused([*arguments, "data.size=30"], capsys, 2)


def test_a_rehearsal_changes_no_network_and_no_random_numbers():
    import torch

    from inpaint import config
    from inpaint.losses import parse_losses
    from inpaint.registry import table as registry
    from inpaint.training.plan import dry_run_step

    made = config.load(["model.width=8", "model.discriminator.width=4"])
    module = registry.training_class("deepfill")(made.architecture(), losses=parse_losses(made.losses), loop=made.loop)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    modes, random = [part.training for part in module.modules()], torch.get_rng_state()
    dry_run_step(module, size_px=32)
    assert all(value.equal(before[name]) for name, value in module.state_dict().items())
    assert [part.training for part in module.modules()] == modes
    assert torch.get_rng_state().equal(random)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_an_empty_folder_is_named(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert "empty" in refused([*TINY, f"data.root={tmp_path}/empty", f"run.folder={tmp_path}/run"], capsys, 1)
    assert not (tmp_path / "run").exists()


def test_an_existing_run_is_not_overwritten(trained, photos, capsys):
    before = (trained / "last.ckpt").read_bytes()
    assert "already holds a run" in refused([*TINY, f"data.root={photos}", f"run.folder={trained}"], capsys, 1)
    assert (trained / "last.ckpt").read_bytes() == before


def test_another_architecture_does_not_resume(trained, photos, capsys):
    arguments = [*TINY, f"data.root={photos}", f"run.folder={trained}", "resume=auto", "model.width=12"]
    assert "model.width=12 (the run has 8)" in refused(arguments, capsys, 1)


@pytest.mark.parametrize("unlike", ["optimizers.generator.kind=sgd", "losses.adversary=null", "checkpoint"])
def test_a_resume_that_is_refused_leaves_the_folder_as_it_was(unlike, trained, photos, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    arguments = [*TINY, f"data.root={photos}", f"run.folder={folder}", "resume=auto", "max_iterations=6"]
    if unlike == "checkpoint":  # it says another architecture than the configuration beside it
        import torch

        state = torch.load(folder / "last.ckpt", weights_only=True)
        torch.save({**state, "config": {**state["config"], "width": 16}}, folder / "last.ckpt")
    else:
        arguments.append(unlike)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    said = refused(arguments, capsys, 1)
    assert ("model.width" if unlike == "checkpoint" else unlike.partition("=")[0]) in said
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_a_resume_that_is_accepted_keeps_the_new_configuration(trained, photos, tmp_path):
    folder = tmp_path / "branch"
    arguments = [*TINY, f"data.root={photos}", f"run.folder={folder}", f"resume={trained}", "max_iterations=5"]
    assert run(["train", *arguments]) == 0
    assert yaml.safe_load((folder / "config.yaml").read_text())["max_iterations"] == 5


def test_a_folder_that_cannot_be_written_is_named(photos, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    arguments = [*TINY, f"data.root={photos}", f"run.folder={tmp_path}/file/run"]
    assert "Not a directory" in refused(arguments, capsys, 1)


@pytest.mark.parametrize("damage", ["truncated", "code"])
def test_a_checkpoint_that_cannot_be_trusted_is_refused(damage, trained, photos, tmp_path, capsys):
    checkpoint = tmp_path / "old" / "last.ckpt"
    checkpoint.parent.mkdir()
    if damage == "truncated":
        checkpoint.write_bytes((trained / "last.ckpt").read_bytes()[:1000])
    else:
        import torch

        torch.save({"format": "x", "run": os.system}, checkpoint)
    arguments = [*TINY, f"data.root={photos}", f"resume={checkpoint}", f"run.folder={tmp_path}/run"]
    assert "last.ckpt" in refused(arguments, capsys, 1)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def unread():
    """A pipe that nobody reads, as behind `| head`."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as file:
        yield file


def test_a_training_outlives_the_reader_of_what_it_prints(photos, tmp_path, monkeypatch, unread):
    monkeypatch.setattr(sys, "stdout", unread)
    folder = tmp_path / "run"
    assert run(["train", *TINY, f"data.root={photos}", f"run.folder={folder}"]) == 0
    assert iterations(folder) == [2, 4]
    assert (folder / "last.ckpt").exists()


def test_a_training_outlives_the_reader_of_its_warnings(photos, tmp_path, monkeypatch, unread):
    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos" / "broken.png").write_text("no image")  # one warning
    monkeypatch.setattr(sys, "stderr", unread)
    folder = tmp_path / "run"
    assert run(["train", *TINY, f"data.root={tmp_path}/photos", f"run.folder={folder}"]) == 0
    assert iterations(folder) == [2, 4]


def test_an_error_in_a_loader_process_is_one_line(photos, tmp_path, monkeypatch, capsys):
    from inpaint.data.stream import SampleStream
    from inpaint.errors import DataError

    ask = SampleStream.__getitem__

    def fail_later(stream, number):
        if number >= 4:
            raise DataError("none of the photos tried can be decoded; the first was 1.png: truncated")
        return ask(stream, number)

    monkeypatch.setattr(SampleStream, "__getitem__", fail_later)
    for workers in (0, 1):
        arguments = [*TINY, f"data.root={photos}", f"run.folder={tmp_path}/{workers}", f"data.workers={workers}"]
        assert refused(arguments, capsys, 1) == (
            "error: none of the photos tried can be decoded; the first was 1.png: truncated; saved at iteration 2, "
            f"go on with: inpaint train run.folder={tmp_path}/{workers} resume=auto"
        )


@pytest.mark.slow
def test_two_processes_share_one_default_folder(photos, tmp_path):
    arguments = [*TINY, f"data.root={photos}", "trainer.devices=2"]
    done = subprocess.run(
        [sys.executable, "-m", "inpaint", "train", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "checkpoints").iterdir()
    assert iterations(folder) == [2, 4]
    assert done.stdout.count("run folder") == 1
