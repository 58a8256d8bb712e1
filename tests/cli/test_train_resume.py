"""`inpaint train` going on: from the run's own record, by the commands that are printed, within a time limit."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

import inpaint
from inpaint import config
from inpaint.cli.main import run
from inpaint.errors import ConfigError, RunError, UsageError, WeightsError
from tiny_training import TINY, iterations


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory) -> Path:
    """A finished run of four iterations, in a folder whose name needs quotes."""
    folder = tmp_path_factory.mktemp("runs") / "my first, run"
    assert run(["train", *TINY, f"data.root={photos}", f"run.folder='{folder}'", "losses.coarse.weight=3"]) == 0
    return folder


@pytest.fixture
def copied(trained, tmp_path) -> Path:
    """The finished run, to go on with."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def record(folder: Path) -> dict:
    return yaml.safe_load((folder / "config.yaml").read_text())


def commands(text: str) -> list[list[str]]:
    """Return the words of every command in a text, as a shell splits them."""
    found = re.findall(r"(?:`|: )(inpaint (?:train|infer)[^`\n]*)", text)
    return [shlex.split(command)[1:] for command in found]


def typed_as_printed(words: list[str], places: dict[str, str]) -> int:
    """Run a command, capitals replaced by what they stand for."""
    return run([places.get(word, word) for word in words])


def test_a_run_goes_on_by_its_folder_alone_with_overrides_on_top(copied):
    assert run(["train", f"run.folder={copied}", "resume=auto", "max_iterations=6", "log_every=1"]) == 0
    assert iterations(copied) == [2, 4, 5, 6]
    assert record(copied)["losses"]["coarse"]["weight"] == 3
    assert (record(copied)["max_iterations"], record(copied)["log_every"]) == (6, 1)


def test_the_run_that_is_named_as_the_place_to_resume_brings_its_record_too(copied, tmp_path):
    assert run(["train", f"resume={copied}/best.ckpt", f"run.folder={tmp_path}/new", "max_iterations=5"]) == 0
    assert record(tmp_path / "new")["losses"]["coarse"]["weight"] == 3
    assert "best.ckpt" in (tmp_path / "new" / "config.yaml").read_text().splitlines()[2]


def test_the_same_command_goes_on_with_the_same_bits(photos, tmp_path):
    arguments = [
        "train",
        "model=deepfill",
        *TINY,
        f"data.root={photos}",
        "~losses.adversary",
        "~optimizers.discriminator",
    ]
    assert run([*arguments, f"run.folder={tmp_path}/whole"]) == 0
    for count in (2, 4):
        assert run([*arguments, f"run.folder={tmp_path}/parts", "resume=auto", f"max_iterations={count}"]) == 0
    whole, parts = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(value.equal(parts[name]) for name, value in whole.items())


def test_the_record_keeps_the_history_of_its_changes(copied):
    first = (copied / "config.yaml").read_text().splitlines()[0]
    for count, rate in ((6, 2e-4), (8, 3e-4)):
        change = [f"max_iterations={count}", f"optimizers.generator.lr={rate}"]
        assert run(["train", f"run.folder={copied}", "resume=auto", *change]) == 0
    head = [line for line in (copied / "config.yaml").read_text().splitlines() if line.startswith("#")]
    assert head[0] == first
    assert "From iteration 4" in head[2]
    assert "optimizers.generator.lr=0.0002 (was 0.0001)" in head[2]
    assert "optimizers.generator.lr=0.0003 (was 0.0002)" in head[3]


def test_a_start_that_trains_nothing_changes_no_file(copied, capsys):
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    assert run(["train", f"run.folder={copied}", "resume=auto", "losses.coarse.weight=77"]) == 0
    said = capsys.readouterr()
    assert "finished already with 4 iterations" in said.out
    assert "nothing is left to train, so that changed losses.coarse.weight have no effect" in said.err
    assert {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()} == before


def test_a_start_that_fails_in_its_first_iteration_leaves_the_record(copied, monkeypatch):
    from inpaint.training.module import TrainingModule

    def fail(*_):
        raise RunError("the device is gone")

    monkeypatch.setattr(TrainingModule, "training_step", fail)
    before = (copied / "config.yaml").read_bytes()
    assert run(["train", f"run.folder={copied}", "resume=auto", "max_iterations=9"]) == 1
    assert (copied / "config.yaml").read_bytes() == before


def test_another_model_is_said_first(copied, capsys):
    arguments = ["train", "model=pconv", "model.nonsense=1", f"run.folder={copied}", "resume=auto"]
    assert run(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "holds a run of model 'deepfill', not of 'pconv'" in line
    assert run(["train", "model=deepfill", f"run.folder={copied}", "resume=auto"]) == 0


def test_yaml_of_the_users_own_is_merged_on_top_of_the_record(copied, tmp_path):
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "longer.yaml").write_text("max_iterations: 6\n")
    arguments = ["--config-dir", f"{tmp_path}/mine", "experiment=longer", f"run.folder={copied}", "resume=auto"]
    assert run(["train", *arguments]) == 0
    assert (record(copied)["max_iterations"], record(copied)["losses"]["coarse"]["weight"]) == (6, 3)


def test_a_run_killed_before_its_first_save_starts_again_by_its_folder_alone(copied):
    for name in ("last.ckpt", "best.ckpt", "model.safetensors", "best.safetensors", "metrics.csv"):
        (copied / name).unlink()
    assert run(["train", f"run.folder={copied}", "resume=auto"]) == 0
    assert iterations(copied) == [2, 4]


def test_every_command_that_a_finished_run_prints_works_when_typed(trained, photos, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.pad(np.full((8, 8), 255, np.uint8), ((16, 16), (14, 14)))).save("mask.png")
    places = {"PHOTO": str(photos / "0.png"), "MASK": "mask.png", "RESULT.png": "result.png"}
    assert run(["train", f"run.folder='{trained}'", "resume=auto"]) == 0
    fill, go_on = commands(capsys.readouterr().out)
    assert typed_as_printed(fill, places) == 0
    assert Path("result.png").exists()
    backup = shutil.copytree(trained, tmp_path / "backup")
    try:
        assert typed_as_printed(go_on, places) == 0
        assert max(iterations(trained)) == 8
    finally:
        shutil.rmtree(trained)
        shutil.copytree(backup, trained)


def test_the_command_of_a_refusal_works_when_typed(copied, photos, capsys):
    assert run(["train", *TINY, f"data.root={photos}", f"run.folder={copied}"]) == 1
    (go_on,) = commands(capsys.readouterr().err)
    assert run(go_on) == 0


def test_a_time_limit_saves_and_ends_with_75_and_the_printed_command_goes_on(photos, tmp_path, capsys, monkeypatch):
    from inpaint.training import fit

    class Late(fit.TimeLimit):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options, clock=lambda: 100.0 * arguments[0].iteration)

    monkeypatch.setattr(fit, "TimeLimit", Late)
    folder = tmp_path / "run"
    assert run(["train", *TINY, f"data.root={photos}", f"run.folder={folder}", "max_time=5m"]) == 75
    out = capsys.readouterr().out
    assert "stopped after max_time=5m, at iteration 3, everything saved" in out
    assert torch.load(folder / "last.ckpt", weights_only=True)["iteration"] == 3
    (go_on,) = commands(out)
    assert run(go_on) == 0
    assert torch.load(folder / "last.ckpt", weights_only=True)["iteration"] == 4


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (["--model", "deepfill"], "write model=deepfill"),
        (["--batch-size=8"], "write batch_size=8"),
        (["data.root=photos", "--lr", "1e-4"], "write optimizers.generator.lr=1e-4"),
        (["--data", "photos"], "write data.root=photos"),
        (["--epochs"], "write max_iterations=VALUE"),
    ],
)
def test_options_of_another_grammar_are_answered_in_this_one(arguments, written, capsys):
    assert run(["train", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(written)


# Best and last -------------------------------------------------------------------------------------------------------


def test_the_best_weights_are_used_by_every_name(trained, photos, tmp_path):
    image, mask = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    mask[..., 8:20, 10:22] = 1
    fills = [
        inpaint.load(place, device="cpu", **options).fill(image, mask)[0].raw
        for place, options in (
            (trained, {"weights": "best"}),
            (trained / "best.ckpt", {}),
            (trained / "best.safetensors", {}),
        )
    ]
    assert fills[0].equal(fills[1])
    assert fills[0].equal(fills[2])
    assert (
        inpaint.load(trained / "last.ckpt", device="cpu")
        .fill(image, mask)[0]
        .raw.equal(inpaint.load(trained, device="cpu").fill(image, mask)[0].raw)
    )
    Image.fromarray(np.pad(np.full((8, 8), 255, np.uint8), ((16, 16), (14, 14)))).save(tmp_path / "mask.png")
    given = [
        "--image",
        str(photos / "0.png"),
        "--mask",
        str(tmp_path / "mask.png"),
        "--output",
        str(tmp_path / "o.png"),
    ]
    assert run(["infer", "--model", str(trained), "--weights", "best", *given]) == 0
    models = ["--model", str(trained), "--model", str(trained / "best.ckpt")]
    given = [
        "--data",
        str(photos),
        "--masks",
        "center",
        "--size",
        "32",
        "--count",
        "2",
        "--output",
        str(tmp_path / "e"),
    ]
    assert run(["evaluate", *models, *given]) == 0
    with (tmp_path / "e" / "results.csv").open(newline="") as file:
        assert {row["model"] for row in csv.DictReader(file)} == {"my first, run", "my first, run-best"}


def test_the_choice_of_best_is_refused_where_there_is_none(trained, tmp_path):
    with pytest.raises(UsageError, match="'telea' has no weights to choose from"):
        inpaint.load("telea", weights="best")
    with pytest.raises(UsageError, match="unknown weights 'worst'"):
        inpaint.load(trained, weights="worst")
    shutil.copyfile(trained / "model.safetensors", tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"holds no best\.safetensors"):
        inpaint.load(tmp_path, weights="best")


@pytest.mark.parametrize("place", ["", "best.ckpt", "model.safetensors"])
def test_fine_tuning_keeps_the_discriminator_of_ones_own_run(place, trained, photos, tmp_path):
    still = ["optimizers.generator.lr=1e-30", "optimizers.discriminator.lr=1e-30", "max_iterations=1"]
    init = f"init='{trained / place}'"
    assert run(["train", *TINY, *still, f"data.root={photos}", f"run.folder={tmp_path}/new", init]) == 0
    source = trained / (place if place == "best.ckpt" else "last.ckpt")
    before, after = (torch.load(file, weights_only=True) for file in (source, tmp_path / "new" / "last.ckpt"))
    weights = [name for name in before["discriminators"] if not name.endswith(("_u", "_v"))]
    assert weights
    for name in weights:
        torch.testing.assert_close(before["discriminators"][name], after["discriminators"][name], atol=1e-20, rtol=0)


def test_a_discriminator_of_other_options_starts_anew(trained, photos, tmp_path, capsys):
    arguments = [*TINY, "model.discriminator.width=4", f"data.root={photos}", f"init='{trained}'", "max_iterations=1"]
    assert run(["train", *arguments, f"run.folder={tmp_path}/new"]) == 0
    assert "holds a discriminator of other options: it starts anew" in capsys.readouterr().err


def test_a_small_size_that_weights_do_not_have_is_named(trained):
    asked = ["model=deepfill", "size=small", "data.root=samples", f"init='{trained}'"]
    with pytest.raises(ConfigError, match=r"model\.width=16 \(the weights have 8\).*, and size=small, which makes"):
        config.load(asked)
    assert config.load([each for each in asked if each != "size=small"]).size is None


def test_checkpoints_stay_where_they_are_asked_for(photos, tmp_path):
    arguments = [*TINY, f"data.root={photos}", f"run.folder={tmp_path}/run", "validation.every=1"]
    assert run(["train", *arguments, "keep_every=3", "keep_best=2"]) == 0
    kept = {path.name for path in (tmp_path / "run" / "kept").iterdir()}
    assert "00000003.ckpt" in kept
    assert len([name for name in kept if name.startswith("best-")]) == 2
    state = torch.load(tmp_path / "run" / "kept" / "00000003.ckpt", weights_only=True)
    assert state["iteration"] == 3
    best = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["best"]
    assert {f"best-{iteration:08d}.ckpt" for _, iteration in best} == {name for name in kept if "best" in name}
    assert inpaint.load(tmp_path / "run" / "kept" / "00000003.ckpt", device="cpu").name == "deepfill"
    assert run(["train", f"resume={tmp_path}/run/kept/00000003.ckpt", f"run.folder={tmp_path}/branch"]) == 0
