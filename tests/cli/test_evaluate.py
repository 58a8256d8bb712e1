import json
import os
import signal
import subprocess
import sys
import time

import pytest

from inpaint.classical.mean import Mean
from inpaint.cli.main import run
from interrupting import status_of
from made_graphs import write_network


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
        *("results.csv", "timing.csv", "sets.csv", "failures.csv", "measured.jsonl", "manifest.json", "settings.json"),
        *("summary.json", "summary.csv", "table.md", "index.html", "sheet.png", "pictures"),
    }
    assert printed.err == ""


def test_telea_beats_the_mean_color_in_the_table(arguments, tmp_path):
    assert run(arguments) == 0
    entries = json.loads((tmp_path / "out" / "summary.json").read_text())["entries"]
    wanted = ("deepfill", "all", "l1_hole")
    error = {e["model"]: e["mean"] for e in entries if (e["mask"], e["bucket"], e["measure"]) == wanted}
    assert error["telea"] < error["mean"]


def test_an_onnx_file_is_measured_as_any_other_model(arguments, tmp_path):
    write_network(tmp_path / "graph.onnx")  # of the mean color, as the fill without weights
    assert run([str(tmp_path / "graph.onnx") if word == "telea" else word for word in arguments]) == 0
    entries = json.loads((tmp_path / "out" / "summary.json").read_text())["entries"]
    means = {name: {e["model"]: e["mean"] for e in entries if e["measure"] == name} for name in ("l1_hole", "psnr")}
    for found in means.values():
        assert found["graph"] == pytest.approx(found["mean"], rel=1e-3)


def test_the_recorded_command_repeats_the_evaluation(arguments, tmp_path):
    import shlex

    assert run(arguments) == 0
    first = json.loads((tmp_path / "out" / "summary.json").read_text())
    words = shlex.split(first["command"])
    assert words[0] == "inpaint"
    assert run([*words[1:], "--output", str(tmp_path / "again")]) == 0
    second = json.loads((tmp_path / "again" / "summary.json").read_text())
    assert second["manifest"] == first["manifest"]
    assert second["command"] == first["command"]


def test_a_second_call_goes_on_where_the_first_stopped(arguments, tmp_path, capsys):
    assert run(arguments) == 0
    results, journal = tmp_path / "out" / "results.csv", tmp_path / "out" / "measured.jsonl"
    before = results.read_bytes()
    journal.write_text("\n".join(journal.read_text().splitlines()[:6]) + "\n")
    assert run(arguments) == 0
    assert "going on: 5 of 16 fills are done already" in capsys.readouterr().err
    assert results.read_bytes() == before
    assert run(replaced(arguments, "--size", "16")) == 2
    assert "holds another evaluation" in (error := capsys.readouterr().err)
    assert "protocol.size was 24, is 16 now" in error


def test_protocols_are_named_and_several_make_one_table(arguments, tmp_path, capsys):
    named = [word for word in arguments if word not in ("--masks", "center,deepfill", "--size", "24")]
    assert run([*named, "--protocol", "center_64,text_64"]) == 0
    table = capsys.readouterr().out
    assert "protocol center_64+text_64, 64 x 64, seed 0" in table
    assert "### center_64" in table
    assert "### text_64" in table
    assert run([*named, "--protocol", "center_64,text_128", "--output", str(tmp_path / "b")]) == 2
    assert "protocols of different sizes are different tables: center_64 64, text_128 128" in capsys.readouterr().err
    assert run([*arguments, "--protocol", "center_64"]) == 2
    assert "give either it or --masks, --size and --seed" in capsys.readouterr().err
    assert run([*named, "--protocol", "centr_64"]) == 2
    assert "unknown protocol 'centr_64' (did you mean 'center_64'?)" in capsys.readouterr().err


def test_protocols_and_measures_can_be_listed(capsys):
    assert run(["evaluate", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:4] == ["deepfill_64", "64", "x", "64,"] for line in lines)
    assert any(line.split()[:2] == ["*", "psnr_hole"] for line in lines)
    assert run(["evaluate", "--data", "samples"]) == 2
    assert "Missing option '--model'" in capsys.readouterr().err


def test_the_measures_that_are_asked_for_are_the_columns(arguments, tmp_path):
    assert run([*arguments, "--measures", "l1_raw,psnr"]) == 0
    assert (tmp_path / "out/results.csv").read_text().startswith("image,mask,model,l1_raw,psnr\n")


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


SIGNALS = pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@SIGNALS
def test_an_interruption_leaves_whole_lines_and_no_half_results(
    number, status, arguments, tmp_path, monkeypatch, capsys
):
    paint, painted = Mean.paint_all, []

    def interrupted(mean, request):
        painted.append(request)
        if len(painted) == 4:
            signal.raise_signal(number)
        return paint(mean, request)

    monkeypatch.setattr(Mean, "paint_all", interrupted)
    assert status_of(arguments) == status
    assert "the same command goes on from there" in capsys.readouterr().err
    text = (tmp_path / "out/measured.jsonl").read_text()
    assert text.endswith("\n")
    assert not (tmp_path / "out" / "results.csv").exists()
    before = text.count("\n")
    assert run(arguments) == 0
    assert (tmp_path / "out/measured.jsonl").read_text().count("\n") > before > 1


@pytest.mark.slow
@SIGNALS
def test_a_process_that_is_interrupted_leaves_whole_lines_and_no_half_results(
    number, status, photo_folder, make_photo, tmp_path
):
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
    results = tmp_path / "out" / "measured.jsonl"
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
    assert not (tmp_path / "out" / "results.csv").exists()
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_a_run_folder_is_evaluated_under_its_name_and_new_weights_are_measured_anew(arguments, tmp_path, capsys):
    from inpaint.models.deepfill.config import Config
    from inpaint.models.deepfill.network import Network
    from inpaint.weights.files import WeightsMetadata, save_weights

    def save(seed):
        config = Config(width=8)
        metadata = WeightsMetadata(model="deepfill", config=config.model_dump(mode="json"), roles=("generator",))
        # Moved, since networks that have learned nothing all paint gray.
        tensors = {name: tensor + 0.05 * seed for name, tensor in Network(config, seed=seed).state_dict().items()}
        save_weights(tmp_path / "my-run" / "model.safetensors", tensors, metadata)

    (tmp_path / "my-run").mkdir()
    save(0)
    arguments = [*replaced(arguments, "--model", str(tmp_path / "my-run")), "--count", "2"]
    assert run(arguments) == 0
    assert "| my-run" in (tmp_path / "out" / "table.md").read_text()
    assert (tmp_path / "out" / "pictures" / "a.png+center+my-run.png").exists()
    first = (tmp_path / "out/results.csv").read_text().splitlines()
    save(1)
    assert run(arguments) == 0
    assert "going on: 4 of 8 fills are done already" in capsys.readouterr().err
    second = (tmp_path / "out/results.csv").read_text().splitlines()
    changed = [a.split(",")[2] for a, b in zip(first, second, strict=True) if a != b]
    assert set(changed) == {"my-run"}
