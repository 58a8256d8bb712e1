import json
import os
import signal
import subprocess
import sys
import time

import pytest

from inpaint.cli.main import run


@pytest.fixture
def arguments(photo_folder, tmp_path):
    """A complete command: two fills on four photos."""
    return [
        *("evaluate", "--model", "mean", "--model", "telea", "--data", str(photo_folder)),
        *("--masks", "center,deepfill", "--size", "24", "--output", str(tmp_path / "out"), "--device", "cpu"),
    ]


def replaced(arguments, option, value):
    changed = list(arguments)
    changed[changed.index(option) + 1] = value
    return changed


def test_evaluating_prints_the_table_and_writes_the_results(arguments, tmp_path, capsys):
    assert run(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("4 photos of")
    assert (tmp_path / "out" / "table.md").read_text().strip() in printed.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("results.csv", "settings.json", "summary.json", "table.md", "sheet.png", "pictures")
    }
    assert printed.err == ""


def test_telea_beats_the_mean_color_in_the_table(arguments, tmp_path):
    assert run(arguments) == 0
    results = json.loads((tmp_path / "out" / "summary.json").read_text())["results"]
    error = {entry["model"]: entry["metrics"]["l1_hole"]["mean"] for entry in results if entry["mask"] == "deepfill"}
    assert error["telea"] < error["mean"]


def test_the_recorded_command_repeats_the_evaluation(arguments, tmp_path):
    import shlex

    assert run(arguments) == 0
    first = json.loads((tmp_path / "out" / "summary.json").read_text())
    words = shlex.split(first["command"])
    assert words[0] == "inpaint"
    assert run([*words[1:], "--output", str(tmp_path / "again")]) == 0
    second = json.loads((tmp_path / "again" / "summary.json").read_text())
    assert second["masks_hash"] == first["masks_hash"]
    assert second["command"] == first["command"]


def test_a_second_call_goes_on_where_the_first_stopped(arguments, tmp_path, capsys):
    assert run(arguments) == 0
    path = tmp_path / "out" / "results.csv"
    whole = path.read_text().splitlines()
    path.write_text("\n".join(whole[:6]) + "\n")
    assert run(arguments) == 0
    assert len(path.read_text().splitlines()) == len(whole)
    assert run(replaced(arguments, "--size", "16")) == 2
    assert "other settings: size was 24, is 16 now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("--model", "teleaa", "unknown model 'teleaa' (did you mean 'telea'?)"),
        ("--model", "telea", "model telea is given twice"),
        ("--masks", "centr", "unknown mask 'centr' (did you mean 'center'?)"),
        ("--masks", ",", "masks must name at least one kind"),
        ("--size", "big", "Invalid value for '--size'"),
        ("--size", "2", "'--size': 2 is not in the range 8<=x<=8192"),
        ("--output", "-", "several are written: name a folder"),
        ("--device", "tpu", "unknown device 'tpu'"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(arguments, tmp_path, capsys, option, value, text):
    assert run(replaced(arguments, option, value)) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_empty_or_missing_folder_is_status_1_and_one_line(arguments, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        assert run(replaced(arguments, "--data", str(tmp_path / folder))) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_a_bad_photo_is_named_and_the_rest_goes_on_with_status_1(arguments, photo_folder, tmp_path, capsys):
    (photo_folder / "bad.png").write_text("text")
    assert run(arguments) == 1
    printed = capsys.readouterr()
    assert "bad.png" in printed.err
    assert "1 file skipped" in printed.err
    assert len((tmp_path / "out" / "results.csv").read_text().splitlines()) == 1 + 4 * 2 * 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_leaves_whole_lines(number, status, photo_folder, make_photo, tmp_path):
    from PIL import Image

    # Enough for some seconds, so that the signal comes in time even where this process is kept waiting.
    Image.fromarray(make_photo(300, 300)).save(photo_folder / "n0.png")
    for copy in range(1, 400):
        os.link(photo_folder / "n0.png", photo_folder / f"n{copy}.png")
    command = [sys.executable, "-m", "inpaint", "evaluate", "--model", "telea", "--data", str(photo_folder)]
    command += ["--masks", "half", "--output", str(tmp_path / "out"), "--device", "cpu"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background has its children ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    results = tmp_path / "out" / "results.csv"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (results.exists() and results.read_text().count("\n") > 2):
        time.sleep(0.01)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == status, error
    assert "the same command goes on from there" in error
    assert "Traceback" not in error
    text = results.read_text()
    assert text.endswith("\n")
    assert 3 <= text.count("\n") < 405  # a header and 404 photos
    assert not (tmp_path / "out" / "summary.json").exists()
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_a_run_folder_is_evaluated_under_its_name_and_new_weights_are_another_setting(arguments, tmp_path, capsys):
    from inpaint.models.deepfill.config import Config
    from inpaint.models.deepfill.network import Network
    from inpaint.weights.files import WeightsMetadata, save_weights

    def save(seed):
        config = Config(width=8)
        metadata = WeightsMetadata(model="deepfill", config=config.model_dump(mode="json"), roles=("generator",))
        save_weights(tmp_path / "my-run" / "model.safetensors", Network(config, seed=seed).state_dict(), metadata)

    (tmp_path / "my-run").mkdir()
    save(0)
    arguments = [*replaced(arguments, "--model", str(tmp_path / "my-run")), "--count", "2"]
    assert run(arguments) == 0
    assert "| my-run |" in (tmp_path / "out" / "table.md").read_text()
    assert (tmp_path / "out" / "pictures" / "0000+center+my-run.png").exists()
    save(1)
    assert run(arguments) == 2
    assert "other settings: models.my-run was" in capsys.readouterr().err
