import subprocess
import sys

import pytest

from evaluations import record, write
from inpaint.cli.main import run


def test_compare_prints_tables_and_writes_the_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(record({"x": 0.0}, photos=9), tmp_path / "one")
    write(record({"y": 2.0}, photos=9), tmp_path / "two")
    assert run(["compare", "one", "two", "--baseline", "x", "--output", "both"]) == 0
    out = capsys.readouterr().out
    assert "(named)" in out
    assert out.splitlines()[-1] == "wrote summary.csv, summary.json, table.md, index.html to both"
    assert (tmp_path / "both" / "table.md").read_text() in out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "nothing to compare: name runs"),
        (["nowhere"], "'nowhere' is no folder of a run or an evaluation"),
        (["one", "--baseline", "z"], "no evaluation holds the model 'z'"),
        (["one", "--keys", "val/*"], ""),
    ],
)
def test_mistakes_are_told_in_a_line(words, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(record({"x": 0.0}, photos=3), tmp_path / "one")
    assert run(["compare", *words]) == (0 if not line else 1 if "nowhere" in words else 2)
    said = capsys.readouterr().err
    assert said.startswith(f"error: {line}" if line else "")
    assert said.count("\n") == bool(line)


def test_wandb_needs_an_evaluation(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.csv").write_text("iteration,val/psnr_hole\n1,2\n")
    assert run(["compare", "run", "--wandb", "faces"]) == 2
    assert "--wandb records evaluations" in capsys.readouterr().err


def test_the_script_is_the_verb():
    said = subprocess.run(
        [sys.executable, "scripts/compare.py", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "inpaint compare" in said
    assert "--baseline" in said
