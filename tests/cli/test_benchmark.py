import json
from time import sleep

import pytest
import torch

from inpaint.benchmark.forward import Setting, build, peak_bytes, times_in_turns
from inpaint.benchmark.rates import rates_in_turns
from inpaint.cli.main import run


def test_tasks_take_turns_after_one_warm_up():
    calls = []
    rates = rates_in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2, round_s=0.0)
    assert "".join(calls) == "ab" * 3
    assert all(rate.lowest <= rate.median <= rate.highest for rate in rates.values())


def test_masks_are_measured_and_written_as_json(tmp_path, capsys):
    path = tmp_path / "rates.json"
    assert run(["benchmark", "masks", "--kind", "center,half", "--rounds", "1", "--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert written["rates"].keys() == {"center", "half"}
    assert all(rate["median"] > 0 for rate in written["rates"].values())
    assert "| center | 256 px |" in capsys.readouterr().out


def test_an_unknown_mask_is_named(capsys):
    assert run(["benchmark", "masks", "--kind", "centr"]) == 2
    assert "unknown mask 'centr' (did you mean 'center'?)" in capsys.readouterr().err


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
    assert written["hardware"]["cores"] >= 1
    assert written["versions"]["torch"]
    assert "commit" in written
    out = capsys.readouterr().out
    assert "16 x 16 px, batch 1, cpu, threads 1" in out
    assert "| 5 |" in out
    assert "times as fast" in out


def test_the_ratio_is_that_of_the_same_round():
    waits = iter([0.0, 0.0, 0.002, 0.02, 0.002, 0.02])
    timings, ratios = times_in_turns({"a": lambda: sleep(next(waits)), "b": lambda: sleep(next(waits))}, rounds=2)
    assert len(ratios) == 2
    assert all(ratio > 1 for ratio in ratios)
    assert timings["a"].lowest_ms >= 2
    assert timings["b"].lowest_ms >= 20


def test_what_is_timed_and_its_reference_paint_the_same_picture():
    network, plain = (build(Setting(kind=kind, dtype="float64")) for kind in ("network", "reference"))
    image = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mask = torch.zeros(1, 1, 32, 40, dtype=torch.float64)
    mask[..., 8:20, 10:30] = 1
    with torch.inference_mode():
        got, expected = network(image, mask)["raw"], plain(image, mask)["raw"]
    assert expected.std() > 0.1
    assert torch.allclose(got, expected, rtol=0, atol=1e-10)


@pytest.mark.slow
def test_the_peak_memory_is_that_of_a_process_of_its_own():
    small, large = (peak_bytes(Setting(size=size, threads=1)) for size in (16, 512))
    assert 50e6 < small < large


def test_comparing_a_setting_with_itself_is_refused(capsys):
    assert run(["benchmark", "forward", "--against", "float32"]) == 2
    assert "--against float32 is what is measured already" in capsys.readouterr().err


def test_an_unknown_model_is_named(capsys):
    assert run(["benchmark", "forward", "--model", "deepfil"]) == 2
    assert "unknown model 'deepfil' (did you mean 'deepfill'?)" in capsys.readouterr().err
