"""`inpaint benchmark`: what each verb prints and writes, and one line for every mistake."""

import json
import re

import pytest

from inpaint.cli.main import run

SMALL = ["model.width=8", "model.discriminator.width=4"]
STEP = ["--size", "32", "--batch", "2", "--threads", "1", "--rounds", "1", "--no-memory"]


def test_masks_are_measured_and_written_as_json(tmp_path, capsys):
    path = tmp_path / "rates.json"
    assert run(["benchmark", "masks", "--kind", "center,half", "--rounds", "1", "--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert written["rates"].keys() == {"center", "half"}
    assert all(rate["median"] > 0 for rate in written["rates"].values())
    assert "| center | 256 px |" in capsys.readouterr().out


def test_an_unknown_kind_of_mask_is_named(capsys):
    assert run(["benchmark", "masks", "--kind", "centr"]) == 2
    assert "unknown mask 'centr' (did you mean 'center'?)" in capsys.readouterr().err


def test_samples_are_measured_in_turns(photo_folder, tmp_path, capsys, monkeypatch):
    from inpaint.benchmark import timing

    real = timing.take_turns
    monkeypatch.setattr(timing, "take_turns", lambda tasks, rounds, turn_s: real(tasks, rounds=rounds))
    path = tmp_path / "rates.json"
    options = ["--data", str(photo_folder), "--size", "24", "--masks", "box, center", "--rounds", "2"]
    assert run(["benchmark", "data", *options, "--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert (written["benchmark"], written["unit"]) == ("data", "samples/s")
    assert {name: rate["size"] for name, rate in written["rates"].items()} == {"box": "24 px", "center": "24 px"}
    assert "| center | 24 px |" in capsys.readouterr().out


def test_missing_data_is_one_line(tmp_path, capsys):
    assert run(["benchmark", "data", "--data", str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_pass_is_measured_against_the_reference_in_turns_and_written_as_json(tmp_path, capsys, monkeypatch):
    path = tmp_path / "forward.json"
    monkeypatch.setattr("inpaint.benchmark.forward.peak_bytes", lambda setting: 5_000_000)
    options = ["--size", "16", "--rounds", "2", "--threads", "1", "--against", "reference", "--json", str(path)]
    assert run(["benchmark", "forward", *options]) == 0
    written = json.loads(path.read_text())
    assert list(written["timings"]) == ["network, float32", "reference, float32"]
    assert all(0 < timing["lowest_ms"] <= timing["median_ms"] for timing in written["timings"].values())
    assert written["settings"]["reference, float32"]["kind"] == "reference"
    assert written["ratio"]["median"] > 0
    assert written["peak_bytes"] == dict.fromkeys(written["timings"], 5_000_000)
    assert written["hardware"]["cores"] >= 1
    assert written["versions"]["torch"]
    assert "commit" in written
    out = capsys.readouterr().out
    assert "16 x 16 px, batch 1, cpu, threads 1" in out
    assert "| 5 |" in out
    assert "times as fast" in out
    assert run(["benchmark", "table", str(path)]) == 0
    assert "| deepfill | 16 px, batch 1 |" in capsys.readouterr().out


@pytest.mark.slow
def test_what_threads_bring_is_measured_quiet_and_beside_a_busy_process(tmp_path, capsys):
    path = tmp_path / "threads.json"
    options = ["--size", "16", "--rounds", "1", "--threads", "2,1", "--against", "port", "--json", str(path)]
    assert run(["benchmark", "threads", *options]) == 0
    scaling = json.loads(path.read_text())["scaling"]
    networks, loads = ("network, float32", "port, float32"), ("quiet", "beside a busy process")
    seen = [(each["network"], each["threads"], each["beside"]) for each in scaling]
    assert seen == [(name, count, load) for name in networks for count in (1, 2) for load in loads]
    table = capsys.readouterr().out
    assert len(re.findall(r"\| 1\.00 \| 1\.00 \|", table)) >= 4  # one thread is what the others are compared with
    assert run(["benchmark", "table", str(path)]) == 0
    assert capsys.readouterr().out == table


@pytest.mark.parametrize("threads", ["0", "", "1,x", "1-2"])
def test_numbers_of_threads_that_are_none_are_named(capsys, threads):
    assert run(["benchmark", "threads", "--threads", threads]) == 2
    assert "--threads" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--against", "float32"], "--against float32 is what is measured already"),
        (["--against", "float"], "unknown --against 'float' (did you mean 'float"),
        (["--model", "deepfil"], "unknown model 'deepfil' (did you mean 'deepfill'?)"),
        (["--dtype", "float8"], "unknown dtype 'float8'"),
        (["--device", "tpu"], "unknown device 'tpu'"),
        (["--part", "encoder"], "'deepfill' is measured as a whole only; leave out the part 'encoder'"),
    ],
)
def test_a_mistake_in_a_pass_is_one_line(capsys, options, message):
    assert run(["benchmark", "forward", "--size", "16", *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_two_steps_are_measured_in_turns_and_written_as_json(tmp_path, capsys):
    path = tmp_path / "step.json"
    arguments = [*SMALL, *STEP, "--against", "channels_last=true", "--profile", "--json", str(path)]
    assert run(["benchmark", "step", *arguments]) == 0
    written = json.loads(path.read_text())
    assert list(written["timings"]) == ["this", "channels_last=true"]
    layouts = [setting["loop"]["trainer"]["channels_last"] for setting in written["settings"].values()]
    assert layouts == [False, True]
    assert written["images_per_s"]["this"] == pytest.approx(2000 / written["timings"]["this"]["median_ms"])
    assert sum(written["shares"]["this"].values()) == pytest.approx(1)
    assert written["shares"]["this"]["convolution"] > 0.1
    assert written["macs_per_picture"] > 1e6
    out = capsys.readouterr().out
    assert re.search(r"threads 1(, load \d+\.\d)?\n", out)
    assert "times as fast" in out
    assert "| convolution |" in out
    assert "GMAC per image" in out


def test_a_change_without_a_value_is_one_line(capsys):
    assert run(["benchmark", "step", *SMALL, *STEP, "--against", "faster"]) == 2
    assert "--against faster: write KEY=VALUE, or `separate`" in capsys.readouterr().err


def test_presets_are_measured_both_ways_and_written_as_json(tmp_path, capsys):
    path = tmp_path / "found.json"
    arguments = ["--preset=jpeg,missing-most", "--size=32", "--rounds=1", f"--json={path}"]
    assert run(["benchmark", "restore", *arguments]) == 0
    found = json.loads(path.read_text())["presets"]
    assert found.keys() == {"jpeg", "missing-most"}
    assert found["jpeg"]["published"]["median_ms"] > 0
    assert found["jpeg"]["ratio"] == found["jpeg"]["of_lowest"]  # of a single round
    assert "| `jpeg` |" in capsys.readouterr().out


def test_what_is_painted_is_compared_seed_by_seed(tmp_path, capsys):
    path = tmp_path / "found.json"
    options = ["--preset=text", "--size=32", "--width=8", "--iterations=30", "--seeds=2", f"--json={path}"]
    assert run(["benchmark", "restore", "--quality", *options]) == 0
    found = json.loads(path.read_text())["presets"]["text"]
    assert len(found["fast"]) == len(found["published"]) == 2
    assert all(abs(one - other) < 3 for one, other in zip(found["fast"], found["published"], strict=True))
    assert "| `text` |" in capsys.readouterr().out


def test_an_unknown_preset_is_named(capsys):
    assert run(["benchmark", "restore", "--preset=vaze"]) == 2
    assert "unknown preset 'vaze' (did you mean 'vase'?)" in capsys.readouterr().err
