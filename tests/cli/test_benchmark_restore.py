"""`inpaint benchmark restore`: both ways of computing measured in turns, and compared by what they paint."""

import json

from inpaint.cli.main import run


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
    arguments = [
        "--quality",
        "--preset=text",
        "--size=32",
        "--width=8",
        "--iterations=30",
        "--seeds=2",
        f"--json={path}",
    ]
    assert run(["benchmark", "restore", *arguments]) == 0
    found = json.loads(path.read_text())["presets"]["text"]
    assert len(found["fast"]) == len(found["published"]) == 2
    assert all(abs(one - other) < 3 for one, other in zip(found["fast"], found["published"], strict=True))
    assert "| `text` |" in capsys.readouterr().out


def test_an_unknown_preset_is_named(capsys):
    assert run(["benchmark", "restore", "--preset=vaze"]) == 2
    assert "unknown preset 'vaze' (did you mean 'vase'?)" in capsys.readouterr().err
