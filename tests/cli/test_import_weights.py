"""`inpaint import-weights`: from a public checkpoint to a folder that fills and trains; one line for every mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors import SafetensorError

from inpaint.cli.main import run
from inpaint.errors import UsageError
from inpaint.models.deepfill import weights
from inpaint.models.deepfill.network import Network
from inpaint.registry.conversion import ORIGINS, split_input
from inpaint.weights.files import load_weights, read_metadata

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """A file of nipponjo's in TensorFlow form, with our initial weights."""
    path = tmp_path_factory.mktemp("public") / "states_tf.pth"
    state = Network(weights.NIPPONJO_TF).generator.state_dict()
    layers = weights.nipponjo_tf_layers()
    torch.save({"G": {f"{layers[n.split('.')[0]]}.{n.split('.')[1]}": value for n, value in state.items()}}, path)
    return path


@pytest.fixture(scope="module")
def imported(checkpoint, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "deep" / "imported"
    assert run(["import-weights", "--origin", "nipponjo", "--input", str(checkpoint), "--output", str(folder)]) == 0
    return folder


def refused(arguments: list[str], capsys, status: int) -> str:
    """Run, expect the exit status, and return the one line on standard error."""
    capsys.readouterr()
    assert run(["import-weights", *arguments]) == status
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    return shown.err


def test_the_command_says_what_came_out_and_how_to_go_on(checkpoint, tmp_path, capsys):
    folder = tmp_path / "imported"
    arguments = ["--origin", "nipponjo", "--input", f"generator={checkpoint}", "--fuse", "--output", str(folder)]
    assert run(["import-weights", *arguments]) == 0
    shown = capsys.readouterr().out
    for part in (
        "imported nipponjo (TensorFlow form)",
        "4,052,478 parameters",
        "CC BY-NC 4.0",
        read_metadata(folder / "model.safetensors").source_sha256,
        f"inpaint infer --model {folder}",
        f"init={folder} data.root=PHOTOS optimizers.generator.start=1000",
        "no discriminator",
    ):
        assert part in shown
    assert sorted(path.name for path in folder.iterdir()) == ["config.yaml", "model.safetensors"]
    assert yaml.safe_load((folder / "config.yaml").read_text())["model"]["attention"]["fuse"] is True


def test_the_script_is_the_same_command(tmp_path):
    script = [sys.executable, str(ROOT / "scripts" / "import_weights.py")]
    arguments = ["--origin", "mmagic", "--input", "gone.pth"]
    done = subprocess.run([*script, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, "error: Missing option '--output'.\n")
    assert list(tmp_path.iterdir()) == []


def test_an_import_fills_a_photo(imported, photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[10:20, 10:30] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    places = ["--image", f"{tmp_path}/photo.png", "--mask", f"{tmp_path}/mask.png", "--output", f"{tmp_path}/out.png"]
    assert run(["infer", "--model", str(imported), "--device", "cpu", *places]) == 0
    filled = np.asarray(Image.open(tmp_path / "out.png"))
    assert np.array_equal(filled[mask == 0], photo[mask == 0])
    assert not np.array_equal(filled[mask > 0], photo[mask > 0])


def test_fine_tuning_lets_a_new_discriminator_learn_alone_and_keeps_the_license(imported, photo_folder, tmp_path):
    new = tmp_path / "new"
    small = ["data.size=64", "data.workers=0", "batch_size=1", "max_iterations=1", "model.discriminator.width=8"]
    small += ["validation.batch_size=1", "validation.panel=0", "trainer.accelerator=cpu", "trainer.devices=1"]
    arguments = [f"init={imported}", f"data.root={photo_folder}", f"run.folder={new}", *small]
    assert run(["train", *arguments, "optimizers.generator.start=1"]) == 0
    (before, origin), (after, metadata) = (load_weights(f / "model.safetensors") for f in (imported, new))
    assert all(torch.equal(before[name], value) for name, value in after.items())
    assert metadata.license == origin.license
    assert metadata.config["padding"] == "same_tf"
    assert metadata.config["attention"]["mask_sampling"] == "aligned8"
    state = torch.load(new / "last.ckpt", weights_only=True)
    assert state["license"] == origin.license  # for the weights that a resumed run writes
    moved = state["optimizers"]
    assert moved["discriminator"]["state"]
    assert not moved["generator"]["state"]


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (
            ["--origin", "nipponj", "--input", "x"],
            2,
            f"'nipponj' is not one of {', '.join(map(repr, sorted(ORIGINS)))}",
        ),
        (["--origin", "mmagic"], 2, "--input"),
        (["--origin", "mmagic", "--input", "gone.pth"], 1, "no weights at gone.pth"),
        (["--origin", "mmagic", "--input", "gone=1.pth"], 2, "unknown role 'gone'; valid: generator"),
        (["--origin", "mmagic", "--input", "text.pth"], 1, "text.pth is damaged or no PyTorch checkpoint"),
        (["--origin", "mmagic", "--input", "CHECKPOINT"], 1, "looks like nipponjo (TensorFlow form), not mmagic"),
        (["--origin", "nipponjo", "--input", "CHECKPOINT", "--input", "CHECKPOINT"], 2, "both hold the generator"),
        (["--origin", "nipponjo", "--input", "CHECKPOINT", "--nonsense"], 2, "--nonsense"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    arguments, status, part, checkpoint, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("text.pth").write_text("no weights")
    arguments = [str(checkpoint) if word == "CHECKPOINT" else word for word in arguments]
    assert part in refused([*arguments, "--output", "a/b"], capsys, status)
    assert [path.name for path in tmp_path.iterdir()] == ["text.pth"]


def test_a_run_is_not_overwritten(checkpoint, imported, capsys):
    before = (imported / "model.safetensors").read_bytes()
    arguments = ["--origin", "nipponjo", "--input", str(checkpoint), "--output", str(imported)]
    assert "already holds a run or an import" in refused(arguments, capsys, 2)
    assert (imported / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("output", ["file", "file/below"])
def test_an_output_that_cannot_be_a_folder_is_one_line(output, checkpoint, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    arguments = ["--origin", "nipponjo", "--input", str(checkpoint), "--output", str(tmp_path / output)]
    assert run(["import-weights", *arguments]) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "file" in error
    assert (tmp_path / "file").read_text() == "in the way"


def test_when_the_weights_cannot_be_written_no_configuration_stays_behind(checkpoint, tmp_path, monkeypatch, capsys):
    def full(*_args, **_options):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    (tmp_path / "mine.txt").write_text("keep")
    for output in (tmp_path, tmp_path / "a" / "b"):
        arguments = ["--origin", "nipponjo", "--input", str(checkpoint), "--output", str(output)]
        assert "No space left on device" in refused(arguments, capsys, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_name_may_hold_an_equals_sign(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    roles = ["edge_generator", "generator"]
    Path("epoch=3.pth").touch()
    assert split_input("epoch=3.pth", roles) == (None, Path("epoch=3.pth"))
    assert split_input("generator=epoch=3.pth", roles) == ("generator", Path("epoch=3.pth"))
    assert split_input("folder/a=b.pth", roles) == (None, Path("folder/a=b.pth"))
    with pytest.raises(UsageError, match=r"unknown role 'edge_generater' .did you mean 'edge_generator'"):
        split_input("edge_generater=file.pth", roles)


def test_a_file_whose_name_is_no_text_is_imported_under_an_escaped_one(checkpoint, tmp_path):
    odd = tmp_path / "states\udcff.pth"
    try:
        odd.symlink_to(checkpoint)
    except OSError:
        pytest.skip("a file system that takes text only")
    assert run(["import-weights", "--origin", "nipponjo", "--input", str(odd), "--output", str(tmp_path / "new")]) == 0
    assert (read_metadata(tmp_path / "new/model.safetensors").source or "").endswith("states\\xff.pth")
