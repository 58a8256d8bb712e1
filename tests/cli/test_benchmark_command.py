import json

from inpaint.cli.main import run
from inpaint.evaluation.speed import rates_in_turns


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
    assert run(["benchmark", "masks", "--kind", "centre"]) == 2
    assert "unknown mask 'centre' (did you mean 'center'?)" in capsys.readouterr().err


def test_missing_data_is_one_line(tmp_path, capsys):
    assert run(["benchmark", "data", "--data", str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
