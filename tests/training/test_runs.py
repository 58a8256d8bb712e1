"""Run folders: who may start in one, and what resuming allows."""

from __future__ import annotations

import json
import os
import platform
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inpaint.config.overrides import parse
from inpaint.errors import LostRunError, RunError
from inpaint.training.runs import (
    FOLDER_VARIABLE,
    claim,
    default_folder,
    differences,
    first_process,
    resume_command,
)
from inpaint.weights.runs import RunFolder

CONFIG = {
    "model": {"name": "deepfill", "width": 16, "attention": {"fuse": True}},
    "batch_size": 4,
    "max_iterations": 100,
    "seed": 0,
    "data": {"root": "photos", "workers": 0},
    "optimizers": {"generator": {"lr": 1e-4, "schedule": {"kind": "constant"}}},
    "logger": "csv",
}


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No trace of a launcher in the environment."""
    names = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID")
    for name in (*names, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_JOB_ID", FOLDER_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def begun(tmp_path: Path) -> RunFolder:
    """A run with a checkpoint."""
    run = RunFolder(tmp_path / "run")
    run.create(CONFIG)
    run.last.write_bytes(b"state")
    return run


def changed(**changes) -> dict:
    return {**CONFIG, **changes}


def test_a_new_folder_is_free_and_nothing_is_written_by_asking(tmp_path):
    for resume in (None, "auto"):
        claimed = claim(str(tmp_path / "a" / "b"), CONFIG, resume=resume)
        assert (claimed.run.path, claimed.checkpoint) == (tmp_path / "a" / "b", None)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_run_without_resume_is_an_error_that_names_the_way_on(begun):
    with pytest.raises(RunError, match=r"run already holds a run: resume=auto continues it"):
        claim(str(begun.path), CONFIG, resume=None)


def test_auto_continues_from_the_last_checkpoint(begun):
    assert claim(str(begun.path), CONFIG, resume="auto").checkpoint == begun.last


def test_auto_starts_anew_when_a_kill_left_only_the_configuration(begun):
    begun.last.unlink()
    assert claim(str(begun.path), CONFIG, resume="auto").checkpoint is None


def test_the_same_command_starts_again_when_a_crash_left_only_the_configuration(begun):
    begun.last.unlink()
    claimed = claim(str(begun.path), CONFIG, resume=None)
    assert (claimed.run.path, claimed.checkpoint) == (begun.path, None)


@pytest.mark.parametrize("kept", ["last.ckpt", "best.ckpt", "model.safetensors"])
def test_a_folder_that_holds_anything_learnt_is_taken(kept, tmp_path):
    (tmp_path / kept).write_bytes(b"learnt")
    with pytest.raises(RunError, match="already holds a run"):
        claim(str(tmp_path), CONFIG, resume=None)


def test_auto_does_not_overwrite_an_import(tmp_path):
    run = RunFolder(tmp_path)
    run.weights.write_bytes(b"weights")
    for _ in range(2):
        with pytest.raises(RunError, match="already holds a run that cannot be resumed"):
            claim(str(tmp_path), CONFIG, resume="auto")
        run.create({"model": CONFIG["model"]})  # imports have a configuration too


def test_auto_without_a_folder_would_never_find_anything():
    with pytest.raises(RunError, match=r"resume=auto needs run\.folder"):
        claim(None, CONFIG, resume="auto")


def test_a_path_continues_in_its_own_folder_or_branches_into_another(begun, tmp_path):
    for place in (begun.path, begun.last):
        claimed = claim(None, CONFIG, resume=str(place))
        assert (claimed.run.path, claimed.checkpoint) == (begun.path, begun.last)
    branch = claim(str(tmp_path / "branch"), CONFIG, resume=str(begun.last))
    assert (branch.run.path, branch.checkpoint) == (tmp_path / "branch", begun.last)


def test_a_branch_does_not_overwrite_a_third_run(begun, tmp_path):
    third = RunFolder(tmp_path / "third")
    third.create(CONFIG)
    third.weights.write_bytes(b"weights")
    with pytest.raises(RunError, match="third already holds a run"):
        claim(str(tmp_path / "third"), CONFIG, resume=str(begun.path))


def test_a_missing_path_is_an_error_and_not_a_fresh_start(begun, tmp_path):
    with pytest.raises(RunError, match=r"resume=nowhere: no such run folder or checkpoint"):
        claim(str(tmp_path / "new"), CONFIG, resume="nowhere")
    begun.last.unlink()
    with pytest.raises(RunError, match=r"holds no last\.ckpt"):
        claim(None, CONFIG, resume=str(begun.path))


def test_another_architecture_is_an_error_that_names_the_keys(begun):
    other = changed(model={"name": "deepfill", "width": 24, "attention": {"fuse": False}})
    with pytest.raises(RunError) as caught:
        claim(str(begun.path), other, resume="auto")
    assert "with other model options: " in str(caught.value)  # of which some say how to train
    assert "model.width=24 (the run has 16)" in str(caught.value)
    assert "model.attention.fuse=false (the run has true)" in str(caught.value)


def with_losses(**losses) -> dict:
    pixel = {"kind": "l1", "of": "raw", "weight": 1.0}
    return changed(losses={"pixel": pixel, **losses})


HINGE = {"kind": "hinge", "of": "completed", "weight": 1.0}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            with_losses(adversary=HINGE),
            with_losses(adversary=None),
            'losses.adversary.discriminator=null (the run has "discriminator")',
        ),
        (
            with_losses(),
            with_losses(adversary=HINGE),
            'losses.adversary.discriminator="discriminator" (the run has null)',
        ),
        (
            with_losses(adversary=HINGE),
            with_losses(adversary={**HINGE, "discriminator": "local"}),
            'losses.adversary.discriminator="local" (the run has "discriminator")',
        ),
    ],
)
def test_other_discriminators_are_an_error_that_names_the_loss(before, after, said, tmp_path):
    run = RunFolder(tmp_path)
    run.create(before)
    run.last.write_bytes(b"state")
    with pytest.raises(RunError) as caught:
        claim(str(tmp_path), after, resume="auto")
    assert said in str(caught.value)


def test_a_loss_may_change_its_weight_or_its_name_or_go_when_no_discriminator_does(tmp_path):
    run = RunFolder(tmp_path)
    run.create(with_losses(adversary=HINGE))
    run.last.write_bytes(b"state")
    other = changed(losses={"renamed": {**HINGE, "weight": 0.5, "discriminator": "discriminator"}})
    claimed = claim(str(tmp_path), other, resume="auto")
    assert claimed.checkpoint == run.last
    assert "losses.adversary.weight" in claimed.changed


def test_another_kind_of_optimizer_is_an_error_that_names_the_key(tmp_path):
    run = RunFolder(tmp_path)
    run.create(changed(optimizers={"generator": {"kind": "adam", "lr": 1e-4, "schedule": {"kind": "constant"}}}))
    run.last.write_bytes(b"state")
    falling = changed(optimizers={"generator": {"kind": "adam", "lr": 1e-3, "schedule": {"kind": "cosine"}}})
    assert claim(str(tmp_path), falling, resume="auto").checkpoint == run.last
    other = changed(optimizers={"generator": {"kind": "sgd", "lr": 1e-4, "schedule": {"kind": "constant"}}})
    with pytest.raises(RunError, match=r'optimizers\.generator\.kind="sgd" \(the run has "adam"\)'):
        claim(str(tmp_path), other, resume="auto")


def test_harmless_changes_resume_silently(begun):
    claimed = claim(
        str(begun.path),
        changed(max_iterations=200, logger="wandb", data={"root": "photos", "workers": 4}),
        resume="auto",
    )
    assert claimed.changed == ()


def test_changes_that_break_exactness_are_named(begun):
    other = changed(batch_size=8, data={"root": "others", "workers": 0})  # photos are told by their content
    assert claim(str(begun.path), other, resume="auto").changed == ("batch_size",)


def test_a_longer_run_is_not_exact_when_the_rate_follows_its_length(tmp_path):
    falling = {"generator": {"lr": 1e-4, "schedule": {"kind": "cosine"}}}
    run = RunFolder(tmp_path)
    run.create(changed(optimizers=falling))
    run.last.write_bytes(b"state")
    longer = changed(optimizers=falling, max_iterations=200)
    assert claim(str(tmp_path), longer, resume="auto").changed == ("max_iterations",)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match=r"cannot use run folder '.*file/run': Not a directory"):
        RunFolder(tmp_path / "file" / "run").create(CONFIG)
    with pytest.raises(RunError, match="is a file"):
        claim(str(tmp_path / "file"), CONFIG, resume=None)


def test_the_configuration_comes_back_as_it_was_written(tmp_path):
    run = RunFolder(tmp_path / "new")
    run.create(CONFIG, head="one\ntwo")
    assert run.config() == CONFIG
    assert run.config_yaml.read_text().startswith("# one\n# two\n")


@pytest.mark.parametrize("text", ["[1, 2", "- 1\n", "\x00"])
def test_a_damaged_configuration_is_one_line(begun, text):
    begun.config_yaml.write_text(text)
    with pytest.raises(RunError, match=r"config\.yaml"):
        claim(str(begun.path), CONFIG, resume="auto")


def test_default_folders_are_made_at_once_and_never_collide(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: default_folder("deepfill", parent=tmp_path / "runs"), range(24)))
    assert len(set(made)) == 24
    assert all(path.is_dir() for path in made)
    free = default_folder("deepfill", parent=tmp_path / "runs", reserve=False)
    assert not free.exists()


def test_two_runs_without_a_name_that_start_together_get_two_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = (claim(None, CONFIG, resume=None) for _ in range(2))
    assert first.run.path != second.run.path
    second.release()  # it came to nothing
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [first.run.path.name]
    free = claim(None, CONFIG, resume=None, reserve=False).run.path
    assert not free.exists()


def test_a_folder_that_cannot_be_made_says_what_to_give(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(RunError, match=r"cannot make 'checkpoints/.*: .*; give run\.folder=FOLDER"):
        claim(None, CONFIG, resume=None)


# A run belongs to one process ----------------------------------------------------------------------------------------


def test_a_second_process_is_told_whose_the_folder_is(tmp_path):
    first = claim(str(tmp_path / "run"), CONFIG, resume="auto")
    first.hold()
    second = claim(str(tmp_path / "run"), CONFIG, resume="auto")
    for ask in (second.check_free, second.hold):
        with pytest.raises(
            RunError, match=rf"run\.folder=\S+/run is in use by process {os.getpid()} on host \S+, since"
        ):
            ask()
    first.release()
    second.hold()
    second.release()
    assert list(tmp_path.iterdir()) == []  # nobody has used the folder that was made


def test_a_folder_that_another_process_has_trained_in_meanwhile_is_not_gone_on_with(begun):
    waiting = claim(str(begun.path), CONFIG, resume="auto")
    begun.last.write_bytes(b"another state")
    with pytest.raises(RunError, match="another process trained in it meanwhile; start again"):
        waiting.hold()
    claim(str(begun.path), CONFIG, resume="auto").hold()


def test_of_many_that_start_at_once_one_has_the_folder(tmp_path):
    inside, most, refused = [], [], []

    def start(_):
        claimed = claim(str(tmp_path / "run"), CONFIG, resume="auto")
        for _ in range(20):
            try:
                claimed.hold()
            except RunError as error:
                refused.append(error)
                continue
            inside.append(1)
            most.append(len(inside))
            inside.pop()
            claimed.release()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(start, range(8)))
    assert max(most) == 1
    assert len(most) + len(refused) == 160
    assert all("is in use by" in str(error) for error in refused)
    assert list(tmp_path.glob("run/*")) == []


def left_by(run: RunFolder, host: str) -> None:
    """Leave the lock of a process that has ended."""
    run.lock.write_text(json.dumps({"host": host, "process": 12345, "since": "yesterday"}))


def test_the_lock_of_a_dead_process_is_taken_over(begun):
    left_by(begun, platform.node())
    claimed = claim(str(begun.path), CONFIG, resume="auto")
    claimed.check_free()
    claimed.hold()
    assert json.loads(begun.lock.read_text())["process"] == os.getpid()
    claimed.release()
    assert not begun.lock.exists()


def test_the_lock_of_another_host_is_taken_over_by_the_command_that_the_refusal_names(begun):
    left_by(begun, "elsewhere")
    claimed = claim(str(begun.path), CONFIG, resume="auto")
    with pytest.raises(RunError) as refused:
        claimed.hold()
    command = f"inpaint train run.folder={begun.path} resume=auto run.takeover=true"
    assert "is in use by process 12345 on host elsewhere, since yesterday: if it has ended, add" in str(refused.value)
    assert str(refused.value).endswith(f"run.takeover=true to take the run over: {command}")
    claimed.hold(takeover=True)
    assert json.loads(begun.lock.read_text())["host"] == platform.node()
    claimed.check_held()
    left_by(begun, "a third one")
    with pytest.raises(LostRunError, match="was taken over by process 12345 on host a third one"):
        claimed.check_held()


def test_a_lock_that_a_kill_left_empty_is_taken_over(begun):
    begun.lock.touch()
    claimed = claim(str(begun.path), CONFIG, resume="auto")
    claimed.hold()
    claimed.release()


@pytest.mark.parametrize(
    "name", ["run", "2024", "a,b", "it's", "with space", "null", "1e6", "$x", "(1)", 'q"', "back\\slash"]
)
def test_the_command_that_goes_on_with_a_run_is_read_as_that_run(name):
    run = RunFolder(name)
    program, verb, *overrides = shlex.split(resume_command(run, "optimizers.generator.lr=1e-05"))
    assert (program, verb) == ("inpaint", "train")
    values = {override.key: override.value for override in map(parse, overrides)}
    assert values == {"run.folder": name, "resume": "auto", "optimizers.generator.lr": 1e-5}


def test_further_processes_use_the_folder_of_the_first_and_may_find_it_begun(begun, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv(FOLDER_VARIABLE, str(begun.path))
    begun.last.unlink()
    assert not first_process()
    assert claim(None, CONFIG, resume=None).run.path == begun.path


def test_processes_that_others_launch_need_a_name_they_agree_on(monkeypatch, tmp_path):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    assert default_folder("deepfill", parent=tmp_path) == tmp_path / "deepfill-slurm-77"
    monkeypatch.delenv("SLURM_JOB_ID")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RunError, match=r"run\.folder=FOLDER must be given under torchrun"):
        default_folder("deepfill", parent=tmp_path)


def test_differences_reach_into_nested_groups():
    assert differences({"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"b": 2, "c": [1]}, "e": 1}) == ["a.b", "d", "e"]
